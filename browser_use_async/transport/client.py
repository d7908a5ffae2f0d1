"""One call of the API: its attempts, their outcomes, and the answer or the error."""

import asyncio
import contextlib
import math
import random
import uuid
from collections.abc import Awaitable, Callable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp
import attrs
from aiohttp.hdrs import DATE

from browser_use_async import errors
from browser_use_async.api import endpoint_table as table
from browser_use_async.api.long_poll import Wait
from browser_use_async.api.serialization import StatusPage, load_structure
from browser_use_async.api.submission_key import format_key
from browser_use_async.events import RetryScheduled, SlotAwaited
from browser_use_async.observing.observers import (
    AttemptBegan,
    AttemptEnded,
    CallTroubled,
    CreationEnded,
    ErrorMade,
    Observers,
    Subject,
    TaskEnded,
)
from browser_use_async.transport.config import CallLimits, Configuration
from browser_use_async.transport.connection_pool import PoolOptions
from browser_use_async.transport.connections import Connections
from browser_use_async.transport.error_factory import error_of
from browser_use_async.transport.limiter import AcquireTimeout, LongPause, Permit, RateLimiter
from browser_use_async.transport.request import OnHeaders, PreparedRequest, prepare
from browser_use_async.transport.response import Outcome, OutcomeKind, says_no_free_slot
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
from browser_use_async.transport.service import ServiceHealth, SubmissionKeys
from browser_use_async.types import PageQuery, Task, TaskId

if TYPE_CHECKING:
    from browser_use_async.transport.storage import Storage

_ONCE = RetryPolicy(max_attempts=1)

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
        observers: Observers | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.configuration = configuration
        self.retry = retry
        self.rng = rng if rng is not None else random.Random()  # noqa: S311 - jitter
        self.limits = CallLimits() if limits is None else limits
        self.observers = Observers() if observers is None else observers
        self.keys = SubmissionKeys(self.observers)
        self.connections = Connections(configuration, options, http, self.keys)
        self._options = options
        self._budget = RetryBudget(retry.budget)
        # Each attempt may wait for one pause of that length.
        self._timeout = AcquireTimeout(
            retry.retry_after_cap, retry.retry_after_cap * retry.max_attempts
        )
        self._rate_limiter: RateLimiter | None = None
        self.health = ServiceHealth(self.observers)
        self.server_clock = ServerClock()
        self._requests = 0  # requests sent; numbers the lines of a log
        load_structure()  # now, and not while a call waits for it

    @cached_property
    def storage(self) -> "Storage":
        """The transfers of files; loaded on first use."""
        from browser_use_async.transport.storage import Storage  # noqa: PLC0415

        return Storage(self.configuration, self._options, self.bind, self.connections.sleep)

    # --- calls ----------------------------------------------------------------------------

    async def call(
        self,
        endpoint: table.Endpoint,
        request: Any = None,
        body: Any = None,
        *,
        owner: str | None = None,
    ) -> Any:
        """Make a call, repeating it where that is safe, and return its typed answer."""
        if self.observers.admissions and endpoint.effect is table.Effect.CREATES:
            return await self._create(endpoint, body)
        return await self._answer(prepare(endpoint, request, body, owner=owner))

    async def _create(self, endpoint: table.Endpoint, body: Any) -> Any:
        """Make a call that creates something, if it is admitted, and report how it ended."""
        about, prepared = Subject(), None
        try:
            body = await self.observers.admit(endpoint, body, about)
            prepared = prepare(endpoint, None, body)
            prepared.about = about
            outcome = await self.perform(prepared)
        except BaseException as error:
            # A request that was sent may have been carried out.
            is_sent = prepared is not None and prepared.is_sent
            ended = CreationEnded(is_created=False, may_exist=is_sent, error=error)
            self.observers.notify(ended, about)
            raise
        is_created = outcome.kind is OutcomeKind.ACCEPTED
        may_exist = is_created or outcome.kind is OutcomeKind.AMBIGUOUS
        task_id = getattr(outcome.value, "id", None) if endpoint is table.RUN_TASK else None
        self.observers.notify(CreationEnded(is_created, may_exist, task_id), about)
        if is_created:
            return outcome.value
        raise self.error_of(prepared, outcome)

    async def call_once(
        self,
        endpoint: table.Endpoint,
        request: Any = None,
        *,
        wait: Wait | None = None,
        known: StatusPage | None = None,
        on_headers: OnHeaders | None = None,
    ) -> Any:
        """Make a call in exactly one request; it waits for pauses of any length."""
        # For callers that repeat by themselves, such as the poller.
        prepared = prepare(endpoint, request)
        prepared.wait, prepared.known, prepared.is_patient = wait, known, True
        prepared.on_headers = on_headers
        return await self._answer(prepared, _ONCE)

    async def call_patiently(
        self,
        endpoint: table.Endpoint,
        request: Any = None,
        *,
        about: object = None,
        key: str | None = None,
    ) -> Any:
        """Make a call whose repetitions cost no retry tokens; it waits for pauses of any length.

        A read with a key asks the service whether it keeps keys.
        """
        # For calls that protect money, such as the search for a task that may have been created.
        prepared = prepare(endpoint, request)
        prepared.about, prepared.is_patient = about, True
        prepared.key = None if key is None else format_key(key)
        return await self._answer(prepared, attrs.evolve(self.retry, budget=None))

    async def learn_keys(self) -> None:
        """Ask the service whether it keeps submission keys, unless an answer has shown it."""
        if self.keys.are_unknown:
            first = PageQuery(page=1, limit=1)
            await self.call_patiently(table.LIST_TASKS, first, key=uuid.uuid4().hex)

    async def _answer(self, prepared: PreparedRequest, retry: RetryPolicy | None = None) -> Any:
        outcome = await self.perform(prepared, retry)
        if outcome.kind is OutcomeKind.ACCEPTED:
            if prepared.on_headers is not None and outcome.reply is not None:
                prepared.on_headers(outcome.reply.headers)
            is_task = prepared.endpoint is table.GET_TASK
            if is_task and outcome.value.has_ended and self.observers.hears[TaskEnded]():
                task: Task = outcome.value
                self.observers.notify(TaskEnded(task, is_watched=False), task.id)
            return outcome.value
        if is_deleted(prepared.endpoint, outcome) or is_stopped(prepared.endpoint, outcome):
            return None
        # Without repetition a call is one request, so no status call follows it either.
        once = (self.retry if retry is None else retry).max_attempts == 1
        if not once and may_be_reached(prepared.endpoint, outcome):
            with contextlib.suppress(errors.BrowserUseError):
                task_id = TaskId(str(prepared.task_id))
                if is_reached(prepared.endpoint, await self.call(table.GET_TASK_STATUS, task_id)):
                    return None
        # Raised here and not where it was caught: frames and exceptions of aiohttp contain the key
        # and whole bodies, and would stay reachable from its traceback.
        raise self.error_of(prepared, outcome)

    def error_of(self, prepared: PreparedRequest, outcome: Outcome) -> errors.BrowserUseError:
        """A new error for a call that did not succeed."""
        error = error_of(prepared, outcome, self.configuration, self.health.served)
        self.observers.notify(ErrorMade(error), prepared.about)
        return error

    # --- retry, permit, wire --------------------------------------------------------------

    async def perform(self, prepared: PreparedRequest, retry: RetryPolicy | None = None) -> Outcome:
        """Make a call, repeating it where that is safe, and return its last outcome."""
        limiter = self.limiter()
        if self.configuration.api_key is None and prepared.endpoint.authenticated:
            raise self.configuration.missing_key()
        policy = self.retry if retry is None else retry
        prepared.most_attempts = policy.max_attempts
        attempt = self._attempt if prepared.submitting is None else self._attempt_with_slot
        first = await attempt(limiter, prepared)
        if first.kind is OutcomeKind.ACCEPTED:
            self._budget.record_success(1)
            return first
        if prepared.submitting is None:  # else it was reported with its slot
            self._report_trouble(prepared, first)
        is_free = policy.budget is None or prepared.endpoint.effect is table.Effect.CREATES
        retrying = Retrying(
            policy=policy,
            effect=partial(self._effect_of, prepared),
            rng=self.rng,
            sleep=self.connections.sleep,
            on_retry=partial(self._report_retry, prepared),
            budget=None if is_free else self._budget,
            ends_at=math.inf if prepared.submitting is None else prepared.submitting.ends_at,
            is_doubt_urgent=prepared.endpoint.takes_key,
        )
        last, attempts = await retrying.go_on(
            first, partial(self._attempt_again, limiter, prepared)
        )
        if last.kind is OutcomeKind.ACCEPTED:
            self._budget.record_success(1 if is_free else attempts)
        return last

    def _effect_of(self, prepared: PreparedRequest) -> table.Effect:
        """What sending a call again does."""
        # With a key that the service keeps, it has no further effect.
        is_named = prepared.key is not None and self.keys.are_kept
        return table.Effect.IDEMPOTENT if is_named else prepared.endpoint.effect

    async def _attempt_again(self, limiter: RateLimiter, prepared: PreparedRequest) -> Outcome:
        """Attempt a call of which an attempt has failed."""
        if prepared.submitting is not None:
            return await self._attempt_with_slot(limiter, prepared)
        outcome = await self._attempt(limiter, prepared)
        self._report_trouble(prepared, outcome)
        return outcome

    async def _attempt_with_slot(self, limiter: RateLimiter, prepared: PreparedRequest) -> Outcome:
        """Attempt a submission, repeated while the service says that too many tasks run."""
        submitting = prepared.submitting
        assert submitting is not None
        ends_at = min(limiter.loop.time() + self.limits.slot_timeout, submitting.ends_at)
        # One number for all attempts: a refused submission keeps its place in the queue.
        prepared.arrived, has_waited = limiter.next_number(), False
        while True:
            outcome = await self._attempt(limiter, prepared)
            if outcome.kind is OutcomeKind.ACCEPTED:
                outcome = await submitting.claim(outcome)
            if outcome.kind is OutcomeKind.ACCEPTED:
                return outcome
            left = ends_at - limiter.loop.time()
            is_full = outcome.reply is not None and says_no_free_slot(outcome.reply)
            self._report_trouble(prepared, outcome)
            submitting.on_failure(outcome)
            if not is_full or left <= 0:
                return outcome
            if not has_waited:
                self.observers.notify(SlotAwaited(left), prepared.about)
            has_waited = True

    async def _attempt(self, limiter: RateLimiter, prepared: PreparedRequest) -> Outcome:
        """Send one request, after a permit was acquired."""
        endpoint = prepared.endpoint
        # First without awaiting, which is enough for nearly all calls.
        permit: Permit | LongPause | None = limiter.acquire_now(endpoint)
        if permit is None:
            timeout = AcquireTimeout() if prepared.is_patient else self._timeout
            permit = await limiter.acquire(endpoint, timeout, prepared.arrived)
        if isinstance(permit, LongPause):
            problem = f"the service asked for a pause of which {permit.left:.0f} s are left"
            kind = OutcomeKind.NOT_SENT
            return Outcome(kind, problem=problem, transient=False, pause_left=permit.left)
        prepared.attempts += 1
        self._requests += 1
        outcome = None  # of a call that is cancelled, or that fails before it is sent
        sent_at = limiter.loop.time()
        is_observed = self.observers.hears[AttemptEnded]()
        send = self._send_observed if is_observed else self.connections.send
        try:
            if prepared.submitting is not None and prepared.submitting.before_sending is not None:
                await prepared.submitting.before_sending()
                # Work before the request, such as writing to a ledger, does not count as its time.
                sent_at = limiter.loop.time()
            outcome = sent = await send(prepared)
        finally:
            limiter.release(permit, endpoint, outcome)
        self.health.record(endpoint, sent, sent_at, limiter.loop)
        if prepared.key is not None:
            self.keys.record(prepared, sent, is_repeated=prepared.is_doubted)
            prepared.is_doubted = prepared.is_doubted or sent.kind is OutcomeKind.AMBIGUOUS
        if sent.reply is not None and (date := sent.reply.headers.get(DATE)) is not None:
            self.server_clock.record(date, limiter.loop.time())
        return sent

    # --- reports --------------------------------------------------------------------------

    def _report_retry(
        self, prepared: PreparedRequest, outcome: Outcome, failures: int, pause: float
    ) -> None:
        name, task_id = prepared.endpoint.name, prepared.task_id
        event = RetryScheduled(name, task_id, failures, pause, outcome.problem)
        self.observers.notify(event, prepared.about)

    def _report_trouble(self, prepared: PreparedRequest, outcome: Outcome) -> None:
        """Report the end of an attempt, if at least one attempt of the call has failed."""
        # Created only now: nearly all calls succeed at once, and need no subject.
        prepared.about = prepared.about if prepared.about is not None else Subject()
        problem = "" if outcome.kind is OutcomeKind.ACCEPTED else outcome.problem
        is_sent = outcome.kind is not OutcomeKind.NOT_SENT
        troubled = CallTroubled(prepared.endpoint, problem, is_sent)
        self.observers.notify(troubled, prepared.about)

    async def _send_observed(self, prepared: PreparedRequest) -> Outcome:
        """Send one request, and notify observers before it and after it."""
        loop, attempts = asyncio.get_running_loop(), (prepared.attempts, prepared.most_attempts)
        began = AttemptBegan(prepared.endpoint, prepared.task_id, self._requests, *attempts)
        self.observers.notify(began, prepared.about)
        sent_at = loop.time()
        outcome: Outcome | None = None
        failure: BaseException | None = None
        try:
            outcome = await self.connections.send(prepared)
        except BaseException as error:
            failure = error
            raise
        else:
            return outcome
        finally:
            reply = None if outcome is None else outcome.reply
            # Not in a variable: the error's traceback has this frame.
            self.observers.notify(
                AttemptEnded(
                    began,
                    None if reply is None else reply.status,
                    None if outcome is None else outcome.problem,
                    None if reply is None else reply.headers.get("X-Request-ID"),
                    failure,
                    loop.time() - sent_at,
                ),
                prepared.about,
            )
            failure = None

    # --- life -----------------------------------------------------------------------------

    def bind(self) -> asyncio.AbstractEventLoop:
        """The loop of this transport; connects on first use, and refuses any other loop."""
        return self.connections.bind()

    def limiter(self) -> RateLimiter:
        """The rate limiter; connects on first use, and raises as `bind` does."""
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
                # After the connections: all waiting calls are admitted, and each finds the session
                # closed.
                self._rate_limiter.close()
            if "storage" in self.__dict__:
                await self.storage.aclose()

    def __del__(self) -> None:
        # The session has already warned; three more warnings of aiohttp would hide that one. There
        # are no connections if the constructor has raised.
        if hasattr(self, "connections"):
            self._abandon()

    def _abandon(self) -> None:
        if self.connections.abandon() and "storage" in self.__dict__:
            self.storage.abandon()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session is not pickled; create one in the other process")
