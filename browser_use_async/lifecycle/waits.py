"""Waiting for the end of one task, and the errors of waits whose time is up."""

import asyncio

from browser_use_async import errors
from browser_use_async.api.limits import is_seconds
from browser_use_async.lifecycle.create import EndAction
from browser_use_async.observing.observers import WaitBegan, WaitEnded
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.polling.watched_task import Subscriber, WatchedTask
from browser_use_async.types import Task


async def wait(
    poller: TaskPoller,
    task_id: str,
    timeout: float | None,
    submitted_at: float | None = None,
    *,
    exists: bool = False,
    on_timeout: EndAction = "leave",
) -> Task:
    """Wait for the end of a task; the wait for one that `exists` goes on through any outage.

    `on_timeout` is for the error message only: the caller carries it out.
    """
    # No handle, one frame and one future, since there may be ten thousand waits.
    observers, began = poller.transport.observers, None
    if observers.hears[WaitEnded]():
        began = WaitBegan()
        observers.notify(began, task_id)
    try:
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        subscriber = Subscriber(_resolve, settled, deadline_of(poller, timeout))
        watched = poller.subscribe(task_id, subscriber, submitted_at=submitted_at, exists=exists)
        try:
            if not watched.settled:
                await settled
            # The error is made while the task is watched, since it needs the record of polls.
            if not watched.settled:
                raise timed_out(poller, [watched], on_timeout)
        finally:
            poller.unsubscribe(watched, subscriber)
        task = result_of(watched)
    except BaseException as error:
        if began is not None:
            observers.notify(WaitEnded(began, error), task_id)
        raise
    if began is not None:
        observers.notify(WaitEnded(began, None), task_id)
    return task


def deadline_of(poller: TaskPoller, timeout: float | None) -> float:
    """The loop time at which a wait ends."""
    seconds = poller.policy.timeout if timeout is None else timeout
    if not is_seconds(seconds):
        what = f"timeout must be a number of seconds of 0 or more, not {timeout!r}"
        raise errors.InvalidRequestError(what, field="timeout")
    return asyncio.get_running_loop().time() + seconds


def _resolve(future: "asyncio.Future[None]") -> None:
    # An end and a deadline may both wake a wait before it runs.
    if not future.done():
        future.set_result(None)


def timed_out(
    poller: TaskPoller, alive: list[WatchedTask], on_timeout: EndAction = "leave"
) -> errors.WaitTimeoutError:
    """The error of a wait for tasks that have not ended in time."""
    first = alive[0]
    failure = poller.last_failure(first)
    others = "" if len(alive) == 1 else f" and {len(alive) - 1} more"
    what = f"task {first.task_id}{others} did not end in the time allowed"
    if not first.is_known:
        what = f"no answer about task {first.task_id}{others} came in the time allowed"
    error = errors.WaitTimeoutError(
        f"{what}{_stand(first, failure, on_timeout)}",
        task_id=first.task_id,
        last_status=first.status,
    )
    poller.transport.observers.notify(first.error_made(error), first.task_id)
    error.__cause__ = failure
    return error


def _stand(watched: WatchedTask, failure: BaseException | None, on_timeout: EndAction) -> str:
    """What is known of a task whose wait timed out, and what to do next."""
    failed = "" if failure is None else f"; the last poll failed: {failure}"
    if not watched.is_known:
        advice = "check the id and base_url, then wait again"
        return f"{failed}. Whether it exists is not known: {advice}"
    seen = "this wait saw no status" if watched.status is None else f"last seen as {watched.status}"
    lives = "It lives on" if failure is None else "It may live on"
    advice = f"{lives}: wait again, or stop it with session.tasks.stop(task_id)"
    if on_timeout != "leave":
        advice = being_ended(on_timeout)
    return f"; {seen}{failed}. {advice}"


def being_ended(action: EndAction) -> str:
    """The sentence about a task that is stopped or paused because the time is up."""
    return (
        f"The session asks the service to {action} it now (on_timeout={action!r}); the event "
        "EndActionAttempted and the log say whether that was done"
    )


def result_of(watched: WatchedTask) -> Task:
    """The task that has ended; raises the error if polling failed."""
    watched.raise_error()
    assert watched.task is not None
    return watched.task
