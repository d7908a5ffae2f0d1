"""Text forms of fault rules: JSON for files and the admin route, words for the command line."""

import os
import shlex
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.faults import checks
from browser_use_async.server.faults.fault import Fault
from browser_use_async.server.setting_kinds import COUNT, Kind

# In the order of the class: kind and operations first, which stand without `NAME=` in a line.
_NAMES = tuple(field.name for field in attrs.fields(Fault))


def fault_as_json(fault: Fault) -> dict[str, Any]:
    """Return a rule as a JSON object of the fields that differ from the defaults."""
    return attrs.asdict(fault, recurse=False, filter=lambda field, value: value != field.default)


def faults_from_json(value: Any) -> list[Fault]:
    """The rules in a JSON value of the form `{"faults": [{"kind": "reset"}]}`.

    Raises:
        ConfigurationError: Some of it is no rule. The text begins with the field's path, such as
            `faults[0].calls`.
    """
    if not isinstance(value, dict) or value.keys() != {"faults"}:
        raise ConfigurationError('faults: the JSON must be {"faults": [...]}')
    rules = value["faults"]
    if not isinstance(rules, list):
        raise ConfigurationError(f"faults: {rules!r} is no list")
    return [_from_object(f"faults[{index}]", each) for index, each in enumerate(rules)]


def faults_from_file(path: str | os.PathLike[str]) -> list[Fault]:
    """The rules in a JSON file; see `faults_from_json`.

    Raises:
        ConfigurationError: The file cannot be read, or some of it is no rule.
    """
    try:
        value = read_json(Path(path).read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except JsonRefusedError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    return faults_from_json(value)


def fault_from_text(text: str) -> Fault:
    """The rule in a line such as `status run_task status=429 headers=Retry-After:2 calls=1,3`.

    The kind comes first, then the operations if it is not for all, then fields. Words are
    separated and quoted as in a shell; `headers` may come several times.

    Raises:
        ConfigurationError: It is no rule. The text begins with the field's name.
    """
    try:
        kind, *words = shlex.split(text)
    except ValueError:
        raise ConfigurationError(f"kind: {text!r} begins with none, or a quote is open") from None
    fields: dict[str, Any] = {}
    if words and "=" not in words[0]:
        fields["operations"] = words.pop(0).split(",")
    for word in words:
        _add_word(fields, word)
    return Fault(kind, **fields)


def _from_object(path: str, value: Any) -> Fault:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{path}: {value!r} is no object")
    unknown = [name for name in value if name not in _NAMES]
    if unknown:
        raise ConfigurationError(f"{path}.{unknown[0]}: {checks.unknown_field(unknown[0], _NAMES)}")
    if "kind" not in value:
        raise ConfigurationError(f"{path}.kind: a fault needs it")
    try:
        return Fault(**value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}.{error}") from None


def _add_word(fields: dict[str, Any], word: str) -> None:
    name, equals, value = word.partition("=")
    if not equals:
        raise ConfigurationError(f"{word}: write NAME=VALUE; names are {', '.join(_NAMES[2:])}")
    if name not in _NAMES[2:]:
        raise ConfigurationError(f"{name}: {checks.unknown_field(name, _NAMES[2:])}")
    # The only field that may come several times, once for each header.
    if name == "headers":
        header, _, content = value.partition(":")
        fields.setdefault("headers", {})[header.strip()] = content.strip()
    elif name in fields:
        raise ConfigurationError(f"{name}: given twice")
    else:
        fields[name] = _read_field(name, value)


def _read_field(name: str, text: str) -> Any:
    try:
        if name == "calls":
            return [COUNT.parse(part) for part in text.split(",")]
        return getattr(attrs.fields(Fault), name).metadata[Kind].parse(text)
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from None
