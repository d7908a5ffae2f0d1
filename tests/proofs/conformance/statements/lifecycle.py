"""Checks over time: the life of a task, and the task list while it grows."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from tests.proofs.conformance.statements.probe import NotApplicableError, Probe, check, require
from tests.proofs.conformance.statements.shapes import ERROR, TASK_PAGE

_LIFE = "Life of a task"
_LIST = "Task list"
_ROWS = 3  # on a page of the list that is read while tasks are created


async def _status_of(probe: Probe, task_id: str) -> Any:
    return (await probe.call("GET", f"/task/{task_id}/status")).json


async def _running_task(probe: Probe) -> str:
    task_id = await probe.create_task(probe.settings.slow_task)
    task = await probe.reached(task_id, frozenset({"running"}))
    _refuse_ended(task["status"])
    return task_id


def _refuse_ended(status: Any) -> None:
    # Moments after its start: such a task is too short for a check of a call.
    if status in {"finished", "failed"}:
        raise NotApplicableError("needs a task that runs for a while; --slow-task ended at once")


@asynccontextmanager
async def _running(probe: Probe) -> AsyncGenerator[str]:
    """A task that is stopped at the end of the check, since it costs money while it runs."""
    task_id = await _running_task(probe)
    try:
        yield task_id
    finally:
        await probe.call("PUT", f"/stop-task?task_id={task_id}")


@check(_LIFE, "a running task is paused, and continues when it is resumed")
async def _pause_and_resume(probe: Probe) -> None:
    async with _running(probe) as task_id:
        for call, status in (("pause", "paused"), ("resume", "running")):
            reply = await probe.call("PUT", f"/{call}-task?task_id={task_id}")
            _refuse_ended(now := await _status_of(probe, task_id))
            reply.has_status(200)
            require(
                now == status, f"the status is {now!r} after {call}-task, and {status!r} is due"
            )


@check(_LIFE, "a running task that is not paused cannot be resumed")
async def _resume_of_running(probe: Probe) -> None:
    async with _running(probe) as task_id:
        (await probe.call("PUT", f"/resume-task?task_id={task_id}")).has(ERROR, 400)


@check(_LIFE, "a stop is final: the task is stopped, and cannot be resumed")
async def _stop(probe: Probe) -> None:
    async with _running(probe) as task_id:
        reply = await probe.call("PUT", f"/stop-task?task_id={task_id}")
        _refuse_ended(await _status_of(probe, task_id))
        reply.has_status(200)
        task = await probe.ended(task_id)
        require(task["status"] == "stopped", f"the status is {task['status']!r}")
        require(task["finished_at"], "finished_at is missing")
        (await probe.call("PUT", f"/resume-task?task_id={task_id}")).has(ERROR, 400)
        again = await probe.call("PUT", f"/stop-task?task_id={task_id}")
        again.has_status(200, 400)


@check(_LIFE, "a finished task stays finished when it is stopped")
async def _stop_of_finished(probe: Probe) -> None:
    task = await probe.finished_task()
    await probe.call("PUT", f"/stop-task?task_id={task['id']}")
    now = await _status_of(probe, task["id"])
    require(now == "finished", f"the status is {now!r} after the stop")


@check(_LIFE, "the task id of pause, resume and stop is a parameter of the query")
async def _missing_task_id(probe: Probe) -> None:
    for call in ("stop", "pause", "resume"):
        reply = await probe.call("PUT", f"/{call}-task")
        reply.has_status(422)
        location = reply.json["detail"][0]["loc"]
        require(location == ["query", "task_id"], f"loc is {location}")


@check(_LIST, "the newest task comes first, and the figures of a page agree")
async def _newest_first(probe: Probe) -> None:
    await probe.finished_task()
    page = (await probe.call("GET", "/tasks?page=1&limit=2")).has(TASK_PAGE)
    require((page["page"], page["limit"]) == (1, 2), "page and limit are not those asked for")
    moments = [row["created_at"] for row in page["tasks"]]
    require(moments == sorted(moments, reverse=True), "an older task comes first")
    pages = -(-page["total_count"] // 2)
    require(page["total_pages"] == pages, f"total_pages is not {pages}")
    beyond = (await probe.call("GET", f"/tasks?page={pages + 5}&limit=2")).has(TASK_PAGE)
    require(beyond["tasks"] == [], "there are rows past the end")


@check(_LIST, "a task is listed as soon as it is created")
async def _listed_at_once(probe: Probe) -> None:
    task_id = await probe.create_task()
    page = (await probe.call("GET", "/tasks?page=1&limit=10")).has(TASK_PAGE)
    await probe.call("PUT", f"/stop-task?task_id={task_id}")
    require(task_id in [row["id"] for row in page["tasks"]], "the first page does not show it")


@check(_LIST, "a new task moves the others on by one row")
async def _churn(probe: Probe) -> None:
    created = [await probe.create_task() for _ in range(_ROWS + 1)]
    first = (await probe.call("GET", f"/tasks?page=1&limit={_ROWS}")).has(TASK_PAGE)
    created.append(await probe.create_task())
    second = (await probe.call("GET", f"/tasks?page=2&limit={_ROWS}")).has(TASK_PAGE)
    for task_id in created:
        await probe.call("PUT", f"/stop-task?task_id={task_id}")
    require(
        second["total_count"] == first["total_count"] + 1,
        f"total_count went from {first['total_count']} to {second['total_count']}",
    )
    require(
        second["tasks"][0]["id"] == first["tasks"][-1]["id"],
        "the last row of page 1 is not the first of page 2 after one more task",
    )


@check(_LIST, "pages and limits below 1 are refused")
async def _bad_pages(probe: Probe) -> None:
    for query in ("page=0", "limit=0", "page=x"):
        (await probe.call("GET", f"/tasks?{query}")).has_status(422)
