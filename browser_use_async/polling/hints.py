"""Hints: reasons to ask about a task before its next poll is due.

A hint ends no wait: the task is fetched at once, and that answer counts. While a source of hints
covers a task, polls of it are only a safety, once in 60 s. A source is relied on from its first
report on. If a poll finds an end that the source should have reported, it is not relied on until
its next report. The poller knows no source by name.
"""

import asyncio
import math
from collections.abc import Callable, Mapping

from browser_use_async.api.long_poll import Wait
from browser_use_async.polling.watched_task import Interest, WatchedTask, loop_time
from browser_use_async.types import TaskStatus

MAX_ENDS = 10_000  # reported ends that are remembered for waits that start later
_ANNOUNCED = frozenset({TaskStatus.FINISHED, TaskStatus.STOPPED})  # failures often are not


class HintSource:
    """Something that hears of changes of tasks, and calls `Hints.hint`.

    Attributes:
        is_trusted: Whether its reports arrive.
        question: What a status call asks so that the source learns from the answer.
    """

    is_trusted = False
    question: Wait | None = None

    def __init__(self, hints: "Hints") -> None:
        self._hints = hints
        hints.sources.append(self)

    def covers(self, watched: WatchedTask) -> bool:
        """Whether it reports all that the subscribers of a task need, and has missed nothing."""
        raise NotImplementedError

    def announces(self, status: TaskStatus) -> bool:
        """Whether it reports each change to this status."""
        return True

    def learn(self, headers: Mapping[str, str]) -> None:
        """Learn from the headers of an answered poll."""

    def update(self, now: float) -> float:
        """Begin or end what the watched tasks need; returns when this is due again."""
        return math.inf

    async def aclose(self) -> None:
        """End what it has begun."""

    def is_relied_on(self, watched: WatchedTask) -> bool:
        """Whether polls of a task are only a safety."""
        return self.is_trusted and not watched.needs_polling and self.covers(watched)


class Hints:
    """The sources of a session, and what they have reported.

    Args:
        sources: Those that are relied on.
        watched: The watched tasks, by id.
        ask: Fetches a task at once.
        end_long_pauses: Polls all tasks as often as without sources.

    Attributes:
        remembered_since: The loop time from which on no reported end has been forgotten.
    """

    def __init__(
        self,
        sources: list[HintSource],
        watched: Mapping[str, WatchedTask],
        ask: Callable[[WatchedTask, float], None],
        end_long_pauses: Callable[[float], None],
    ) -> None:
        self.sources = sources
        self.remembered_since = -math.inf
        self._watched = watched
        self._ask = ask
        self._end_long_pauses = end_long_pauses
        self._ends: dict[str, float] = {}  # when each was reported; the oldest first

    # --- called by sources ----------------------------------------------------------------

    def hint(self, task_id: str, *, has_ended: bool) -> None:
        """Ask about a task that has changed, if those who wait for it need that."""
        if has_ended:
            self._ends.pop(task_id, None)  # so that it is the newest
            self._ends[task_id] = _loop_time_if_any()
            if len(self._ends) > MAX_ENDS:
                forgotten = self._ends.pop(next(iter(self._ends)))
                self.remembered_since = math.nextafter(forgotten, math.inf)
        watched = self._watched.get(task_id)
        if watched is None or watched.settled:
            return
        # An end once: if get-task shows none, the task is polled like any other.
        is_news = not watched.end_reported if has_ended else watched.interest is not Interest.END
        watched.end_reported = watched.end_reported or has_ended
        if is_news:
            self._ask(watched, loop_time())

    def distrust(self, source: HintSource) -> None:
        """Poll as often as without a source, until its reports arrive again."""
        if source.is_trusted:
            source.is_trusted = False
            self._end_long_pauses(loop_time())

    # --- called by polls ------------------------------------------------------------------

    def recall(self, watched: WatchedTask) -> None:
        """Use an end that was reported before anybody waited for it."""
        if watched.task_id in self._ends and not watched.polls:
            watched.end_reported = watched.needs_get = True
            watched.next_poll_at = loop_time()

    def record_end(self, watched: WatchedTask, status: TaskStatus) -> None:
        """Record an end that a poll shows, before that poll counts."""
        for each in self.sources:
            if each.announces(status) and each.is_relied_on(watched):
                self.distrust(each)

    def update(self, now: float) -> float:
        """Let each source begin or end what it needs; returns when this is due again."""
        return min((each.update(now) for each in self.sources), default=math.inf)

    @property
    def question(self) -> Wait | None:
        """What a status call asks for the sources."""
        return next((each.question for each in self.sources if each.question is not None), None)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Let each source learn from the headers of an answered poll."""
        for each in self.sources:
            each.learn(headers)

    async def aclose(self) -> None:
        """End what the sources have begun."""
        await asyncio.gather(*(each.aclose() for each in self.sources))


def _loop_time_if_any() -> float:
    try:
        return loop_time()
    except RuntimeError:  # a webhook before the session's first call
        return -math.inf


class WebhookHints(HintSource):
    """Webhooks, which report ends. They may be late, come twice, or not at all."""

    def covers(self, watched: WatchedTask) -> bool:
        """A wait for an end that has not come before this session."""
        may_be_old = watched.submitted_at is None and not watched.polls
        return watched.interest is Interest.END and not may_be_old

    def announces(self, status: TaskStatus) -> bool:
        """Not failures, which a server reports only if it is asked to."""
        return status in _ANNOUNCED

    def record(self, task_id: str, *, has_ended: bool) -> None:
        """Record a webhook."""
        self.is_trusted = True
        self._hints.hint(task_id, has_ended=has_ended)
