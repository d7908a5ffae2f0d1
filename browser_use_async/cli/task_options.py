"""The fields of run-task as options of the command line."""

import argparse
from typing import cast

from browser_use_async.cli.field_options import FieldOption, FieldOptions
from browser_use_async.types import RunTaskFields, RunTaskRequest

__all__ = ["TASK_OPTIONS", "add_task_options", "task_fields"]

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
    FieldOption("use_adblock", "--adblock", "block advertisements"),
    FieldOption("use_proxy", "--proxy", "use a mobile proxy; captchas need it"),
    FieldOption("proxy_country_code", "--proxy-country", "the country of the proxy", "CODE"),
    FieldOption("highlight_elements", "--highlight-elements", "highlight elements on the page"),
    FieldOption("browser_viewport_width", "--viewport-width", "width of the page", "PIXELS"),
    FieldOption("browser_viewport_height", "--viewport-height", "height of the page", "PIXELS"),
    FieldOption("enable_public_share", "--public-share", "make a link that needs no key"),
)

_FIELDS = FieldOptions(RunTaskRequest, TASK_OPTIONS)


def add_task_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each optional field of run-task. What is not given is not sent."""
    group = parser.add_argument_group(
        "task", "Fields of the API. What is not given is not sent; the service's default holds."
    )
    _FIELDS.add_to(group)


def task_fields(options: argparse.Namespace) -> RunTaskFields:
    """The fields that were given on the command line."""
    return cast("RunTaskFields", _FIELDS.given(options))
