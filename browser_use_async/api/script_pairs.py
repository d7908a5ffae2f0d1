"""The metadata pairs that name a script and its inputs; all servers accept them. No I/O."""

import json
import re
from collections.abc import Mapping

import attrs

SCRIPT_KEY = "bu_async.script"
INPUTS_KEY = "bu_async.inputs"
MAX_VALUE = 1000
"""The most characters of a metadata value."""

SCRIPT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
INPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)


_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]{0,63})\}", re.ASCII)


def placeholders_in(text: str) -> list[str]:
    """The names in braces in a text, each once, in their order."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


def fill_text(text: str, values: Mapping[str, str]) -> str:
    """A text with values in place of the names in braces; other names are unchanged."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


class ScriptPairsError(ValueError):
    """Pairs that name no script. The text is a sentence without its end."""


@attrs.frozen
class ScriptPairs:
    """The script that a task names, and the values of its inputs."""

    name: str
    inputs: Mapping[str, str] = attrs.field(factory=dict)

    def as_metadata(self) -> dict[str, str]:
        """The metadata pairs.

        Raises:
            ScriptPairsError: A name is invalid, or the inputs are too long.
        """
        if SCRIPT_NAME.fullmatch(self.name) is None:
            raise ScriptPairsError(
                f"{self.name!r} is no name of a script: it has up to 64 letters, digits, dots, "
                "hyphens and underscores, and begins with a letter or a digit"
            )
        wrong = next((each for each in self.inputs if INPUT_NAME.fullmatch(each) is None), None)
        if wrong is not None:
            raise ScriptPairsError(
                f"{wrong!r} is no name of an input: it has up to 64 letters, digits, dots, hyphens "
                "and underscores, and begins with a letter or an underscore"
            )
        pairs = {SCRIPT_KEY: self.name}
        if self.inputs:
            pairs[INPUTS_KEY] = json.dumps(
                dict(self.inputs), ensure_ascii=False, separators=(",", ":")
            )
        if len(pairs.get(INPUTS_KEY, "")) > MAX_VALUE:
            raise ScriptPairsError(
                f"the inputs of a script may have {MAX_VALUE:,} characters together, as JSON"
            )
        return pairs

    @classmethod
    def of(cls, metadata: Mapping[str, str] | None) -> "ScriptPairs | None":
        """The script that metadata names, or None.

        Raises:
            ScriptPairsError: The pairs are invalid.
        """
        name = (metadata or {}).get(SCRIPT_KEY)
        if name is None:
            return None
        try:
            inputs = json.loads((metadata or {}).get(INPUTS_KEY, "{}"))
        except ValueError:
            inputs = None
        if not isinstance(inputs, dict) or not all(
            isinstance(each, str) for each in inputs.values()
        ):
            raise ScriptPairsError(f"{INPUTS_KEY} must be a JSON object of texts")
        pairs = cls(name, inputs)
        pairs.as_metadata()
        return pairs


def pairs_of(name: object, inputs: object, task: object) -> tuple[dict[str, str], str | None]:
    """The metadata pairs of the keywords `script` and `inputs`, and the text with the inputs.

    The text is None if the task is no text, which is refused elsewhere.

    Raises:
        ScriptPairsError: The script's name is invalid, or the text names a missing input.
    """
    if name is None:
        raise ScriptPairsError("inputs are those of a script; pass script= too")
    values = _texts(inputs)
    pairs = ScriptPairs(_text(name, "script"), values).as_metadata()
    if not isinstance(task, str):
        return pairs, None
    missing = [each for each in placeholders_in(task) if each not in values]
    if missing:
        raise ScriptPairsError(f"the text names {{{missing[0]}}}, which no input is called")
    return pairs, fill_text(task, values)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ScriptPairsError(f"{what} must be a string, not {type(value).__name__}")
    return value


def _texts(inputs: object) -> dict[str, str]:
    if inputs is None:
        return {}
    if not isinstance(inputs, Mapping):
        raise ScriptPairsError("inputs must be a mapping of strings to strings")
    return {_text(key, "an input's name"): _text(each, "an input") for key, each in inputs.items()}
