"""How long ago submissions were sent, by clocks that cannot be set."""

# This machine's wall clock may be wrong by any amount and be set at any moment. A submission whose
# age is wrong is overlooked, and paid for again. So requests of this process are timed by the event
# loop's clock, which only goes forward. Requests of another process are timed by the service's
# clock, which both processes know from the `Date` of its answers. Some hosts of a service may be
# wrong as well, so a process uses that clock only if its own clock agrees.

import asyncio
import math
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from browser_use_async.api.submission_token import SubmissionToken

CLOCK_SKEW = timedelta(minutes=30)
"""Seconds by which two readings of the service's clock may differ, and the dates of its rows."""

DATE_ERROR = 5.0  # seconds: a `Date` has no fractions, and is as old as its answer took to arrive
AGREEMENT = 60.0  # seconds between two clocks that are both taken for right
SUSPENDED = 60.0  # seconds between two clocks of this machine: it slept, or one was set
REMEMBERED = 10_000  # submissions without an answer; the times of older ones stand in their tokens


@attrs.frozen
class _Sending:
    loop_time: float
    wall_time: datetime


class SubmissionAges:
    """The ages of the submissions of one session."""

    def __init__(
        self, service_now: Callable[[], datetime | None], now: Callable[[], datetime]
    ) -> None:
        self._service_now = service_now
        self._now = now
        self._sent: dict[str, _Sending] = {}  # by mark

    def new_token(self, task: str, settle_window: float) -> SubmissionToken:
        """A new token, with the service's time if that is confirmed."""
        service_time = self._confirmed_time()
        if service_time is None:
            return SubmissionToken.new(task, settle_window, self._now())
        return SubmissionToken.new(task, settle_window, service_time, by_service=True)

    def record_sent(self, mark: str) -> None:
        """Record that a submission of this process is sent now; the first time counts."""
        if mark not in self._sent:
            loop_time = asyncio.get_running_loop().time()
            self._sent[mark] = _Sending(loop_time, self._now())
            if len(self._sent) > REMEMBERED:
                del self._sent[next(iter(self._sent))]

    def discard(self, mark: str) -> None:
        """Forget a submission that created nothing, or whose task is known."""
        self._sent.pop(mark, None)

    def min_age(self, token: SubmissionToken) -> float | None:
        """The least time since the first attempt, in seconds, or None if that is unknown."""
        sending = self._sent.get(token.mark)
        if sending is not None:
            return asyncio.get_running_loop().time() - sending.loop_time
        age = None if self._confirmed_time() is None else self._age_by_service(token)
        return None if age is None else max(age - DATE_ERROR, 0.0)

    def max_age(self, token: SubmissionToken) -> float:
        """The most time since the first attempt, in seconds; infinite if that is unknown."""
        sending, by_service = self._sent.get(token.mark), self._age_by_service(token)
        ages = [] if by_service is None else [by_service]
        if sending is not None:
            # The loop's clock stops while the machine sleeps, and the other one does not.
            ages.append(asyncio.get_running_loop().time() - sending.loop_time)
            ages.append((self._now() - sending.wall_time).total_seconds())
        return max(ages, default=math.inf)

    def for_other_process(self, token: SubmissionToken, lost_at: float) -> SubmissionToken:
        """The token for another process; its window begins when the answer was lost."""
        age = self.min_age(token)
        passed = 0.0 if age is None else age + lost_at - asyncio.get_running_loop().time()
        return self._stamped(token).extended(passed)

    def _stamped(self, token: SubmissionToken) -> SubmissionToken:
        sending, service_time = self._sent.get(token.mark), self._confirmed_time()
        if sending is None:  # sent by another process: without a time its window would not end
            return attrs.evolve(token, by_service=token.by_service and service_time is not None)
        age = asyncio.get_running_loop().time() - sending.loop_time
        drift = (self._now() - sending.wall_time).total_seconds() - age
        if service_time is None or abs(drift) > SUSPENDED:
            return attrs.evolve(token, sent_at=sending.wall_time, by_service=False)
        sent_at = service_time - timedelta(seconds=age)
        return attrs.evolve(token, sent_at=sent_at, by_service=True)

    def _confirmed_time(self) -> datetime | None:
        """The service's time, if this machine's clock agrees: both are rarely wrong alike."""
        service_time = self._service_now()
        if service_time is None:
            return None
        is_confirmed = abs((service_time - self._now()).total_seconds()) <= AGREEMENT
        return service_time if is_confirmed else None

    def _age_by_service(self, token: SubmissionToken) -> float | None:
        service_time = self._service_now()
        if service_time is None or not token.by_service:
            return None
        age = service_time - token.sent_at
        # A time in the future is wrong.
        return None if age < -CLOCK_SKEW else max(age.total_seconds(), 0.0)
