"""Settings of a task in version 4 of the hosted API: the unsupported ones, and the body."""

import json
import re
from collections.abc import Iterator
from typing import Any

import attrs

from browser_use_async.server.executors.protocol import FieldProblem
from browser_use_async.server.executors.remote.settings import CloudSettings
from browser_use_async.server.one_time_codes import is_seed
from browser_use_async.server.records import Assignment

_WIDTHS, _HEIGHTS = range(320, 6145), range(320, 3457)
_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.IGNORECASE)
_MOST_BINDINGS = 20
_LONGEST_SECRET = 4096  # bytes


@attrs.frozen
class Misfit(FieldProblem):
    """A setting that the service cannot follow."""

    is_harmless: bool = False  # whether the task is still what was asked for without it


def misfits(assignment: Assignment, settings: CloudSettings) -> Iterator[Misfit]:
    """Yield the settings that version 4 does not support."""
    yield from _common_misfits(assignment)
    asked = assignment.requested
    if "llm_model" in asked and settings.model(assignment.llm_model) is None:
        model = f"the service has no {assignment.llm_model}"
        advice = "the operator of this server can name another model for it with --cloud-model"
        yield Misfit("llm_model", f"{model}; {advice}")
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
        message = "version 4 counts no steps; it is not sent, and steps are counted here"
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
        message = "without browser_profile_id the service saves nothing, and it returns no cookies"
        yield Misfit("save_browser_data", message, is_harmless=True)
    if any(is_seed(value) for value in assignment.secrets.values()):
        # The service would type or keep the seed itself, which gives it away for good.
        yield Misfit("secrets", "an otpauth:// seed is never sent to the service; leave it out")
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


def secret_domains(assignment: Assignment) -> list[str]:
    """The domains of a task, each with its subdomains."""
    entries = assignment.allowed_domains or ()
    return list(dict.fromkeys(each.strip().removeprefix("*.") for each in entries))


def run_body(
    assignment: Assignment,
    settings: CloudSettings,
    workspace_id: str,
    profile_id: str | None,
    file_ids: list[str],
) -> dict[str, Any]:
    """The body of the request for a run of version 4."""
    width, height = assignment.viewport
    browser: dict[str, Any] = {
        "proxyCountryCode": assignment.proxy_country_code.lower() if assignment.use_proxy else None,
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
