"""Start of a task, for a client or a schedule: settings, files, payment."""

import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from browser_use_async.api.json import read_json
from browser_use_async.api.limits import MAX_TASK_FILE_BYTES
from browser_use_async.api.script_pairs import ScriptPairs, ScriptPairsError
from browser_use_async.api.serialization import given_fields
from browser_use_async.prices import TASK_START_CENTS
from browser_use_async.server.errors import NotFoundError, RefusedError, invalid_field
from browser_use_async.server.executors.task_fields import domain_problem, schema_problem
from browser_use_async.server.records import Assignment
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage import TaskRecord
from browser_use_async.server.storage.database import Claim
from browser_use_async.server.storage.files import Upload
from browser_use_async.types import UNSET, BrowserProfile, Place, TaskSettings, rules_of

MAX_TASK_BYTES = 20 * 1024
"""The limit of a task's text, and of all its allowed domains together, in bytes of UTF-8."""
MAX_SECRETS = 1000
"""The limit of secrets of a task."""
_SHOWN = 100

_SAME_NAME = (
    "max_agent_steps",
    "allowed_domains",
    "structured_output_json",
    "secrets",
    "metadata",
    "highlight_elements",
)


def resolve_settings(
    settings: TaskSettings,
    profile: BrowserProfile,
    default_model: str,
    **others: Any,
) -> Assignment:
    """Resolve each setting: from the request, else the profile, else the published default.

    Settings that no request has are passed by the names of an assignment.
    """
    given = given_fields(settings)
    # Forms send an empty schema, which accepts every text.
    if read_json((given.get("structured_output_json") or "null").encode()) == {}:
        del given["structured_output_json"]
    return Assignment(
        task_id=str(uuid.uuid4()),
        task=settings.task,
        profile_id=profile.profile_id,
        llm_model=given.get("llm_model", default_model),
        use_adblock=given.get("use_adblock", profile.ad_blocker),
        use_proxy=given.get("use_proxy", profile.proxy),
        proxy_requested=bool(given.get("use_proxy") or given.get("proxy_country_code")),
        proxy_country_code=str(given.get("proxy_country_code", profile.proxy_country_code)),
        viewport=(
            given.get("browser_viewport_width", profile.browser_viewport_width),
            given.get("browser_viewport_height", profile.browser_viewport_height),
        ),
        **{name: given[name] for name in _SAME_NAME if name in given},
        **others,
    )


def shown_settings(
    settings: TaskSettings, place: Place, otherwise: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The settings that appear in a place, or what `otherwise` or their rules say instead."""
    shown = {}
    kind: Any = type(settings)
    for name, default in _shown_in(place, kind):
        value = getattr(settings, name)
        missing = value is UNSET or value is None
        shown[name] = otherwise.get(name, default) if missing else value
    return shown


@cache
def _shown_in(place: Place, settings: type[Any]) -> list[tuple[str, Any]]:
    """The names of the settings that appear in a place, with the values of those not given."""
    return [
        (name, None if rule.default is UNSET else rule.default)
        for name, rule in rules_of(settings).items()
        if place in rule.places
    ]


async def start_task(
    server: RunningServer,
    settings: TaskSettings,
    default_model: str,
    claim: Claim | None = None,
) -> TaskRecord:
    """Create a task, charge for it and start it.

    Raises:
        RefusedError: The credit is used up, too many tasks are at work, or a profile or file is
            missing.
    """
    deployment = server.deployment
    try:
        # All checks precede the storage of the task, so a refused request changes nothing.
        assignment = await checked_assignment(server, settings, default_model)
        # Nothing is awaited before the task is stored: files may have come from object storage.
        deployment.require_room()
    except RefusedError:
        # The charge checks the credit too; without credit, that is the reported reason.
        await server.stores.account.require_credit(TASK_START_CENTS)
        raise
    record = await server.stores.tasks.create(settings, assignment, claim, deployment.most_at_work)
    deployment.begin(record, assignment)
    return record


async def checked_assignment(
    server: RunningServer, settings: TaskSettings, default_model: str
) -> Assignment:
    """Create the assignment for settings, now or at each run of a schedule.

    Raises:
        RefusedError: There is no such profile or file, or the executor cannot follow a setting.
    """
    check_fields(settings)
    profile = await find_profile(server, settings)
    cookies = await server.stores.profiles.cookies(profile.profile_id)
    files = await check_files(server, settings)
    assignment = resolve_settings(
        settings,
        profile,
        default_model,
        owner=server.stores.tasks.owner,
        cookies=cookies,
        files={each.name: await server.stores.uploads.content(each) for each in files},
        takes_screenshots=server.settings.screenshots,
        takes_recording=server.settings.recordings,
    )
    await _check_script(server, assignment.metadata)
    problem = server.runner.check(assignment)
    if problem is not None:
        given = getattr(settings, problem.field, None)
        # The answer does not contain secrets.
        shown = None if given is UNSET or problem.field == "secrets" else given
        raise _refused([problem.field], problem.message, shown)
    return assignment


def check_fields(settings: Any) -> None:
    """Check fields by which a task would fail after the charge, and the sizes of stored fields.

    Raises:
        RefusedError: No answer can match the schema, no page matches a domain, or the text, the
            domains or the secrets exceed their limits.
    """
    task = getattr(settings, "task", None)
    if isinstance(task, str) and len(task.encode("utf-8", "surrogatepass")) > MAX_TASK_BYTES:
        message = f"the text of a task may have {MAX_TASK_BYTES:,} bytes"
        raise _refused(["task"], message, task[:_SHOWN])
    schema = settings.structured_output_json
    if isinstance(schema, str) and (problem := schema_problem(read_json(schema.encode()))):
        raise _refused(["structured_output_json"], f"that is no JSON schema: {problem}", schema)
    secrets = getattr(settings, "secrets", None)
    if isinstance(secrets, Mapping) and len(secrets) > MAX_SECRETS:
        raise _refused(["secrets"], f"a task may have {MAX_SECRETS:,} secrets", None)
    _check_domains(getattr(settings, "allowed_domains", None))


async def _check_script(server: RunningServer, metadata: Mapping[str, str]) -> None:
    try:
        pairs = ScriptPairs.of(metadata)
    except ScriptPairsError as error:
        raise _refused(["metadata"], str(error), dict(metadata)) from None
    if pairs is not None and not server.runner.takes_scripts:
        message = (
            f"this server neither records nor plays the script {pairs.name}: its executor is the "
            f"{server.runner.executor_name}. Leave the script out, or take a server with the "
            "executor chromium or browser_use"
        )
        raise _refused(["metadata"], message, dict(metadata))
    if pairs is not None and (refusal := await server.stores.scripts.refusal(pairs.name)):
        raise _refused(["metadata"], refusal, dict(metadata))


def _check_domains(domains: Any) -> None:
    given = domains if isinstance(domains, Sequence) else ()
    # Each connection of the task's pages is compared with every domain, and a refusal lists them.
    if sum(len(each.encode("utf-8", "surrogatepass")) for each in given) > MAX_TASK_BYTES:
        message = f"the domains of a task may have {MAX_TASK_BYTES:,} bytes together"
        raise _refused(["allowed_domains"], message, None)
    for place, domain in enumerate(given):
        if problem := domain_problem(domain):
            raise _refused(["allowed_domains", place], problem, domain)


async def find_profile(server: RunningServer, settings: TaskSettings) -> BrowserProfile:
    """Return the profile that the settings name, or the default one.

    Raises:
        RefusedError: There is no such profile.
    """
    profile_id = settings.browser_profile_id
    if profile_id is UNSET or profile_id is None:
        return await server.stores.profiles.default()
    profile = await server.stores.profiles.get(profile_id)
    if profile is None:
        raise NotFoundError("Browser profile not found")
    return profile


async def check_files(server: RunningServer, settings: TaskSettings) -> list[Upload]:
    """Return the included files, each once, after a check that they exist and fit.

    Raises:
        RefusedError: A file was not uploaded, or all of them together are too large.
    """
    names = settings.included_file_names
    if not isinstance(names, Sequence):
        return []
    uploads = []
    for name in dict.fromkeys(names):
        upload = await server.stores.uploads.get(name)
        if upload is None:
            message = f"no file named {name!r} was uploaded"
            raise _refused(["included_file_names"], message, list(names))
        uploads.append(upload)
    if sum(each.size for each in uploads) > MAX_TASK_FILE_BYTES:
        limit = MAX_TASK_FILE_BYTES // 1024**2
        message = f"the files of a task may have {limit} MB together"
        raise _refused(["included_file_names"], message, list(names))
    return uploads


def _refused(place: list[str | int], message: str, given: Any) -> RefusedError:
    return invalid_field((*place,), message, given, {"error": message})
