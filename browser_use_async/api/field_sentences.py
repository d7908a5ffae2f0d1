"""What the docstrings of models say about their fields. No I/O."""

import inspect
import re
from typing import Any

from browser_use_async import types

_FIELD = re.compile(r" {4}(\w+): (.*)")
# Changes have the fields of what was created.
_SAME_FIELDS: dict[type[Any], type[Any]] = {
    types.UpdateScheduledTaskRequest: types.CreateScheduledTaskRequest,
    types.UpdateBrowserProfileRequest: types.CreateBrowserProfileRequest,
}


def field_sentences(model: type[Any]) -> dict[str, str]:
    """The sentence for each field that has one, those of base classes included."""
    found = dict(field_sentences(_SAME_FIELDS[model])) if model in _SAME_FIELDS else {}
    for each in reversed(model.__mro__):
        found |= _attributes(inspect.cleandoc(each.__dict__.get("__doc__") or ""))
    return found


def _attributes(docstring: str) -> dict[str, str]:
    """The section `Attributes`, in which longer sentences go on in indented lines."""
    _, _, section = docstring.partition("\nAttributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if not line.startswith("    "):
            break
        if (begun := _FIELD.fullmatch(line)) is not None:
            name, found[begun[1]] = begun[1], begun[2]
        elif name:
            found[name] += f" {line.strip()}"
    return found
