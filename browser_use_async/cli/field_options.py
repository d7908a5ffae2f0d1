"""Fields of a request as options of the command line; those of run-task are listed here."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.task_fields import domain_problem, schema_problem
from browser_use_async.cli.options import due, pair, secret, whole
from browser_use_async.errors import ConfigurationError
from browser_use_async.types import FieldKind, FieldRule, RunTaskFields, RunTaskRequest, rule_of


class OptionGroup(Protocol):
    """An `argparse` parser, or a group of one."""

    def add_argument(self, *names: str, **shape: Any) -> argparse.Action:
        """Add one option."""
        ...


@attrs.frozen
class FieldOption:
    """The command-line option for one field of a request."""

    field: str  # the field, as the API spells it
    flag: str
    help: str  # what it does
    metavar: str | None = None  # what stands for its value in the help
    other_flags: tuple[str, ...] = ()  # that mean the same


class FieldOptions:
    """The options for some fields of one request; a field that is not given is not sent."""

    def __init__(self, request: type[Any], options: Sequence[FieldOption]) -> None:
        fields = {field.name: field for field in attrs.fields(request)}
        self._rules = {option: rule_of(fields[option.field]) for option in options}

    def add_to(self, group: OptionGroup) -> None:
        """Add an option for each field."""
        for option, rule in self._rules.items():
            group.add_argument(
                option.flag,
                *option.other_flags,
                dest=option.field,
                help=option.help,
                **_shape(option, rule),
            )

    def given(self, options: argparse.Namespace) -> dict[str, Any]:
        """The fields that were given on the command line."""
        given: dict[str, Any] = {}
        for option, rule in self._rules.items():
            value = getattr(options, option.field)
            if value is not None:
                is_map = rule.kind is FieldKind.TEXT_MAP
                given[option.field] = _pairs(option.flag, value) if is_map else value
        return given


def _pairs(flag: str, pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Pairs by name.

    Raises:
        ConfigurationError: A name is given twice, of which one would be lost.
    """
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{flag}: {name!r} is given twice")
    return dict(pairs)


def _shape(option: FieldOption, rule: FieldRule) -> dict[str, Any]:
    """The arguments of `add_argument` for an option, by the kind of its field."""
    # No option has a default: None is how `given` recognises a field to leave out of the request.
    match rule.kind:
        case FieldKind.BOOLEAN:
            return {"action": argparse.BooleanOptionalAction}
        case FieldKind.INTEGER:
            return {"type": whole(rule.minimum, rule.maximum), "metavar": option.metavar}
        case FieldKind.TEXT_LIST:
            # Other lists are names, which the service checks.
            check = _domain if option.field == "allowed_domains" else str
            return {"action": "append", "type": check, "metavar": option.metavar}
        case FieldKind.TEXT_MAP:
            # Values of secrets must not stand in the process list or in a shell's history.
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
    if problem := schema_problem(schema):
        raise argparse.ArgumentTypeError(f"that is no JSON schema: {problem}")
    return json.dumps(schema)


def _domain(text: str) -> str:
    """A domain that a task may visit."""
    if not text.strip():
        raise argparse.ArgumentTypeError(
            "an empty text is no domain; leave the option out for no restriction, or name a domain "
            "that may be visited"
        )
    if problem := domain_problem(text):
        raise argparse.ArgumentTypeError(problem)
    return text


TASK_OPTIONS = (
    FieldOption(
        "structured_output_json",
        "--schema",
        "a JSON schema that the output shall follow: a file, or the JSON itself",
        "FILE|JSON",
    ),
    FieldOption("llm_model", "--llm-model", "the language model", "MODEL"),
    FieldOption("max_agent_steps", "--max-agent-steps", "steps at most, 1 to 200", "N"),
    FieldOption(
        "allowed_domains",
        "--allowed-domain",
        "a domain that may be visited, *.example.com for its subdomains; repeatable",
        "DOMAIN",
    ),
    FieldOption("metadata", "--metadata", "a pair of your own; repeatable, up to 10", "NAME=VALUE"),
    FieldOption(
        "secrets",
        "--secret",
        "a value that the agent may type but never sees, from an environment variable or "
        "a file; repeatable",
        "NAME=VARIABLE|NAME=@FILE",
    ),
    FieldOption(
        "included_file_names",
        "--included-file",
        "the name of an uploaded file that the agent may read; repeatable",
        "NAME",
    ),
    FieldOption("browser_profile_id", "--browser-profile", "the browser profile", "ID"),
    FieldOption("save_browser_data", "--save-browser-data", "keep cookies and other browser data"),
    FieldOption("use_adblock", "--ad-blocker", "block advertisements", other_flags=("--adblock",)),
    FieldOption("use_proxy", "--proxy", "use a mobile proxy; captchas need it"),
    FieldOption("proxy_country_code", "--proxy-country", "the country of the proxy", "CODE"),
    FieldOption("highlight_elements", "--highlight-elements", "highlight elements on the page"),
    FieldOption("browser_viewport_width", "--viewport-width", "width of the page", "PIXELS"),
    FieldOption("browser_viewport_height", "--viewport-height", "height of the page", "PIXELS"),
    FieldOption("enable_public_share", "--public-share", "make a link that needs no key"),
)

_FIELDS = FieldOptions(RunTaskRequest, TASK_OPTIONS)


def add_task_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each optional field of run-task."""
    group = parser.add_argument_group(
        "task", "Fields of the API. What is not given is not sent; the service's default holds."
    )
    _FIELDS.add_to(group)


def task_fields(options: argparse.Namespace) -> RunTaskFields:
    """The fields that were given on the command line."""
    return cast("RunTaskFields", _FIELDS.given(options))
