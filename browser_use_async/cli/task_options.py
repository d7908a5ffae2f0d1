"""The fields of run-task as options of the command line."""

import argparse
import json
from pathlib import Path
from typing import Any, cast

import attrs

from browser_use_async.cli.options import pair, secret
from browser_use_async.contract.strict_json import JsonRefusedError, read_json
from browser_use_async.models import FieldKind, RunTaskFields, RunTaskRequest, rule_of

__all__ = ["TASK_OPTIONS", "TaskOption", "add_task_options", "task_fields"]


@attrs.frozen
class TaskOption:
    """How one field of run-task is written on the command line.

    Attributes:
        field: The field, as the API spells it.
        flag: The option.
        help: What it does.
        metavar: What stands for its value in the help.
    """

    field: str
    flag: str
    help: str
    metavar: str | None = None


TASK_OPTIONS = (
    TaskOption(
        "structured_output_json",
        "--schema",
        "a JSON schema that the output shall follow: a file, or the JSON itself",
        "FILE|JSON",
    ),
    TaskOption("llm_model", "--llm-model", "the language model", "MODEL"),
    TaskOption("max_agent_steps", "--max-agent-steps", "steps at most, 1 to 200", "N"),
    TaskOption(
        "allowed_domains",
        "--allowed-domain",
        "a domain that may be visited, *.example.com for its subdomains; repeatable",
        "DOMAIN",
    ),
    TaskOption("metadata", "--metadata", "a pair of your own; repeatable, up to 10", "NAME=VALUE"),
    TaskOption(
        "secrets",
        "--secret",
        "a value that the agent may type but never sees, from an environment variable or "
        "a file; repeatable",
        "NAME=VARIABLE|NAME=@FILE",
    ),
    TaskOption(
        "included_file_names",
        "--included-file",
        "the name of an uploaded file that the agent may read; repeatable",
        "NAME",
    ),
    TaskOption("browser_profile_id", "--browser-profile", "the browser profile", "ID"),
    TaskOption("save_browser_data", "--save-browser-data", "keep cookies and other browser data"),
    TaskOption("use_adblock", "--adblock", "block advertisements"),
    TaskOption("use_proxy", "--proxy", "use a mobile proxy; captchas need it"),
    TaskOption("proxy_country_code", "--proxy-country", "the country of the proxy", "CODE"),
    TaskOption("highlight_elements", "--highlight-elements", "highlight elements on the page"),
    TaskOption("browser_viewport_width", "--viewport-width", "width of the page", "PIXELS"),
    TaskOption("browser_viewport_height", "--viewport-height", "height of the page", "PIXELS"),
    TaskOption("enable_public_share", "--public-share", "make a link that needs no key"),
)

_RULES = {
    field.name: rule_of(field) for field in attrs.fields(RunTaskRequest) if field.name != "task"
}


def add_task_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each optional field of run-task. What is not given is not sent.

    Args:
        parser: The parser of a command.
    """
    group = parser.add_argument_group(
        "task", "Fields of the API. What is not given is not sent; the service's default holds."
    )
    for option in TASK_OPTIONS:
        group.add_argument(option.flag, dest=option.field, help=option.help, **_shape(option))


def task_fields(options: argparse.Namespace) -> RunTaskFields:
    """The fields that were given on the command line.

    Args:
        options: The parsed command line.
    """
    given: dict[str, Any] = {}
    for option in TASK_OPTIONS:
        value = getattr(options, option.field)
        if value is not None:
            is_map = _RULES[option.field].kind is FieldKind.TEXT_MAP
            given[option.field] = dict(value) if is_map else value
    return cast("RunTaskFields", given)


def _shape(option: TaskOption) -> dict[str, Any]:
    """How argparse reads an option, which follows from the kind of its field."""
    match _RULES[option.field].kind:
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
