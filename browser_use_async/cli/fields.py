"""Fields of a request as options of the command line, made from their rules and docstrings."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click

from browser_use_async.api.field_sentences import field_sentences
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


# Flags that are not the name of their field, or whose value has a placeholder of its own.
_USAGES = {
    "structured_output_json": "--schema FILE|JSON",
    "llm_model": "--llm-model MODEL",
    "allowed_domains": "--allowed-domain DOMAIN",
    "metadata": "--metadata NAME=VALUE",
    "secrets": "--secret NAME=VARIABLE|NAME=@FILE",
    "included_file_names": "--included-file NAME",
    "browser_profile_id": "--browser-profile ID",
    "use_adblock": "--ad-blocker --adblock",
    "ad_blocker": "--ad-blocker --adblock",
    "use_proxy": "--proxy",
    "proxy_country_code": "--proxy-country CODE",
    "browser_viewport_width": "--viewport-width PIXELS",
    "browser_viewport_height": "--viewport-height PIXELS",
    "enable_public_share": "--public-share",
    "cron_expression": "--cron EXPRESSION",
    "interval_minutes": "--every MINUTES",
    "is_active": "--active",
    "profile_name": "--name NAME",
    "task": "--task TASK",
}
_PLACEHOLDERS = {FieldKind.TEXT: " TEXT", FieldKind.INTEGER: " N", FieldKind.DATETIME: " TIME"}
# How a value is written on a command line, which the sentence of the API does not say.
_WRITTEN = {
    FieldKind.TEXT_LIST: "; repeatable",
    FieldKind.TEXT_MAP: "; repeatable",
    FieldKind.JSON_SCHEMA: "; a file, or the JSON itself",
    FieldKind.DATETIME: ". Without a zone it is in UTC; +90m, +2h, +7d are times from now",
}
_WHERE_SECRETS_ARE = "; the value is in an environment variable or a file; repeatable"


def field_options(request: type[Any], names: Iterable[str]) -> list[Option]:
    """An option for each of these fields that the request has."""
    rules, sentences = rules_of(request), field_sentences(request)
    return [_option(each, rules[each], sentences.get(each, "")) for each in names if each in rules]


def given_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were given on the command line: the others are not sent."""
    return {name: value for name, value in values.items() if value is not None}


def given_changes(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were given, at least one: a request without effect is likely a mistake."""
    if not (changes := given_fields(values)):
        raise ConfigurationError("nothing to change: name at least one field, as --help lists them")
    return changes


def _option(name: str, rule: FieldRule, sentences: str) -> Option:
    # No option has a default: `given_fields` leaves fields out that are None.
    shape: dict[str, Any] = {}
    flag = f"--{name.replace('_', '-')}"
    usage = _USAGES.get(name, flag + _PLACEHOLDERS.get(rule.kind, ""))
    match rule.kind:
        case FieldKind.BOOLEAN:
            usage = " ".join(f"{flag}/--no-{flag[2:]}" for flag in usage.split())
            shape = {"default": None}
        case FieldKind.INTEGER:
            shape = {"type": whole(rule.minimum, rule.maximum)}
        case FieldKind.TEXT_LIST:
            # Other lists are names, which the service checks.
            check = _domain if name == "allowed_domains" else str
            shape = {"multiple": True, "type": check, "callback": _as_list}
        case FieldKind.TEXT_MAP:
            # Values of secrets must not be in the process list or in a shell's history.
            kind = secret if name == "secrets" else pair
            shape = {"multiple": True, "type": kind, "callback": _as_map}
        case FieldKind.JSON_SCHEMA:
            shape = {"type": _schema, "shell_complete": complete_files}
        case FieldKind.DATETIME:
            shape = {"type": due}
        case _:
            pass
    if rule.enum is not None:
        shape["shell_complete"] = complete_words(map(str, rule.enum))
    elif name == "browser_profile_id":
        shape["shell_complete"] = complete_profiles
    sentence = sentences.partition(". ")[0].removesuffix(".").replace("`", "")
    written = _WHERE_SECRETS_ARE if name == "secrets" else _WRITTEN.get(rule.kind, "")
    return option(usage, sentence[:1].lower() + sentence[1:] + written, name=name, **shape)


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


TASK_FIELDS = [name for name, rule in rules_of(TaskSettings).items() if not rule.required]

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
    return group("task", *field_options(request, TASK_FIELDS), *_SCRIPT_OPTIONS, about=NOT_SENT)


TASK_OPTIONS = task_options(RunTaskRequest)


def task_fields(values: Mapping[str, Any]) -> RunTaskFields:
    """The fields of run-task that were given on the command line."""
    return cast("RunTaskFields", given_fields(values))
