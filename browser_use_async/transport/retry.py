"""Retry policy: which failed calls may be sent again, with what backoff, and at whose expense."""

# What a server says about time is read here as well: `Retry-After` and the `Date` of its answers.

import asyncio
import math
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import attrs

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.limits import check_counts, check_seconds, is_seconds
from browser_use_async.errors import ConfigurationError
from browser_use_async.transport.response import TRANSIENT_STATUSES, Outcome, OutcomeKind
from browser_use_async.types import TaskStatus

if TYPE_CHECKING:
    import tenacity


_ALREADY = frozenset({400, 409})  # statuses with which a stop of a stopped task is rejected

# Two wordings were seen of the service, "Agent session already stopped" and "... already ended";
# our own server names the status.
_HAS_ENDED = re.compile(
    rb"(?<!not )\balready (?:been )?"
    rb"(?:stopped|ended|finished|completed|failed|cancell?ed|terminated)\b",
    re.IGNORECASE,
)
_MAX_SEARCHED = 4096  # bytes


def may_try_again(effect: table.Effect, outcome: Outcome) -> bool:
    """Whether the same call may be sent once more without a risk of paying twice."""
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return False
        case OutcomeKind.NOT_SENT:
            return outcome.transient
        # Refused before anything was done, so that a paying call may be sent again as well.
        case _ if outcome.status == 429:
            return True
        case _ if effect not in {table.Effect.READS, table.Effect.IDEMPOTENT}:
            return False
        case _:
            # `X-Should-Retry` counts for these calls only: for others it could cost money.
            if (hint := _retry_hint(outcome)) is not None:
                return hint
            good = outcome.status is None or 200 <= outcome.status < 300
            return good or outcome.status in TRANSIENT_STATUSES


def _retry_hint(outcome: Outcome) -> bool | None:
    """What the server says about repeating a call that it did not accept."""
    if outcome.reply is None or 200 <= outcome.reply.status < 300:
        return None
    said = outcome.reply.headers.get("X-Should-Retry", "").strip().lower()
    return {"true": True, "false": False}.get(said)


# --- whether a call that failed had its effect ------------------------------------------------

# A status call shows whether a task reached the state that a call asked for. A stop of a task that
# has ended has nothing left to do, and neither has a delete of what an earlier attempt deleted.


def is_deleted(endpoint: table.Endpoint, outcome: Outcome) -> bool:
    """Whether a delete was answered with 404 because an earlier attempt deleted the resource."""
    return endpoint.method == "DELETE" and outcome.doubted and outcome.status == 404


def is_stopped(endpoint: table.Endpoint, outcome: Outcome) -> bool:
    """Whether a stop was rejected with a text that says that the task has ended."""
    return (
        endpoint is table.STOP_TASK
        and outcome.reply is not None
        and outcome.status in _ALREADY
        and _HAS_ENDED.search(outcome.reply.body[:_MAX_SEARCHED]) is not None
    )


def may_be_reached(endpoint: table.Endpoint, outcome: Outcome) -> bool:
    """Whether the status of the task can show that the call had its effect."""
    if endpoint is table.STOP_TASK:
        return _is_doubtful(outcome) or outcome.status in _ALREADY
    return endpoint.effect is table.Effect.SWITCHES and _is_doubtful(outcome)


def is_reached(endpoint: table.Endpoint, status: TaskStatus) -> bool:
    """Whether the task is in the state that the call asked for."""
    if endpoint is table.STOP_TASK:
        return status.is_terminal
    if endpoint is table.PAUSE_TASK:
        return status is TaskStatus.PAUSED
    assert endpoint is table.RESUME_TASK
    return status.is_known and status is not TaskStatus.PAUSED and not status.is_terminal


def _is_doubtful(outcome: Outcome) -> bool:
    return outcome.doubted or outcome.kind is OutcomeKind.AMBIGUOUS


RETRY_COST = 14.0  # tokens of one repetition, paid back when it succeeds
SUCCESS_GAIN = 1.0  # tokens that a call adds which succeeds at once
CLOCK_TOLERANCE = 60.0  # seconds: an answer takes a while, and its `Date` has no fractions
YEARS = range(1971, 5000)  # in which a service may be, and which a token has room for
# int() and float() would take "1_000", "1e400", "nan" and digits of other scripts. Ten digits and
# more are a time since 1970 that was sent by mistake.
_SECONDS = r"\d{1,9}(\.\d+)?"


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often and how fast a failed call is repeated.

    What may be repeated follows from the call, not from this policy: a call that costs money is
    sent again only if it provably was not sent, or on 429.

    Attributes:
        max_attempts: Requests per call, the first one included; 1 switches repeating off.
        base_delay: Seconds; the first pause is drawn between 0 and this.
        max_delay: Seconds; the ceiling doubles with each failure up to this.
        retry_after_cap: Seconds of `Retry-After` that a call sits out; above it the call fails
            at once and the error carries the figure.
        budget: How many tokens the session has for repeating calls. A repetition costs 14, which
            come back if it succeeds; a call that succeeds at once adds 1. So a service that is
            down soon gets one request per call. Calls that cost money are repeated whatever is
            left, since that is only done when it is safe. None switches this off.
    """

    max_attempts: int = 4
    base_delay: float = 0.5
    max_delay: float = 8.0
    retry_after_cap: float = 60.0
    budget: float | None = 500.0

    def __attrs_post_init__(self) -> None:
        check_counts(max_attempts=self.max_attempts)
        check_seconds(base_delay=self.base_delay, max_delay=self.max_delay)
        check_seconds(retry_after_cap=self.retry_after_cap)
        if self.budget is not None and not is_seconds(self.budget):
            raise ConfigurationError(
                f"budget must be a number of tokens of 0 or more, not {self.budget!r}"
            )

    def ceiling(self, failures: int) -> float:
        """The longest pause, in seconds, after so many failures in a row, counted from 1."""
        # Doubling stops mattering long before it overflows.
        return float(min(self.max_delay, self.base_delay * 2.0 ** min(failures - 1, 60)))

    def pause(self, outcome: Outcome, failures: int, rng: random.Random) -> float | None:
        """Seconds to wait before the next attempt, or None if the server asks for too many."""
        # Full jitter inside the ceiling, so that even capped pauses stay spread; what the server
        # asks for is a floor.
        jitter = rng.uniform(0.0, self.ceiling(failures))
        asked = None if outcome.reply is None else retry_after_seconds(outcome.reply.headers)
        if asked is None:
            return jitter
        if asked > self.retry_after_cap:
            return None
        # Never less than the jitter: `Retry-After: 0` is no leave to hammer the service.
        return max(jitter, asked + min(jitter, 0.1 * asked))


class RetryBudget:
    """A token bucket for repetitions, as in the AWS SDKs. None as capacity makes them free."""

    # While most calls succeed it is full. In an outage it runs dry, and then calls are made once
    # each: a service that is down does not get four times as many requests as one that is up.

    __slots__ = ("_capacity", "_tokens")

    def __init__(self, capacity: float | None) -> None:
        self._capacity = capacity
        self._tokens = 0.0 if capacity is None else capacity

    def spend(self) -> bool:
        """Pay for a repetition; returns whether there were enough tokens for it."""
        if self._capacity is None:
            return True
        if self._tokens < RETRY_COST:
            return False
        self._tokens -= RETRY_COST
        return True

    def record_success(self, attempts: int) -> None:
        """Put tokens back for a call that succeeded."""
        if self._capacity is not None and self._tokens < self._capacity:
            gain = SUCCESS_GAIN if attempts == 1 else RETRY_COST
            self._tokens = min(self._tokens + gain, self._capacity)


@attrs.frozen(eq=False, repr=False, kw_only=True)
class Retrying:
    """Repeats one call that has failed; tenacity counts the attempts."""

    policy: RetryPolicy
    effect: Callable[[], table.Effect]  # what sending the call again does, as known so far
    rng: random.Random
    sleep: Callable[[float], Awaitable[None]]
    # Called before each pause with the failed outcome, the failed attempts, and the pause
    on_retry: Callable[[Outcome, int, float], None]
    budget: RetryBudget | None = None  # what repetitions are paid from; None if they are free
    ends_at: float = math.inf  # the loop time after which an answer is of no use
    is_doubt_urgent: bool = False  # whether a call whose answer was lost is sent again at once

    async def go_on(
        self, first: Outcome, attempt: Callable[[], Awaitable[Outcome]]
    ) -> tuple[Outcome, int]:
        """Repeat while that is allowed; returns the last outcome and the number of attempts."""
        # The first attempt is made without tenacity, which would cost more than a successful call
        # itself. It is loaded by the first failure, which most programs never have.
        if self.policy.max_attempts == 1 or not self._may_try_again(first):
            return first, 1
        import tenacity  # noqa: PLC0415

        last: Outcome | None = None

        async def once() -> Outcome:
            nonlocal last
            last = first if last is None else _compared(await attempt(), last)
            return last

        # A new object for each call: a shared one mixes up concurrent calls. Only synchronous
        # callbacks, and results instead of exceptions, so that a cancellation is never caught.
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_result(self._may_try_again),
            wait=self._pause,
            stop=self._stops,
            before_sleep=lambda state: self.on_retry(
                _outcome(state), state.attempt_number, state.upcoming_sleep
            ),
            sleep=self.sleep,
            retry_error_callback=_outcome,
        )
        outcome: Outcome = await retrying(once)
        return outcome, int(retrying.statistics["attempt_number"])

    def _may_try_again(self, outcome: Outcome) -> bool:
        return not outcome.repeated and may_try_again(self.effect(), outcome)

    def _pause(self, state: "tenacity.RetryCallState") -> float:
        outcome = _outcome(state)
        is_lost = outcome.kind is OutcomeKind.AMBIGUOUS and outcome.reply is None
        if self.is_doubt_urgent and is_lost and state.attempt_number == 1:
            return 0.0
        pause = self.policy.pause(outcome, state.attempt_number, self.rng)
        return math.inf if pause is None else pause

    def _stops(self, state: "tenacity.RetryCallState") -> bool:
        if state.attempt_number >= self.policy.max_attempts:
            return True
        # No pause is begun that would end after the deadline.
        if asyncio.get_running_loop().time() + state.upcoming_sleep > self.ends_at:
            return True
        if math.isinf(state.upcoming_sleep):
            return True
        # A 429 makes the rate limiter pause all calls, so its repetition costs no tokens.
        costs = _outcome(state).status != 429
        # Last, since asking spends a token, which no other reason to stop may do.
        return costs and self.budget is not None and not self.budget.spend()


def _compared(outcome: Outcome, before: Outcome) -> Outcome:
    """The outcome of an attempt, compared with the previous one."""
    outcome.doubted = before.doubted or before.kind is OutcomeKind.AMBIGUOUS
    # If answers were mixed up, the new connection of the next attempt helps. An answer that is
    # wrong twice at the same place in the same way is the service's own. A body that cannot be read
    # at all (at "$") is not, since a proxy may have written it.
    is_wrong = outcome.path not in {None, "$"}
    is_same = (outcome.path, outcome.problem) == (before.path, before.problem)
    outcome.repeated = is_wrong and is_same
    return outcome


def _outcome(state: "tenacity.RetryCallState") -> Outcome:
    future = state.outcome
    assert future is not None
    outcome: Outcome = future.result()
    return outcome


# --- times in headers -----------------------------------------------------------------------


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, or None if `Retry-After` is absent or unreadable."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(_SECONDS, text, re.ASCII):
        return float(text)
    until = _http_date(text)
    if until is None:
        return None
    # Relative to the response's own `Date`: this machine's clock may be wrong.
    now = _http_date(headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


# A busy session reads the same date many times: dates have no fractions of a second.
@lru_cache(maxsize=8)
def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


class ServerClock:
    """The time at the service, from the `Date` of its answers."""

    # It advances with the event loop's clock, so that setting this machine's clock does not matter.
    # The last two answers have to agree: a single `Date` may come from a cache or from a host whose
    # clock is wrong, and the machine may have slept since the previous answer.

    __slots__ = ("_last", "_previous")

    def __init__(self) -> None:
        # Each call records a date and few callers read one, so the text is parsed when read.
        self._previous: tuple[str, float] | None = None
        self._last: tuple[str, float] | None = None

    def record(self, date: str, received_at: float) -> None:
        """Record the `Date` of an answer, and the loop time at which it came."""
        self._previous, self._last = self._last, (date, received_at)

    def now(self) -> datetime | None:
        """The time at the service, or None until two answers agree on it."""
        now, previous = _read(self._last), _read(self._previous)
        if now is None or previous is None:
            return None
        return now if abs((now - previous).total_seconds()) <= CLOCK_TOLERANCE else None

    def unconfirmed(self) -> datetime | None:
        """The time by the last answer alone, for callers that check it themselves."""
        return _read(self._last)


def _read(recorded: tuple[str, float] | None) -> datetime | None:
    """The time now, according to one answer."""
    date = None if recorded is None else _http_date(recorded[0])
    if recorded is None or date is None or date.year not in YEARS:
        return None
    return date + timedelta(seconds=asyncio.get_running_loop().time() - recorded[1])
