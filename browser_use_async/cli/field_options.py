"""Fields of a request as options of the command line."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.cli.options import due, pair, secret
from browser_use_async.types import FieldKind, FieldRule, rule_of

__all__ = ["FieldOption", "FieldOptions", "OptionGroup"]


class OptionGroup(Protocol):
    """What options are added to: a parser, or a group of one."""

    def add_argument(self, *names: str, **shape: Any) -> argparse.Action:
        """Add one option."""
        ...


@attrs.frozen
class FieldOption:
    """How one field of a request is written on the command line."""

    field: str  # the field, as the API spells it
    flag: str
    help: str  # what it does
    metavar: str | None = None  # what stands for its value in the help


class FieldOptions:
    """Some fields of one request. What is not given on the command line is not sent."""

    def __init__(self, request: type[Any], options: Sequence[FieldOption]) -> None:
        fields = {field.name: field for field in attrs.fields(request)}
        self._rules = {option: rule_of(fields[option.field]) for option in options}

    def add_to(self, group: OptionGroup) -> None:
        """Add an option for each field."""
        for option, rule in self._rules.items():
            group.add_argument(
                option.flag, dest=option.field, help=option.help, **_shape(option, rule)
            )

    def given(self, options: argparse.Namespace) -> dict[str, Any]:
        """The fields that were given on the command line."""
        given: dict[str, Any] = {}
        for option, rule in self._rules.items():
            value = getattr(options, option.field)
            if value is not None:
                given[option.field] = dict(value) if rule.kind is FieldKind.TEXT_MAP else value
        return given


def _shape(option: FieldOption, rule: FieldRule) -> dict[str, Any]:
    """How argparse reads an option, which follows from the kind of its field."""
    match rule.kind:
        case FieldKind.BOOLEAN:
            return {"action": argparse.BooleanOptionalAction}
        case FieldKind.INTEGER:
            return {"type": int, "metavar": option.metavar}
        case FieldKind.TEXT_LIST:
            return {"action": "append", "metavar": option.metavar}
        case FieldKind.TEXT_MAP:
            kind = secret if option.field == "secrets" else pair
            return {"action": "append", "type": kind, "metavar": option.metavar}
        case FieldKind.JSON_SCHEMA:
            return {"type": _schema, "metavar": option.metavar}
        case FieldKind.DATETIME:
            return {"type": due, "metavar": option.metavar}
        case _:
            return {"metavar": option.metavar}


def _schema(text: str) -> str:
    """A JSON schema, from a file unless the text is an object itself."""
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise argparse.ArgumentTypeError(f"{text!r} cannot be read: {reason}") from None
    try:
        schema = read_json(text.encode())
    except JsonRefusedError as error:
        raise argparse.ArgumentTypeError(f"that is no JSON: {error}") from None
    if not isinstance(schema, dict):
        raise argparse.ArgumentTypeError("a JSON schema is an object, { … }")
    return json.dumps(schema)
