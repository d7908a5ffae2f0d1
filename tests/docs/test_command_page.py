"""The page of the command line is complete; `make docs` makes it."""

import re

import click
import pytest

from browser_use_async.cli.app import program
from browser_use_async.cli.command import NAME
from browser_use_async.cli.exit import ExitCode
from scripts.command_tables import commands, exit_codes

TEXT = commands()
_SECTIONS = dict(re.findall(r"^### (.+)\n((?:(?!^### ).*\n?)*)", TEXT, re.MULTILINE))


def _leaves(group: click.Group, context: click.Context) -> list[click.Context]:
    found: list[click.Context] = []
    for name in group.list_commands(context):
        each = group.get_command(context, name)
        assert each is not None
        below = click.Context(each, info_name=name, parent=context, **each.context_settings)
        found += _leaves(each, below) if isinstance(each, click.Group) else [below]
    return found


COMMANDS = _leaves(program, click.Context(program, info_name=NAME))


@pytest.mark.parametrize("context", COMMANDS, ids=lambda each: each.command_path)
def test_a_command_stands_with_all_of_its_help(context):
    """Each option and example of `--help` is in its section, or in a linked one."""
    name = context.command_path.removeprefix(f"{NAME} ")
    section = _SECTIONS[f"`{name}`"]
    titles = re.findall(r"\[([\w -]+)\]\(#options-", section)
    shown = section + "".join(_SECTIONS[f"Options: {title}"] for title in titles)
    help_text = context.command.get_help(context)
    flags = set(re.findall(r"(?<![\w'/-])--[a-z][\w-]+", help_text.partition("examples:")[0]))

    assert f"`{context.command_path} [options]" in section
    if name == "serve":  # its options are the settings of the server
        assert "](#settings-of-the-server)" in section
    else:
        assert {each for each in flags - {"--help"} if each not in shown} == set()
    assert all(f"\n{line.strip()}\n" in section for line in re.findall(rf"^  {NAME} .*", help_text))


def test_every_exit_code_has_its_meaning():
    """Those of the program, and the one of Ctrl-C, which a signal causes."""
    rows = re.findall(r"^\| (\d+) \| .+ \|$", exit_codes(), re.MULTILINE)

    assert sorted(map(int, rows)) == sorted({*map(int, ExitCode), 130})
