"""One call of the API: its attempts, their outcomes, and the answer or the error."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp
import attrs
from aiohttp.hdrs import DATE

from browser_use_async import errors
from browser_use_async.api.endpoint_table import GET_TASK, GET_TASK_STATUS, Effect, Endpoint
from browser_use_async.api.held_calls import Wait
from browser_use_async.api.serialization import LIST_STATUSES, StatusPage, load_structure
from browser_use_async.events import RetryScheduled, SessionEvent, SlotAwaited, SubmissionAdopted
from browser_use_async.logs import LOGGER
from browser_use_async.timeline import TimelineKind, TimelineRecorder, Timelines
from browser_use_async.transport.config import CallLimits, Configuration, missing_key
from browser_use_async.transport.connection_pool import PoolOptions
from browser_use_async.transport.connections import Connections
from browser_use_async.transport.error_factory import error_of
from browser_use_async.transport.health import ServiceHealth, emit
from browser_use_async.transport.held_calls import HeldCalls
from browser_use_async.transport.rate_limiter import AcquireTimeout, Permit, RateLimiter
from browser_use_async.transport.request import PreparedRequest, prepare
from browser_use_async.transport.response import Outcome, OutcomeKind
from browser_use_async.transport.retry import (
    RetryBudget,
    Retrying,
    RetryPolicy,
    ServerClock,
    is_deleted,
    is_reached,
    is_stopped,
    may_be_reached,
)
from browser_use_async.types import TaskId

if TYPE_CHECKING:
    from browser_use_async.budget import PaidCalls
    from browser_use_async.telemetry import Telemetry
    from browser_use_async.transport.storage import Storage

_ONCE = RetryPolicy(max_attempts=1)
_NO_TIMEOUT = AcquireTimeout()

# Makes the call of an endpoint's row, with a request and a body, and returns its typed answer.
Call = Callable[..., Awaitable[Any]]


class Transport:
    """Makes calls, in the event loop and the process in which it made the first one."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        retry: RetryPolicy,
        options: PoolOptions,
        limits: CallLimits | None = None,
        http: aiohttp.ClientSession | None = None,
        on_event: Callable[[SessionEvent], None] | None = None,
        rng: random.Random | None = None,
        timelines: Timelines | None = None,
    ) -> None:
        self.configuration = configuration
        self.retry = retry
        self.rng = rng if rng is not None else random.Random()  # noqa: S311 - jitter
        self.limits = CallLimits() if limits is None else limits
        self.connections = Connections(configuration, options, http)
        self._options = options
        self._budget = RetryBudget(retry.budget)
        # Each attempt may sit out one pause of that length.
        self._timeout = AcquireTimeout(
            retry.retry_after_cap, retry.retry_after_cap * retry.max_attempts
        )
        self._on_event = on_event
        self._rate_limiter: RateLimiter | None = None
        self.health = ServiceHealth(configuration.base_url, on_event)
        self.server_clock = ServerClock()
        self.timelines = Timelines() if timelines is None else timelines
        self.telemetry: Telemetry | None = None
        self.paid_calls: PaidCalls | None = None  # from the first budget on
        self._requests = 0  # that were sent, to tell the lines of a log apart
        load_structure()  # now, and not while a call waits for it

    @cached_property
    def held_calls(self) -> HeldCalls:
        """The calls whose answers the service holds back, if it can."""
        return HeldCalls(self.connections, self.limiter, self.error_of)

    @cached_property
    def storage(self) -> "Storage":
        """The transfers of files; loaded on first use."""
        from browser_use_async.transport.storage import Storage  # noqa: PLC0415

        return Storage(self.configuration, self._options, self.bind, self.connections.sleep)

    # --- calls ----------------------------------------------------------------------------

    async def call(self, endpoint: Endpoint, request: Any = None, body: Any = None) -> Any:
        """Make a call, repeating it where that is safe, and return its typed answer."""
        if self.paid_calls is not None and endpoint.effect is Effect.CREATES:
            return await self.paid_calls.call(endpoint, body)
        return await self._answer(prepare(endpoint, request, body))

    async def call_once(
        self,
        endpoint: Endpoint,
        request: Any = None,
        *,
        wait: Wait | None = None,
        known: StatusPage | None = None,
    ) -> Any:
        """Make a call in exactly one request, however long it has to wait for a pause to end."""
        # For callers that repeat in their own way, such as the poller.
        prepared = prepare(endpoint, request)
        prepared.wait, prepared.known, prepared.is_patient = wait, known, True
        return await self._answer(prepared, _ONCE)

    async def call_patiently(
        self,
        endpoint: Endpoint,
        request: Any = None,
        body: Any = None,
        *,
        recorder: TimelineRecorder | None = None,
    ) -> Any:
        """Make a call with free repetitions, however long it has to wait for a pause to end."""
        # For calls that protect money, such as the search for a task that may have been created.
        prepared = prepare(endpoint, request, body)
        prepared.recorder, prepared.is_patient = recorder, True
        return await self._answer(prepared, attrs.evolve(self.retry, budget=None))

    async def _answer(self, prepared: PreparedRequest, retry: RetryPolicy | None = None) -> Any:
        outcome, attempts = await self.outcome_of(prepared, retry)
        if outcome.kind is OutcomeKind.ACCEPTED:
            if prepared.endpoint is LIST_STATUSES or prepared.wait is not None:
                self.held_calls.learn(prepared, outcome.reply)
            if self.paid_calls is not None and prepared.endpoint is GET_TASK:
                self.paid_calls.record_answer(outcome.value)
            return outcome.value
        if is_deleted(prepared.endpoint, outcome) or is_stopped(prepared.endpoint, outcome):
            return None
        # Without repetition a call is one request, so no status call follows it either.
        once = (self.retry if retry is None else retry).max_attempts == 1
        if not once and await self._is_reached(prepared, outcome):
            return None
        # Raised here and not where it was caught: frames and exceptions of aiohttp hold the key
        # and whole bodies, and would stay reachable from its traceback.
        raise self.error_of(prepared, outcome, attempts)

    async def _is_reached(self, prepared: PreparedRequest, outcome: Outcome) -> bool:
        """Ask for the status of a task, to see whether a failed call had its effect."""
        if not may_be_reached(prepared.endpoint, outcome):
            return False
        try:
            status = await self.call(GET_TASK_STATUS, TaskId(str(prepared.task_id)))
        except errors.BrowserUseError:
            return False
        return is_reached(prepared.endpoint, outcome, status)

    def error_of(
        self, prepared: PreparedRequest, outcome: Outcome, attempts: int
    ) -> errors.BrowserUseError:
        """A fresh error for a call that did not succeed."""
        key, body = self.configuration.api_key, prepared.body
        texts = {} if body is None or body.secrets is None else body.secrets
        secrets = (*(() if key is None else (key.reveal(),)), *texts.values())
        base_url = self.configuration.base_url
        error = error_of(prepared, outcome, attempts, secrets, self.health.served, base_url)
        if outcome.recorder is not None:
            error.timeline = outcome.recorder.timeline()
        return error

    async def outcome_of(
        self, prepared: PreparedRequest, retry: RetryPolicy | None = None
    ) -> tuple[Outcome, int]:
        """Make a call, and return its last outcome and the number of attempts."""
        limiter = self.limiter()
        if self.configuration.api_key is None and prepared.endpoint.authenticated:
            raise missing_key()
        policy = self.retry if retry is None else retry
        prepared.most_attempts = prepared.most_attempts or policy.max_attempts
        first = await self._attempt(limiter, prepared)
        effect = prepared.endpoint.effect
        if first.kind is OutcomeKind.ACCEPTED:
            self._budget.record_success(1)
            return first, 1
        # Only now: a call that succeeds at once, as nearly all do, has no timeline.
        recorder = prepared.recorder = prepared.recorder or self.timelines.new()
        _record(recorder, prepared, first)

        # Built only now: nearly all calls succeed at once, and should not pay for this.
        async def attempt() -> Outcome:
            outcome = await self._attempt(limiter, prepared)
            _record(recorder, prepared, outcome)
            return outcome

        is_free = policy.budget is None or effect is Effect.CREATES
        budget = None if is_free else self._budget
        on_retry = partial(self.report_retry, recorder, prepared)
        retrying = Retrying(policy, effect, self.rng, on_retry, self.connections.sleep, budget)
        last, attempts = await retrying.go_on(first, attempt)
        if last.kind is OutcomeKind.ACCEPTED:
            self._budget.record_success(attempts)
        return last, attempts

    async def _attempt(self, limiter: RateLimiter, prepared: PreparedRequest) -> Outcome:
        """One request on the wire, after a permit was acquired."""
        endpoint = prepared.endpoint
        prepared.attempts += 1
        # Tried without awaiting first, which nearly all calls can do.
        permit = limiter.acquire_now(endpoint)
        if permit is None:
            timeout = _NO_TIMEOUT if prepared.is_patient else self._timeout
            acquired = await limiter.acquire(endpoint, timeout, arrived=prepared.arrived)
            if not isinstance(acquired, Permit):
                return Outcome(
                    OutcomeKind.NOT_SENT,
                    problem=f"the service asked for a pause of which {acquired:.0f} s are left",
                    transient=False,
                    held=acquired,
                )
            permit = acquired
        # None is released as a call without an answer: cancelled, or failed before it was sent.
        outcome = None
        self._requests = request = self._requests + 1
        sent_at = limiter.loop.time()
        try:
            if prepared.before_sending is not None:
                await prepared.before_sending()
                # What was awaited before, such as the row of a ledger, is no part of the request's
                # time.
                sent_at = limiter.loop.time()
            sending = self.connections.send(prepared)
            if self.telemetry is not None:
                sending = self.telemetry.send(prepared, sending)
            outcome = sent = await sending
        finally:
            limiter.release(permit, endpoint, outcome)
            # A call pays for its line only where there is a reader.
            if LOGGER.isEnabledFor(logging.DEBUG):
                seconds = limiter.loop.time() - sent_at
                _log_attempt(request, prepared, outcome, seconds)
        self.health.record(endpoint, sent, sent_at, limiter.loop)
        if sent.reply is not None and (date := sent.reply.headers.get(DATE)) is not None:
            self.server_clock.record(date, limiter.loop.time())
        return sent

    # --- life -----------------------------------------------------------------------------

    def bind(self) -> asyncio.AbstractEventLoop:
        """The loop that this transport belongs to; connects on first use, and refuses any other."""
        return self.connections.bind()

    def limiter(self) -> RateLimiter:
        """What admits calls; connects on first use, and raises as `bind` does."""
        loop = self.connections.bind()
        if self._rate_limiter is None:
            self._rate_limiter = RateLimiter(loop, self.limits, self.rng)
        return self._rate_limiter

    @property
    def is_paused(self) -> bool:
        """Whether only a probe is admitted, because the service asked for a pause."""
        return self._rate_limiter is not None and self._rate_limiter.is_paused

    def release_slot(self) -> None:
        """Record that a task has ended, so that a queued run-task may be tried again."""
        if self._rate_limiter is not None:
            self._rate_limiter.release_slot()

    def report_retry(
        self,
        recorder: TimelineRecorder,
        prepared: PreparedRequest,
        outcome: Outcome,
        failures: int,
        pause: float,
    ) -> None:
        """Record a retry, and emit `RetryScheduled`."""
        name, task_id = prepared.endpoint.name, prepared.task_id
        recorder.record(TimelineKind.RETRIED, f"{prepared.endpoint} after {pause:.1f} s")
        self.emit(RetryScheduled(name, task_id, failures, pause, outcome.problem))

    def emit(self, event: SessionEvent) -> None:
        """Log an event, and call the user's callback; its exceptions are logged and not raised."""
        if isinstance(event, RetryScheduled | SlotAwaited | SubmissionAdopted):
            LOGGER.info("%s", event, extra={"event": event})
        emit(event, self._on_event)

    async def aclose(self) -> None:
        """Close the connections. Calls under way get `SessionClosedError`."""
        if self.connections.is_loop_closed:
            self._abandon()
        if not (self.connections.is_open and self.connections.is_in_own_loop):
            return await self.connections.aclose()
        try:
            await self.connections.aclose()
        finally:
            self.health.aclose()
            if self._rate_limiter is not None:
                # After the connections: all who wait are admitted, and each finds the session
                # closed.
                self._rate_limiter.close()
            if "storage" in self.__dict__:
                await self.storage.aclose()

    def __del__(self) -> None:
        # The session has warned already; three more warnings of aiohttp would hide that warning.
        # Without them if the constructor has raised.
        if hasattr(self, "connections"):
            self._abandon()

    def _abandon(self) -> None:
        if self.connections.abandon() and "storage" in self.__dict__:
            self.storage.abandon()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session is not pickled; create one in the other process")


def _record(recorder: TimelineRecorder, prepared: PreparedRequest, outcome: Outcome) -> None:
    """Record how an attempt ended, in a call of which at least one failed."""
    outcome.recorder = recorder
    if outcome.kind is OutcomeKind.ACCEPTED:
        kind, text = TimelineKind.ANSWERED, str(prepared.endpoint)
    else:
        is_sent = outcome.kind is not OutcomeKind.NOT_SENT
        kind = TimelineKind.FAILED if is_sent else TimelineKind.NOT_SENT
        text = f"{prepared.endpoint}: {outcome.problem}"
    recorder.record(kind, text)


def _log_attempt(
    request: int, prepared: PreparedRequest, outcome: Outcome | None, seconds: float
) -> None:
    """Log one attempt: its route and not its URL, whose query could be a secret."""
    number, most = prepared.attempts, prepared.most_attempts
    reply = None if outcome is None else outcome.reply
    result = "cancelled" if outcome is None else outcome.problem
    about = "" if prepared.task_id is None else f", task {prepared.task_id}"
    if reply is not None:
        result = str(reply.status)
        if (request_id := reply.headers.get("X-Request-ID")) is not None:
            # The server's own text, which must not begin another line.
            shown = "".join(each for each in request_id[:100] if each.isprintable())
            about += f", request id {shown}"
    attempt = f"{number} of {max(number, most)}"
    text = "#%d %s %s in %.0f ms, attempt %s%s"
    LOGGER.debug(text, request, prepared.endpoint, result, seconds * 1000, attempt, about)
