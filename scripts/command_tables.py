"""What the page of the command line says of commands and settings, made from the program itself."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

import attrs
import click

from browser_use_async.cli.app import program
from browser_use_async.cli.command import NAME
from browser_use_async.cli.commands.serve import ServeSettings
from browser_use_async.cli.exit import usage
from browser_use_async.cli.options import Argument, Option
from browser_use_async.server.executors.choice import EXECUTORS, ExecutorRow, FieldUse
from browser_use_async.server.faults import KINDS
from browser_use_async.server.setting_kinds import Setting, own_settings
from browser_use_async.server.settings import GROUPS, ServerSettings

Row: TypeAlias = tuple[str, str]
Heading: TypeAlias = tuple[str, str]  # the title of a group of options, and what is said of it
Group: TypeAlias = tuple[Heading, tuple[Row, ...]]

_SETTINGS = (*GROUPS, ("the command serve alone", ServeSettings))


# --- commands -----------------------------------------------------------------------------------


def exit_codes() -> str:
    """The table of exit codes, from the help of the program."""
    codes = re.findall(r"^  (\d+) +(.+)$", program.notes, re.MULTILINE)
    return "\n".join(
        ["| exit code | meaning |", "|---|---|", *(f"| {n} | {t} |" for n, t in codes)]
    )


def commands() -> str:
    """Each command with its arguments, options and examples; what several share stands once."""
    found = list(_leaves(program, click.Context(program, info_name=NAME)))
    groups = Counter(
        (heading, tuple(rows)) for context in found for heading, rows in _options(context).items()
    )
    often = [each for each, count in groups.items() if count > 1 and each[0][0] != "options"]
    # Lists have `--json` among the columns, and all else of the output as other commands.
    shared = [each for each in often if not any(_is_part(each, other) for other in often)]
    lines = [line for context in found for line in _command(context, shared)]
    for (title, about), rows in shared:
        lines += [f"### Options: {title}\n", *_table((about,), "option", rows)]
    return "\n".join(lines)


def _is_part(group: Group, other: Group) -> bool:
    return group[0] == other[0] and set(group[1]) < set(other[1])


def _leaves(command: click.Group, context: click.Context) -> Iterator[click.Context]:
    for name in command.list_commands(context):
        each = command.get_command(context, name)
        assert each is not None
        below = click.Context(each, info_name=name, parent=context, **each.context_settings)
        if isinstance(each, click.Group):
            yield from _leaves(each, below)
        else:
            yield below


def _options(context: click.Context) -> dict[Heading, list[Row]]:
    headings: dict[Heading, list[Row]] = {("options", ""): []}  # these come first
    for each in context.command.params:
        if isinstance(each, Option):
            row = (each.shape, each.help or "")
            headings.setdefault((each.title, each.about), []).append(row)
    return headings


def _command(context: click.Context, shared: list[Group]) -> list[str]:
    name = context.command_path.removeprefix(f"{NAME} ")
    lines = [f"### `{name}`\n", _prose(context.command.help or ""), f"\n`{usage(context)}`\n"]
    arguments = [each for each in context.command.params if isinstance(each, Argument)]
    lines += _table((), "argument", [(each.shape, each.help or "") for each in arguments])
    links = []
    for heading, rows in _options(context).items():
        title, about = heading
        group = (heading, tuple(rows))
        if group in shared or any(_is_part(group, each) for each in shared):
            links.append(f"[{title}](#options-{title.replace(' ', '-')})")
        elif name == "serve" and title != "output":
            continue
        else:
            named = "" if title == "options" else f"**{title[0].upper()}{title[1:]}.** "
            lines += _table((named + about,), "option", rows)
    if name == "serve":
        lines.append("Options: see [settings of the server](#settings-of-the-server).\n")
    if links:
        lines.append(f"And the options for: {', '.join(links)}.\n")
    examples = getattr(context.command, "examples", ())
    if examples:
        lines += ["```console", *(f"{NAME} {line}" for line in examples), "```\n"]
    return lines


def _table(before: Iterable[str], head: str, rows: Iterable[Row]) -> list[str]:
    cells = [f"| `{shape}` | {_prose(text)} |" for shape, text in rows]
    if not cells:
        return []
    above = [f"{_prose(each)}\n" for each in before if each]
    return [*above, f"| {head} | what it says |", "|---|---|", *cells, ""]


def _prose(text: str) -> str:
    """A text of a help, which is no Markdown: without what Markdown would take for its own."""
    plain = re.sub(r"[<|]|(?<![*])[*](?![*])", lambda found: f"\\{found[0]}", text)
    return " ".join(plain.split())


# --- executors ----------------------------------------------------------------------------------


def executors(rows: Iterable[ExecutorRow] = EXECUTORS) -> str:
    """The table of executors: what each is and needs, and which fields it does not follow."""
    lines = ["| executor | what it is | needs | ignores |", "|---|---|---|---|"]
    for row in rows:
        name = ", ".join(f"`{each}`" for each in (row.name, *row.also))
        ignored = [f"`{field}`" for field, use in row.fields.items() if use is FieldUse.IGNORES]
        ignored += [f"refuses `{n}`" for n, use in row.fields.items() if use is FieldUse.REFUSES]
        lines.append(f"| {name} | {row.help} | {row.needs} | {', '.join(ignored) or 'nothing'} |")
    return "\n".join(lines)


# --- faults -------------------------------------------------------------------------------------


def faults() -> str:
    """The table of the kinds of faults: what the client sees, and the fields of each."""
    head = "| kind | what the client sees | is the call executed? | fields |"
    lines = [head, "|---|---|---|---|"]
    for name, kind in KINDS.items():
        fields = ", ".join(f"`{each}`" for each in kind.fields)
        lines.append(f"| `{name}` | {kind.sentence} | {kind.executed} | {fields} |")
    return "\n".join(lines)


# --- settings -----------------------------------------------------------------------------------


def settings() -> str:
    """The settings of a server: keyword, option, unit, default, and what each says."""
    return "\n".join(_setting_rows())


def _setting_rows() -> Iterator[str]:
    for title, groups in groupby(_SETTINGS, key=itemgetter(0)):
        yield f"\n### {title[0].upper()}{title[1:]}\n"
        yield "| keyword | option | unit | default | what it says |"
        yield "|---|---|---|---|---|"
        rows = ((owner, *each) for _, owner in groups for each in own_settings(owner))
        for owner, field, each in rows:
            yield (
                f"| {_keyword(owner, field)} | {_option(each)} | {each.kind.unit} "
                f"| {_default(each)} | {_text(each)} |"
            )


def _keyword(owner: type, field: "attrs.Attribute[Any]") -> str:
    if owner is ServeSettings:
        return ""
    is_flat = issubclass(ServerSettings, owner)
    return f"`{field.name}`" if is_flat else f"`{owner.__name__}({field.name})`"


def _option(each: Setting) -> str:
    if each.option is None:
        return ""
    return f"`{each.option}`" if each.kind.is_flag else f"`{each.option} {each.kind.metavar}`"


def _default(each: Setting) -> str:
    text = each.default_text() or (str(each.default) if each.kind.is_flag else "")
    if each.variable is not None:
        return text.replace(each.variable, f"`{each.variable}`")
    return f"`{text}`" if text and not each.otherwise else text


def _text(each: Setting) -> str:
    more = f". {each.more}" if each.more else ""
    return (f"{each.help}{more}" if more else each.help).replace("|", "\\|")
