"""Checks of servers that announce submission keys; others are not checked."""

import uuid

from browser_use_async.api.submission_key import (
    KEY_HEADER,
    REPLAYED_HEADER,
    SUPPORTED_HEADER,
    TRUE,
    format_key,
)
from tests.proofs.conformance.statements.probe import (
    NotApplicableError,
    Probe,
    Reply,
    check,
    require,
)
from tests.proofs.conformance.statements.shapes import CREATED, VALIDATION_ERROR

_KEYS = "Submission keys"
_START, _END = "2099-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
_YEARLY = {"schedule_type": "interval", "interval_minutes": 525_600, "start_at": _START}


async def _new_key(probe: Probe) -> str:
    """The header of a key that was never used, on a server that keeps keys."""
    asked = format_key(f"grün {uuid.uuid4()}")
    page = await probe.call("GET", "/tasks?limit=1", headers={KEY_HEADER: asked})
    if page.headers.get(SUPPORTED_HEADER) != TRUE:
        raise NotApplicableError("this server does not say that it keeps submission keys")
    require(page.headers.get(KEY_HEADER) == asked, "the list does not send the key back")
    return format_key(str(uuid.uuid4()))


async def _submit(probe: Probe, header: str, task: str = "", api_key: str = "") -> Reply:
    value = {"task": task or probe.settings.task}
    return await probe.call("POST", "/run-task", value, key=api_key, headers={KEY_HEADER: header})


async def _stop(probe: Probe, reply: Reply, api_key: str = "") -> None:
    if reply.status == 200:
        await probe.call("PUT", f"/stop-task?task_id={reply.json['id']}", key=api_key)


@check(_KEYS, "a repeat with its key creates nothing, and is answered as before")
async def _repeat(probe: Probe) -> None:
    key = await _new_key(probe)
    first = await _submit(probe, key)
    created = first.has(CREATED)
    await _stop(probe, first)
    before = (await probe.call("GET", "/tasks?limit=1")).json["total_count"]
    again = await _submit(probe, key)
    require(again.has(CREATED) == created, "the answer is another one")
    require(again.headers.get(REPLAYED_HEADER) == TRUE, f"{REPLAYED_HEADER} is missing")
    require(REPLAYED_HEADER not in first.headers, f"the first one has {REPLAYED_HEADER}")
    for reply in (first, again):
        require(reply.headers.get(SUPPORTED_HEADER) == TRUE, f"{SUPPORTED_HEADER} is missing")
        require(reply.headers.get(KEY_HEADER) == key, "the key does not come back as it was sent")
    after = (await probe.call("GET", "/tasks?limit=1")).json["total_count"]
    require(after == before, f"the list has {after} tasks, and {before} are due")


@check(_KEYS, "another request with the same key is refused: 422 with the first id and the fields")
async def _other_request(probe: Probe) -> None:
    key = await _new_key(probe)
    first = await _submit(probe, key)
    created = first.has(CREATED)
    await _stop(probe, first)
    other = await _submit(probe, key, "Open nothing at all")
    (problem,) = other.has(VALIDATION_ERROR, 422)["detail"]
    require(problem["type"] == "idempotency_key_conflict", f"the type is {problem['type']}")
    require(problem["loc"] == ["header", KEY_HEADER], f"loc is {problem['loc']}")
    due = {"id": created["id"], "fields": ["task"]}
    require(problem.get("ctx") == due, f"ctx is {problem.get('ctx')}")
    require("nothing at all" not in other.answer, "a value is shown")


@check(_KEYS, "what is no key is refused: 422 that names the header")
async def _no_key(probe: Probe) -> None:
    await _new_key(probe)
    for header in ('""', '"a', f'"{"x" * 256}"', '%"a%0ab"'):
        (problem,) = (await _submit(probe, header)).has(VALIDATION_ERROR, 422)["detail"]
        require(problem["loc"] == ["header", KEY_HEADER], f"loc is {problem['loc']}")


@check(_KEYS, "the same key is another one in another call")
async def _other_call(probe: Probe) -> None:
    key = await _new_key(probe)
    task = await _submit(probe, key)
    created = task.has(CREATED)
    await _stop(probe, task)
    value = {"task": probe.settings.task, "end_at": _END, **_YEARLY}
    reply = await probe.call("POST", "/scheduled-task", value, headers={KEY_HEADER: key})
    schedule = reply.has(CREATED)["id"]
    await probe.call("DELETE", f"/scheduled-task/{schedule}")
    require(schedule != created["id"], "the schedule has the id of the task")
    require(REPLAYED_HEADER not in reply.headers, f"the schedule has {REPLAYED_HEADER}")


@check(_KEYS, "the same key of another owner is another one")
async def _other_owner(probe: Probe) -> None:
    key = await _new_key(probe)
    url = probe.server_url + "/admin/keys"
    bearer = {"Authorization": f"Bearer {probe.settings.api_key}"}
    made = await probe.call("POST", url, {"name": "conform"}, headers=bearer)
    if made.status != 200:
        raise NotApplicableError("this server makes no further API key for the checks")
    try:
        first = await _submit(probe, key)
        other = await _submit(probe, key, api_key=made.json["key"])
        await _stop(probe, first)
        await _stop(probe, other, made.json["key"])
    finally:
        await probe.call("DELETE", f"{url}/{made.json['id']}", headers=bearer)
    require(first.has(CREATED) != other.has(CREATED), "the other owner got the same task")
    require(REPLAYED_HEADER not in other.headers, f"the other owner got {REPLAYED_HEADER}")
