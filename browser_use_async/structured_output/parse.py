"""Parses the output of a task into the caller's type."""

import re
from collections.abc import Iterator
from typing import Any

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.structured_output.schema import adapter_of

MAX_PROBLEMS = 5  # named in one message
_LONGEST = 300  # characters of each: the place in a deep answer may be long

# Models often wrap JSON in a Markdown fence, or write sentences around it. White space at the end
# is left to `strip`: a model may write a lot of it, and a pattern would take quadratic time.
_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_LONGEST_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\r?\n(.*)```", re.DOTALL)


class OutputMismatchError(ValueError):
    """The output does not fit the type; the text says where."""


def parse_output(text: str | None, kind: Any) -> Any:
    """Parse the output of a task; raises `OutputMismatchError` if it does not fit."""
    if text is None:
        raise OutputMismatchError("the task finished without an output")
    adapter = adapter_of(kind)
    value, problem = _json_in(text)
    for each in (value, value if isinstance(value, str) else text):
        try:
            parsed = adapter.read(each)
        except Exception as error:  # noqa: BLE001 - a class's own checks raise what they like
            problems = [each[-_LONGEST:] for each in adapter.explain(error)[:MAX_PROBLEMS]]
            problem = problem or "; ".join(problems)
        else:
            # Prose is a valid answer for a text, but "NaN" is none for a number.
            if not problem or isinstance(parsed, str):
                return parsed
    raise OutputMismatchError(problem)


def _json_in(text: str) -> tuple[Any, str]:
    """The JSON in a text and "", or the text itself and why it is no JSON."""
    problem = ""
    # The first candidate that is JSON decides, so that an error is about what the model meant.
    for candidate in _candidates(text):
        # Strict JSON: if a key is repeated, neither value is better.
        try:
            return read_json(candidate.strip().encode()), ""
        except (JsonRefusedError, UnicodeEncodeError) as error:
            problem = problem or f"the output is not JSON: {error}"
    return text, problem


def _candidates(text: str) -> Iterator[str]:
    yield text
    for fenced in _FENCE.finditer(text):
        yield fenced[1]
    longest = _LONGEST_FENCE.search(text)  # the JSON itself may contain a fence
    if longest is not None:
        yield longest[1]
