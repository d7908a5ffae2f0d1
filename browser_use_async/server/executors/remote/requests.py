"""What each version of the hosted API can follow of a task's settings, and how it is written."""

import json
import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import attrs

from browser_use_async.api.limits import CONTENT_TYPES, content_type_of
from browser_use_async.server.executors.protocol import Assignment
from browser_use_async.server.executors.remote.settings import CloudSettings
from browser_use_async.server.one_time_codes import is_seed

_WIDTHS, _HEIGHTS = range(320, 6145), range(320, 3457)
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.IGNORECASE)
_MOST_BINDINGS = 20
_LONGEST_SECRET = 4096  # bytes

# The models of v1 that v2 still has.
_V2_MODELS = frozenset(
    "claude-3-7-sonnet-20250219 claude-sonnet-4-20250514 gemini-2.5-flash gemini-2.5-pro gpt-4.1"
    " gpt-4.1-mini llama-4-maverick-17b-128e-instruct o3 o4-mini".split()
)
_PLAIN = frozenset({"application/json", "application/xml", "text/html"})  # may go as plain text
_V2_TYPES = (
    frozenset(CONTENT_TYPES.values()) - _PLAIN - {CONTENT_TYPES[".ppt"], CONTENT_TYPES[".pptx"]}
)


@attrs.frozen
class Misfit:
    """A setting that the service cannot follow."""

    field: str  # its name in the request
    message: str  # why not, as a clause
    is_harmless: bool = False  # whether the task is still what was asked for without it


def v2_misfits(assignment: Assignment, settings: CloudSettings) -> Iterator[Misfit]:
    """What version 2 cannot follow."""
    yield from _common_misfits(assignment)
    if "llm_model" in assignment.requested and v2_model(assignment, settings) is None:
        yield _unknown_model(assignment)
    for name in assignment.files:
        kind = content_type(name)
        if kind not in _V2_TYPES:
            message = f"the service takes no {PurePath(name).suffix} files; {name!r} is one"
            if kind in _PLAIN:
                message += ", which goes there as plain text"
            yield Misfit("included_file_names", message, is_harmless=kind in _PLAIN)


def v4_misfits(assignment: Assignment, settings: CloudSettings) -> Iterator[Misfit]:
    """What version 4 cannot follow."""
    yield from _common_misfits(assignment)
    asked = assignment.requested
    if "llm_model" in asked and settings.model(assignment.llm_model) is None:
        yield _unknown_model(assignment)
    if assignment.allowed_domains is not None:
        yield Misfit(
            "allowed_domains",
            "version 4 of the service does not bound where the agent goes; secrets alone are "
            "typed nowhere else",
            is_harmless=bool(assignment.secrets),
        )
    if assignment.secrets:
        yield from _binding_misfits(assignment)
    if "highlight_elements" in asked and assignment.highlight_elements:
        yield Misfit("highlight_elements", "version 4 highlights nothing", is_harmless=True)
    if "max_agent_steps" in asked:
        message = "version 4 counts no steps; left out there, what its events tell is counted here"
        yield Misfit("max_agent_steps", message, is_harmless=True)
    if assignment.structured_output_json is not None and _schema(assignment) is None:
        yield Misfit("structured_output_json", "version 4 takes a schema that is an object only")
    if len(assignment.files) > _MOST_BINDINGS:
        yield Misfit("included_file_names", f"version 4 takes {_MOST_BINDINGS} files at most")


def _common_misfits(assignment: Assignment) -> Iterator[Misfit]:
    asked = assignment.requested
    if "use_adblock" in asked and assignment.use_adblock:
        yield Misfit("use_adblock", "the service blocks no advertisements", is_harmless=True)
    has_profile = "browser_profile_id" in asked
    if has_profile and not assignment.saves_browser_data:
        message = "the service always saves what a browser with a profile has done"
        yield Misfit("save_browser_data", message, is_harmless=True)
    if not has_profile and assignment.saves_browser_data:
        message = "without browser_profile_id the service saves nothing, and it tells no cookies"
        yield Misfit("save_browser_data", message, is_harmless=True)
    if any(is_seed(value) for value in assignment.secrets.values()):
        # The service would type it as it is, or keep it: a seed is given away for good.
        yield Misfit("secrets", "the service is told no otpauth:// seed; leave it out")
    sides = zip(("width", "height"), assignment.viewport, (_WIDTHS, _HEIGHTS), strict=True)
    for side, pixels, allowed in sides:
        if pixels not in allowed:
            message = f"the service takes {allowed.start} to {allowed.stop - 1} pixels"
            yield Misfit(f"browser_viewport_{side}", message)
    for name, content in assignment.files.items():
        if not content:
            yield Misfit("included_file_names", f"{name!r} is empty, which the service refuses")


def _binding_misfits(assignment: Assignment) -> Iterator[Misfit]:
    domains = secret_domains(assignment)
    if not domains:
        yield Misfit("secrets", "version 4 takes secrets only together with allowed_domains")
    elif len(domains) > _MOST_BINDINGS or not all(map(_HOST.fullmatch, domains)):
        message = f"version 4 takes secrets for 1 to {_MOST_BINDINGS} domains without port or path"
        yield Misfit("allowed_domains", message)
    if len(assignment.secrets) > _MOST_BINDINGS or not all(assignment.secrets.values()):
        yield Misfit("secrets", f"version 4 takes {_MOST_BINDINGS} secrets, none of them empty")
    # Half of a surrogate pair may come in JSON, and has no other bytes.
    sizes = [len(each.encode(errors="surrogatepass")) for each in assignment.secrets.values()]
    if max(sizes) > _LONGEST_SECRET:
        yield Misfit("secrets", f"version 4 takes secrets of {_LONGEST_SECRET} bytes at most")


def _unknown_model(assignment: Assignment) -> Misfit:
    return Misfit(
        "llm_model",
        f"the service has no {assignment.llm_model}; the operator of this server can name another "
        "model for it with --cloud-model",
    )


def v2_model(assignment: Assignment, settings: CloudSettings) -> str | None:
    """The model of version 2, or None if there is none for what the task asks for."""
    asked = str(assignment.llm_model)
    named = settings.model(asked)
    if named is not None:
        return named.name
    return asked if asked in _V2_MODELS else None


def content_type(name: str) -> str:
    """What a file is, by its name."""
    return content_type_of(name) or "application/octet-stream"


def v2_content_type(name: str) -> str:
    """What a file is called to version 2."""
    kind = content_type(name)
    return kind if kind in _V2_TYPES else "text/plain"


def secret_domains(assignment: Assignment) -> list[str]:
    """The domains of a task, each of which stands for its subdomains as well."""
    entries = assignment.allowed_domains or ()
    return list(dict.fromkeys(each.strip().removeprefix("*.") for each in entries))


def v2_session(assignment: Assignment, profile_id: str | None) -> dict[str, Any]:
    """The body that creates a session of version 2."""
    width, height = assignment.viewport
    body: dict[str, Any] = {
        "proxyCountryCode": _country(assignment),
        "browserScreenWidth": width,
        "browserScreenHeight": height,
        "persistMemory": False,
        "keepAlive": False,  # it ends with its task, and costs nothing more
        "enableRecording": assignment.takes_recording,
    }
    return body if profile_id is None else {**body, "profileId": profile_id}


def v2_task(assignment: Assignment, settings: CloudSettings, session_id: str) -> dict[str, Any]:
    """The body that creates a task of version 2."""
    body: dict[str, Any] = {
        "task": assignment.task,
        "sessionId": session_id,
        "maxSteps": assignment.max_agent_steps,
        "highlightElements": assignment.highlight_elements,
    }
    optional = {
        "llm": v2_model(assignment, settings),
        "structuredOutput": assignment.structured_output_json,
        "allowedDomains": None
        if assignment.allowed_domains is None
        else list(assignment.allowed_domains),
        "secrets": dict(assignment.secrets) or None,
        "metadata": dict(assignment.metadata) or None,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def v4_run(
    assignment: Assignment,
    settings: CloudSettings,
    workspace_id: str,
    profile_id: str | None,
    file_ids: list[str],
) -> dict[str, Any]:
    """The body that creates a run of version 4."""
    width, height = assignment.viewport
    browser: dict[str, Any] = {
        "proxyCountryCode": _country(assignment),
        "screenWidth": width,
        "screenHeight": height,
        "record": assignment.takes_recording,
    }
    if profile_id is not None:
        browser["profileId"] = profile_id
    domains = secret_domains(assignment)
    bindings = [
        {"alias": name, "source": {"type": "inline", "value": value}, "allowedDomains": domains}
        for name, value in assignment.secrets.items()
    ]
    model = settings.model(str(assignment.llm_model))
    optional = {
        "model": None if model is None else model.name,
        "modelParams": None if model is None or model.params is None else dict(model.params),
        "maxCostUsd": None if settings.max_cost_usd is None else float(settings.max_cost_usd),
        "outputSchema": _schema(assignment),
        "attachedFileIds": file_ids or None,
        "secretBindings": bindings or None,
    }
    body = {"task": assignment.task, "workspaceId": workspace_id, "browserSettings": browser}
    return body | {name: value for name, value in optional.items() if value is not None}


def _schema(assignment: Assignment) -> dict[str, Any] | None:
    try:
        schema = json.loads(assignment.structured_output_json or "null")
    except ValueError:
        return None
    return schema if isinstance(schema, dict) else None


def _country(assignment: Assignment) -> str | None:
    return assignment.proxy_country_code.lower() if assignment.use_proxy else None
