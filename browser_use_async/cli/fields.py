"""Fields of a request as options of the command line; those of run-task are listed here."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import attrs
import click

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.cli.completers import complete_profiles, complete_words
from browser_use_async.cli.options import (
    Option,
    complete_files,
    due,
    group,
    option,
    pair,
    secret,
    whole,
)
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.task_fields import domain_problem, schema_problem
from browser_use_async.types import (
    FieldKind,
    FieldRule,
    RunTaskFields,
    RunTaskRequest,
    TaskSettings,
    rules_of,
)

NOT_SENT = "Fields of the API. For a field that you leave out the service has a default."
NOT_CHANGED = "Fields of the API. A field that you leave out keeps its value."


@attrs.frozen
class FieldOption:
    """The option for one field of a request."""

    field: str  # the field, as the API spells it
    usage: str  # its flags, and the placeholder of its value in the help
    help: str  # what it does


def field_options(request: type[Any], options: Iterable[FieldOption]) -> list[Option]:
    """An option for each field that the request has, made from the field's rule."""
    rules = rules_of(request)
    return [_option(each, rules[each.field]) for each in options if each.field in rules]


def given_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were given on the command line: the others are not sent."""
    return {name: value for name, value in values.items() if value is not None}


def given_changes(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were given, at least one: a request without effect is likely a mistake."""
    if not (changes := given_fields(values)):
        raise ConfigurationError("nothing to change: name at least one field, as --help lists them")
    return changes


def _option(field: FieldOption, rule: FieldRule) -> Option:
    # No option has a default: `given_fields` leaves fields out that are None.
    shape: dict[str, Any] = {}
    usage = field.usage
    match rule.kind:
        case FieldKind.BOOLEAN:
            usage = " ".join(f"{flag}/--no-{flag[2:]}" for flag in usage.split())
            shape = {"default": None}
        case FieldKind.INTEGER:
            shape = {"type": whole(rule.minimum, rule.maximum)}
        case FieldKind.TEXT_LIST:
            # Other lists are names, which the service checks.
            check = _domain if field.field == "allowed_domains" else str
            shape = {"multiple": True, "type": check, "callback": _as_list}
        case FieldKind.TEXT_MAP:
            # Values of secrets must not be in the process list or in a shell's history.
            kind = secret if field.field == "secrets" else pair
            shape = {"multiple": True, "type": kind, "callback": _as_map}
        case FieldKind.JSON_SCHEMA:
            shape = {"type": _schema, "shell_complete": complete_files}
        case FieldKind.DATETIME:
            shape = {"type": due}
        case _:
            pass
    if rule.enum is not None:
        shape["shell_complete"] = complete_words(map(str, rule.enum))
    elif field.field == "browser_profile_id":
        shape["shell_complete"] = complete_profiles
    return option(usage, field.help, name=field.field, **shape)


def _as_list(
    _context: click.Context, _option: click.Parameter, value: Sequence[str]
) -> list[str] | None:
    return list(value) or None


def _as_map(
    _context: click.Context, _option: click.Parameter, value: Sequence[tuple[str, str]]
) -> dict[str, str] | None:
    """Pairs by name; each name may be given once, since one of two would be lost."""
    names = [name for name, _ in value]
    for name in names:
        if names.count(name) > 1:
            raise click.BadParameter(f"{name!r} is given twice")
    return dict(value) or None


def _schema(text: str) -> str:
    """A JSON schema, from a file unless the text is an object itself."""
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise click.BadParameter(f"{text!r} cannot be read: {reason}") from None
    try:
        schema = read_json(text.encode())
    except JsonRefusedError as error:
        raise click.BadParameter(f"that is no JSON: {error}") from None
    if not isinstance(schema, dict):
        raise click.BadParameter("a JSON schema is an object, { … }")
    if problem := schema_problem(schema):
        raise click.BadParameter(f"that is no JSON schema: {problem}")
    return json.dumps(schema)


def _domain(text: str) -> str:
    """A domain that a task may visit."""
    if not text.strip():
        raise click.BadParameter(
            "an empty text is no domain; leave the option out for no restriction, or name a domain "
            "that may be visited"
        )
    if problem := domain_problem(text):
        raise click.BadParameter(problem)
    return text


TASK_FIELDS = (
    FieldOption(
        "structured_output_json",
        "--schema FILE|JSON",
        "a JSON schema for the output: a file, or the JSON itself",
    ),
    FieldOption("llm_model", "--llm-model MODEL", "the language model"),
    FieldOption("max_agent_steps", "--max-agent-steps N", "the most steps of the task, 1 to 200"),
    FieldOption(
        "allowed_domains",
        "--allowed-domain DOMAIN",
        "a domain that the agent may visit; *.example.com means its subdomains; repeatable",
    ),
    FieldOption(
        "metadata", "--metadata NAME=VALUE", "a pair of your own, to find the task; repeatable"
    ),
    FieldOption(
        "secrets",
        "--secret NAME=VARIABLE|NAME=@FILE",
        "a secret that the agent may type but does not see, from an environment variable or "
        "a file; repeatable",
    ),
    FieldOption(
        "included_file_names",
        "--included-file NAME",
        "the name of an uploaded file that the agent may read; repeatable",
    ),
    FieldOption("browser_profile_id", "--browser-profile ID", "the browser profile to use"),
    FieldOption("save_browser_data", "--save-browser-data", "keep cookies and other browser data"),
    FieldOption("use_adblock", "--ad-blocker --adblock", "block advertisements"),
    FieldOption("use_proxy", "--proxy", "use a mobile proxy; needed to solve captchas"),
    FieldOption("proxy_country_code", "--proxy-country CODE", "the country of the proxy"),
    FieldOption("highlight_elements", "--highlight-elements", "highlight elements on the page"),
    FieldOption("browser_viewport_width", "--viewport-width PIXELS", "width of the page"),
    FieldOption("browser_viewport_height", "--viewport-height PIXELS", "height of the page"),
    FieldOption("enable_public_share", "--public-share", "make a public link, which needs no key"),
)

_SCRIPT_OPTIONS = (
    option("--script NAME", "the name of a script: the first task records it, later tasks play it"),
    option(
        "--input NAME=VALUE",
        "a value for {NAME} in the text of the script; repeatable",
        name="inputs",
        type=pair,
        multiple=True,
        callback=_as_map,
    ),
)


def task_options(request: type[TaskSettings]) -> list[Option]:
    """The options for what a request says of a task."""
    fields = field_options(request, TASK_FIELDS)
    return group("task", *fields, *_SCRIPT_OPTIONS, about=NOT_SENT)


TASK_OPTIONS = task_options(RunTaskRequest)


def task_fields(values: Mapping[str, Any]) -> RunTaskFields:
    """The fields of run-task that were given on the command line."""
    return cast("RunTaskFields", given_fields(values))
