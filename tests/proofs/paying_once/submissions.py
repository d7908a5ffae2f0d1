"""Submissions, the time until each was known, and the tasks that were paid for."""

import asyncio
import contextvars
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs

from browser_use_async import BrowserUseSession, RetryPolicy, errors
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.storage import TaskRecord
from browser_use_async.transport.config import Runtime

__all__ = ["Sent", "Verdict", "connected", "judged", "serving", "submit", "submit_all"]

QUICK_RETRIES = RetryPolicy(max_attempts=12, base_delay=0.02, max_delay=1.0, budget=None)

_TASK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_sent: contextvars.ContextVar["Sent | None"] = contextvars.ContextVar("sent", default=None)


@attrs.define(eq=False)
class Sent:
    """One submission.

    Attributes:
        job: The name of its task.
        task_id: The task that the caller got.
        failure: The exception that it got instead, or "".
        lost_at: The loop time at which its first answer was lost; None if none was.
        round_trips: Requests of it after that until it was known, and pages of the list, which all
            submissions in doubt share.
        doubt: Seconds from then until it was known.
        is_known: Whether the caller knows the result.
    """

    job: str
    task_id: str | None = None
    failure: str = ""
    lost_at: float | None = None
    round_trips: int = 0
    doubt: float = 0.0
    is_known: bool = False


@attrs.frozen
class Verdict:
    """The result of submissions.

    Attributes:
        jobs: How many there were.
        twice: How many have more than one task.
        lost: How many have a task whose id the caller did not get, or got another one for.
        missing: How many have no task.
        doubts: Of those whose answer was lost: round trips and seconds until it was known.
        failures: The exceptions that callers got.
    """

    jobs: int
    twice: int
    lost: int
    missing: int
    doubts: Sequence[tuple[int, float]]
    failures: Counter[str]

    @property
    def is_exact(self) -> bool:
        """Whether each job has one task, whose id its caller got."""
        return not (self.twice or self.lost or self.missing)

    @property
    def paid(self) -> str:
        """As a sentence."""
        text = f"{self.jobs} jobs: {self.twice} twice, {self.lost} lost, {self.missing} without one"
        raised = ", ".join(f"{count} {name}" for name, count in self.failures.items())
        return f"{text}; raised {raised}" if raised else text

    def lasted(self, share: float) -> tuple[int, float]:
        """Round trips and seconds that no more than a share of the doubts exceeds."""
        if not self.doubts:
            return 0, 0.0
        at = min(int(share * len(self.doubts)), len(self.doubts) - 1)
        return sorted(trips for trips, _ in self.doubts)[at], sorted(s for _, s in self.doubts)[at]


@attrs.define(eq=False)
class _Watch:
    """Counts the requests of one session that concern submissions in doubt. A middleware."""

    _in_doubt: list[Sent] = attrs.field(factory=list)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Make a request, and note when an answer to a submission is lost."""
        if not request.url.path.endswith("/run-task"):
            self._in_doubt = [each for each in self._in_doubt if not each.is_known]
            for each in self._in_doubt:
                each.round_trips += 1
            return await handler(request)
        sent = _sent.get()
        assert sent is not None
        sent.round_trips += sent.lost_at is not None
        try:
            return await handler(request)
        except aiohttp.ClientConnectionError:
            if sent.lost_at is None:
                sent.lost_at = asyncio.get_running_loop().time()
                self._in_doubt.append(sent)
            raise


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[LocalServer]:
    """The bundled server, whose tasks end at once and always have money."""
    executor = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=0.0))
    async with LocalServer(executor=executor, balance_cents=10**9, **options) as server:
        yield server


def connected(
    url: str, key: str, retry: RetryPolicy | None = None, window: float | None = None
) -> BrowserUseSession:
    """A session with that middleware, and with this settle window."""
    runtime = Runtime(settle_window=window)
    return BrowserUseSession(
        key, base_url=url, retry=retry, middlewares=[_Watch()], runtime=runtime
    )


async def submit(session: BrowserUseSession, job: str, *, resubmits: bool = False) -> Sent:
    """Submit one job, and record what it needed.

    Args:
        session: What it is submitted with.
        job: Its name.
        resubmits: Whether it is submitted again once an error has found no task.
    """
    sent = Sent(job)
    token = _sent.set(sent)
    try:
        sent.task_id = await _create(session, job, resubmits=resubmits)
    except errors.BrowserUseError as error:
        sent.failure = type(error).__name__
    finally:
        _sent.reset(token)
    sent.is_known = True
    if sent.lost_at is not None:
        sent.doubt = asyncio.get_running_loop().time() - sent.lost_at
    return sent


async def _create(session: BrowserUseSession, job: str, *, resubmits: bool) -> str:
    try:
        return (await session.submit("Pay it", metadata={"job": job})).id
    except errors.SubmissionUnknownError as error:
        if not resubmits:
            raise
        found = await error.resolve()
    return await _create(session, job, resubmits=False) if found is None else found.id


async def submit_all(
    session: BrowserUseSession, jobs: Iterable[str], *, at_once: int, resubmits: bool = False
) -> list[Sent]:
    """Submit many jobs, some of them at once."""
    waiting, found = iter(jobs), list[Sent]()

    async def work() -> None:
        for job in waiting:
            found.append(await submit(session, job, resubmits=resubmits))

    await asyncio.gather(*(work() for _each in range(at_once)))
    return found


def judged(all_sent: Sequence[Sent], tasks: Iterable[TaskRecord]) -> Verdict:
    """Compare the results of callers with the tasks of the server."""
    of_job: dict[str, list[str]] = {}
    for task in tasks:
        of_job.setdefault(task.metadata.get("job", ""), []).append(task.id)
    made = [(each, of_job.get(each.job, [])) for each in all_sent]
    return Verdict(
        jobs=len(made),
        twice=sum(len(ids) > 1 for _, ids in made),
        lost=sum(bool(ids) and each.task_id not in ids for each, ids in made),
        missing=sum(not ids for _, ids in made),
        doubts=[(each.round_trips, each.doubt) for each, _ in made if each.lost_at is not None],
        failures=Counter(each.failure for each, _ in made if each.failure),
    )


class Heard(logging.Handler):
    """The SDK's log, each sentence once, without ids."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Note a line."""
        line = _TASK_ID.sub("…", record.getMessage())
        self.lines[line] = self.lines.get(line, 0) + 1
