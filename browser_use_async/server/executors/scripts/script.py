"""A script: the steps of a task, the required states of pages, and the pages of its answer."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

import attrs

from browser_use_async.server.executors.answers.spelling import Spelling
from browser_use_async.server.executors.instructions.actions import Action, Click, Fill

END = "end"
"""The name of the page on which a run ends."""

MOST_STEPS = 500
MOST_PLAYED = 200  # times that a step which repeats is played in a row
# A button or link of these words changes something, even by GET.
_CHANGING = re.compile(
    r"\b(add to|book|buy|cancel|checkout|confirm|create|delete|order|pay|post|publish|remove"
    r"|reserve|save|send|sign up|submit|subscribe|transfer|unsubscribe|upload)\b",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][\w.-]{0,63})\}", re.ASCII)
_SHORTEST_PART = 3  # characters of a value that is replaced inside of longer texts
ValueT = TypeVar("ValueT")


class Effect(StrEnum):
    """The effect of a step."""

    READS = "reads"
    SIGNS_IN = "signs in"
    CHANGES = "changes"


@attrs.frozen
class Description:
    """The properties that identify an element, and its place on the page."""

    role: str = ""
    name: str = ""
    label: str = ""
    placeholder: str = ""
    test_id: str = ""
    field: str = ""  # its attribute `name`
    id: str = ""
    tag: str = ""
    type: str = ""
    href: str = ""
    heading: str = ""  # the last heading before it
    form: str = ""  # the words of the form or dialog that it stands in
    item: str = ""  # the words of the row or list item that it stands in
    frame: str = ""  # the address of the frame that it stands in; empty for the page itself
    options: tuple[str, ...] = ()  # of a list

    @property
    def words(self) -> str:
        """The words that name it in the line of a step."""
        return self.name or self.label or self.placeholder or self.id or self.tag


@attrs.frozen
class ScriptStep:
    """One step."""

    action: Action
    page: str = ""  # the address of the page on which it is taken; `*` stands for one part of it
    element: Description | None = None
    effect: Effect = Effect.READS
    leads_to: str = ""  # the address of the page afterwards, if it is another
    causes: tuple[str, ...] = ()  # the requests of the page that it waits for
    confirms: tuple[str, ...] = ()  # the questions in message boxes that are answered with OK
    redraws: bool = False  # whether the page shows something else afterwards
    repeats: bool = False  # whether it is taken until there is nothing to take it with
    answers: bool = False  # whether the page at which it ends is part of the answer


@attrs.frozen
class Script:
    """The actions of one task, to be played again with other inputs."""

    name: str
    steps: tuple[ScriptStep, ...]
    inputs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()  # by name, never by value
    shown: tuple[str, ...] = ()  # the pages from which the answer is read by its names
    # How the site writes the values in it
    spelling: Spelling = attrs.field(factory=Spelling)
    # Fields of the answer that repeat an input, by the text with its placeholder
    echoes: Mapping[str, str] = attrs.field(factory=dict)
    unplaced: tuple[str, ...] = ()  # fields of the answer that need the model
    tells: tuple[str, ...] = ()  # the parts of the last page that are an answer in words


def step_name(number: int) -> str:
    """The name of the page before a step, counted from 1."""
    return f"step {number}"


def says_change(action: Action, words: str) -> bool:
    """Whether a step changes something by the words of its element."""
    return isinstance(action, Click) and _CHANGING.search(words) is not None


def can_sign_in(before: ScriptStep | None, step: ScriptStep) -> bool:
    """Whether a step may be the one that signs in.

    It sends the password that the step before has typed, and its words and those of its form do
    not pay, order or send something.
    """
    field, element = None if before is None else before.element, step.element
    return (
        before is not None
        and isinstance(before.action, Fill)
        and bool(before.action.secret)
        and field is not None
        and field.type == "password"
        and element is not None
        and (before.page, field.frame) == (step.page, element.frame)
        and not _CHANGING.search(f"{element.name} / {element.form}")
    )


def map_texts(value: ValueT, change: Callable[[str], str]) -> ValueT:
    """A value with all texts in it changed, also those in tuples, mappings and attrs classes."""
    changed: Any = value
    if isinstance(value, str):
        changed = value if isinstance(value, StrEnum) else change(value)
    elif isinstance(value, tuple):
        changed = tuple(map_texts(each, change) for each in value)
    elif isinstance(value, dict):
        changed = {name: map_texts(each, change) for name, each in value.items()}
    elif attrs.has(type(value)):
        fields = [each.name for each in attrs.fields(type(changed))]
        parts = {name: map_texts(getattr(value, name), change) for name in fields}
        changed = attrs.evolve(changed, **parts)
    return changed  # type: ignore[no-any-return]


def put_inputs(value: ValueT, inputs: Mapping[str, str], *, shortest: int = 3) -> ValueT:
    """A value with placeholders for the inputs that it contains.

    Args:
        value: A text, or what has texts.
        inputs: The inputs of the run, by their names.
        shortest: The characters that an input must have to be replaced where it is a whole text;
            inside of longer texts it is replaced if it has three.
    """
    longest_first = sorted(inputs.items(), key=lambda each: -len(each[1]))

    def change(text: str) -> str:
        for name, said in longest_first:
            if text == said and len(said) >= shortest:
                return f"{{{name}}}"
            if len(said) >= _SHORTEST_PART:
                text = re.sub(rf"(?<!\w){re.escape(said)}(?!\w)", f"{{{name}}}", text)
        return text

    return map_texts(value, change)


def fill_in(value: ValueT, inputs: Mapping[str, str]) -> ValueT:
    """A value with the inputs in place of their placeholders."""
    return map_texts(
        value, lambda text: _PLACEHOLDER.sub(lambda match: inputs.get(match[1], match[0]), text)
    )


def placeholders(value: object) -> set[str]:
    """The names of the placeholders in a value."""
    found = set[str]()

    def note(text: str) -> str:
        found.update(_PLACEHOLDER.findall(text))
        return text

    map_texts(value, note)
    return found
