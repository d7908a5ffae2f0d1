"""The text of a script: a line for each step, as in tasks, and below it what its page must be like.

script office
inputs: company

open https://registry.example/
fill "Company name" with {company}
    role: textbox
    label: Company name
    page: https://registry.example/

The answer is read by the names that pages have for its fields, such as `answer: step 4, end`.
"""

import json
import re
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import attrs

from browser_use_async.api.json import read_json
from browser_use_async.api.script_pairs import INPUT_NAME, SCRIPT_NAME
from browser_use_async.server.executors.answers.spelling import DATES, NUMBERS, Spelling
from browser_use_async.server.executors.instructions import actions
from browser_use_async.server.executors.instructions.clauses import MaskedText
from browser_use_async.server.executors.instructions.patterns import (
    Given,
    action_of,
    line_of,
    not_understood,
    quoted,
)
from browser_use_async.server.executors.protocol import CannotContinueError
from browser_use_async.server.executors.scripts.addresses import origin_of
from browser_use_async.server.executors.scripts.script import (
    END,
    MOST_STEPS,
    Description,
    Effect,
    Script,
    ScriptStep,
    can_sign_in,
    placeholders,
    step_name,
)

MOST_CHARACTERS = 100_000
_INDENT = "    "
_PLAIN = re.compile(r'[^\s"\[][^\n\r]*[^\s]|[^\s"\[]')
_HEAD = re.compile("(inputs|secrets|answer|tells|numbers|dates|needs the model|same as):(.*)")
_INPUTS = re.compile("^inputs:(.*)$", re.MULTILINE)
_ECHO = re.compile(r"(?P<field>.*?) ?(?P<text>\S*\{.*)")
# Fields by the words of their lines
_OF_ELEMENT = {each.name.replace("_", " "): each.name for each in attrs.fields(Description)}
_OF_STEP = {
    each.name.replace("_", " "): each
    for each in attrs.fields(ScriptStep)
    if each.name not in {"action", "element", "answers"}
}
_ABOUT_STEP = (*_OF_ELEMENT, "value", *_OF_STEP)


class ScriptRefusedError(Exception):
    """A text that is no script. Its text says which line is wrong, and why."""


# --- writing -------------------------------------------------------------------------------------


def write(script: Script) -> str:
    """The text of a script."""
    lines, known = [f"script {script.name}"], script.spelling
    for title, said in (
        ("inputs", ", ".join(script.inputs)),
        ("secrets", ", ".join(script.secrets)),
        ("answer", ", ".join(script.shown)),
        ("tells", ", ".join(script.tells)),
        ("numbers", "" if known.numbers == tuple(NUMBERS) else " or ".join(known.numbers)),
        ("dates", "" if known.dates == DATES else " or ".join(known.dates)),
        ("needs the model", ", ".join(script.unplaced)),
        *(("same as", f"{field} {text}".strip()) for field, text in script.echoes.items()),
    ):
        if said:
            lines.append(f"{title}: {said}")
    lines.append("")
    for step in script.steps:
        lines += _step_lines(step)
    return "\n".join(lines) + "\n"


def _step_lines(step: ScriptStep) -> Iterator[str]:
    yield line_of(step.action)
    if isinstance(step.action, actions.Fill) and quoted(step.action.value) is None:
        yield _about("value", step.action.value)
    for words, name in _OF_ELEMENT.items():
        if value := getattr(step.element, name, None):
            yield _about(words, list(value) if isinstance(value, tuple) else value)
    for words, field in _OF_STEP.items():
        value = getattr(step, field.name)
        if value != field.default:
            for each in value if isinstance(value, tuple) else (value,):
                yield _about(words, "yes" if each is True else each)


def _about(name: str, value: str | list[str]) -> str:
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value) is not None
    return f"{_INDENT}{name}: {value if is_plain else json.dumps(value, ensure_ascii=False)}"


# --- reading -------------------------------------------------------------------------------------


class _AnyName(tuple[str, ...]):
    """The files of a future task, of which any may exist."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return True


@attrs.define
class _Block:
    """A line, and the lines below it that are indented."""

    number: int
    line: str
    about: list[tuple[int, str, str]] = attrs.field(factory=list)

    def values(self, name: str) -> list[str]:
        """The values of all lines with a name."""
        return [value for _, each, value in self.about if each == name]


def parse(text: str) -> Script:
    """Read a script.

    Raises:
        ScriptRefusedError: The text is no script.
    """
    if len(text) > MOST_CHARACTERS:
        raise ScriptRefusedError(f"a script may have {MOST_CHARACTERS:,} characters")
    blocks = [*_blocks(text)]
    if not blocks or not blocks[0].line.startswith("script "):
        raise ScriptRefusedError("line 1: a script begins with its name, such as: script office")
    name, names, blocks = _head(blocks)
    inputs, secrets = names.get("inputs", []), names.get("secrets", [])
    given, steps = Given(secrets, _AnyName(), inputs), list[ScriptStep]()
    for block in blocks:
        with _at(block.number):
            steps.append(_step(block, given))
            _check_binding(steps[-1], steps[-2] if len(steps) > 1 else None)
    echoes = (match for each in names.get("same as", ()) if (match := _ECHO.fullmatch(each)))
    spelling = Spelling(tuple(names.get("numbers", NUMBERS)), tuple(names.get("dates", DATES)))
    script = Script(
        name=name,
        steps=tuple(steps),
        inputs=tuple(inputs),
        secrets=tuple(secrets),
        shown=tuple(names.get("answer", ())),
        spelling=spelling,
        tells=tuple(names.get("tells", ())),
        echoes={match["field"]: match["text"] for match in echoes},
        unplaced=tuple(names.get("needs the model", ())),
    )
    _check(script)
    return script


def inputs_in(text: str) -> list[str]:
    """The names of the inputs of a script, of whose text only the beginning may be there."""
    return [name.strip() for line in _INPUTS.findall(text) for name in line.split(",")]


@contextmanager
def _at(number: int) -> Generator[None]:
    """Name the line in what is refused."""
    try:
        yield
    except (CannotContinueError, ScriptRefusedError, ValueError) as error:
        said = str(error)  # names its line already if it is one below a step
        raise ScriptRefusedError(
            said if said.startswith("line ") else f"line {number}: {said}"
        ) from None


def _blocks(text: str) -> Iterator[_Block]:
    block: _Block | None = None
    for number, written in enumerate(text.splitlines(), 1):
        line = written.strip()
        if not line or line.startswith("#"):
            continue
        if not written[0].isspace():
            if block is not None:
                yield block
            block = _Block(number, line)
            continue
        with _at(number):
            name, colon, value = line.partition(":")
            if block is None or not colon or block.line.startswith("script "):
                raise ScriptRefusedError(
                    "an indented line says something of the step above: name: value"
                )
            if name not in _ABOUT_STEP:
                near = _nearest(name, _ABOUT_STEP)
                raise ScriptRefusedError(f"nothing is called “{name}” here.{near}")
            block.about.append((number, name, _value(value.strip())))
    if block is not None:
        yield block


def _value(text: str) -> str:
    """A value, in quotation marks or without; a list stays unchanged."""
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        return text


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name[:30], known, 1)
    return f" The nearest is: {near[0]}." if near else f" Known are: {', '.join(known)}."


def _head(blocks: list[_Block]) -> tuple[str, dict[str, list[str]], list[_Block]]:
    """The name of a script, the lists of names below it, and the other blocks."""
    first, *rest = blocks
    script, names = first.line.removeprefix("script ").strip(), dict[str, list[str]]()
    with _at(first.number):
        if SCRIPT_NAME.fullmatch(script) is None:
            raise ScriptRefusedError(
                "a name has up to 64 letters, digits, dots, hyphens and underscores"
            )
    while rest and (match := _HEAD.fullmatch(rest[0].line)) is not None:
        title, said = match[1], match[2].strip()
        with _at(rest[0].number):
            names.setdefault(title, []).extend(_listed(title, said))
        del rest[0]
    return script, names, rest


_KNOWN = {"numbers": tuple(NUMBERS), "dates": DATES, "tells": tuple(actions.Part)}


def _listed(title: str, said: str) -> list[str]:
    if title == "same as":
        return [said]
    given = [each.strip() for each in said.split(" or " if title in {"numbers", "dates"} else ",")]
    for each in given:
        if title == "inputs" and INPUT_NAME.fullmatch(each) is None:
            raise ScriptRefusedError(f"“{each}” is no name of an input")
        known: Collection[str] = _KNOWN.get(title, (each,))
        if each not in known:
            near = _nearest(each, known)
            raise ScriptRefusedError(f"{title}: “{each}” is none of the known words.{near}")
    return given


def _step(block: _Block, given: Given) -> ScriptStep:
    action = _action(block, given)
    element, said = dict[str, Any](), dict[str, Any]()
    for number, words, value in block.about:
        with _at(number):
            if words in {"page", "frame"} and not (origin_of(value) or value.startswith("{")):
                raise ScriptRefusedError(
                    f"{words}: is an address with its host, such as https://shop.example/login"
                )
            if words in _OF_ELEMENT:
                element[_OF_ELEMENT[words]] = _options(value) if words == "options" else value
            elif words in _OF_STEP:
                name = _OF_STEP[words].name
                said[name] = _field_of_step(words, value, said.get(name, ()))
    is_password = element.get("type") == "password"
    if is_password and isinstance(action, actions.Fill) and not action.secret:
        raise ScriptRefusedError(
            "a password stands here by its value; name a secret of the task instead: with the "
            "secret NAME"
        )
    return ScriptStep(action, element=Description(**element) if element else None, **said)


def _check_binding(step: ScriptStep, before: ScriptStep | None) -> None:
    """Refuse what could be typed, sent or changed on another site than the one it is meant for."""
    types_secret = isinstance(step.action, actions.Fill) and bool(step.action.secret)
    frame = "" if step.element is None else step.element.frame
    is_bound = _names_host(step.page) and (not frame or _names_host(frame))
    if not is_bound and (types_secret or step.effect is not Effect.READS):
        raise ScriptRefusedError(
            "a step that types a secret or changes something names the host of its page, and of "
            "its frame, without an input in it: page: https://shop.example/login"
        )
    if step.effect is Effect.SIGNS_IN and not can_sign_in(before, step):
        raise ScriptRefusedError(
            "only the step behind a field of the type password signs in, if its words do not pay, "
            "order or send something; write: effect: changes"
        )


def _names_host(address: str) -> bool:
    """Whether an address has a host that no input chooses."""
    origin = origin_of(address)
    return bool(origin) and not placeholders(origin)


def _field_of_step(words: str, value: str, before: tuple[str, ...]) -> str | bool | tuple[str, ...]:
    default = _OF_STEP[words].default
    if default is False:
        if value != "yes":
            raise ScriptRefusedError(f"{words}: is yes, or is left out")
        return True
    if words == "effect":
        if value not in {*Effect}:
            raise ScriptRefusedError(f"an effect is one of {', '.join(Effect)}")
        return Effect(value)
    return (*before, value) if default == () else value


def _options(value: str) -> tuple[str, ...]:
    options = read_json(value.encode())
    if not isinstance(options, list):
        raise ScriptRefusedError('options are a list, such as: ["red", "blue"]')
    return tuple(map(str, options))


def _action(block: _Block, given: Given) -> actions.Action:
    verb, _, rest = block.line.partition(" ")
    if verb.casefold() == "open" and rest.startswith(("http://", "https://", "{")):
        return actions.OpenAddress(rest)
    text = MaskedText(block.line, ())
    clauses = [*text.clauses()]
    action = action_of(clauses[0].text, text, given) if len(clauses) == 1 else None
    if action is None:
        raise not_understood(block.line, in_browser=True)
    if isinstance(action, actions.Fill) and (values := block.values("value")):
        return attrs.evolve(action, value=values[-1])
    return action


def _check(script: Script) -> None:
    if not script.steps or not isinstance(script.steps[0].action, actions.OpenAddress):
        raise ScriptRefusedError("the first step of a script opens a page: open ADDRESS")
    if len(script.steps) > MOST_STEPS:
        raise ScriptRefusedError(f"a script may have {MOST_STEPS} steps")
    pages = {END, *(step_name(number) for number in range(2, len(script.steps) + 1))}
    if strange := [each for each in script.shown if each not in pages]:
        raise ScriptRefusedError(
            f"answer: “{strange[0]}” is no page of the script; those are end, and step 2 to step "
            f"{len(script.steps)}"
        )
    unknown = sorted(placeholders(script.steps) - {*script.inputs})
    # Words of a page may stand in braces, too; what is typed or opened is meant.
    typed = {name for step in script.steps for name in placeholders(step.action)}
    if missing := [each for each in unknown if each in typed]:
        raise ScriptRefusedError(
            f"“{{{missing[0]}}}” is none of its inputs; name it in the line inputs:"
        )
