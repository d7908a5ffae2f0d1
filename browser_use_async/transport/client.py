"""One call from start to end: attempts, their outcomes, and the error or the answer."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp
import attrs
from aiohttp.hdrs import DATE

from browser_use_async import errors
from browser_use_async.api.endpoint_table import GET_TASK_STATUS, Effect, Endpoint
from browser_use_async.api.serialization import load_structure
from browser_use_async.events import RetryScheduled, SessionEvent
from browser_use_async.transport.budget import RetryBudget
from browser_use_async.transport.configuration import Configuration
from browser_use_async.transport.connections import Connections
from browser_use_async.transport.failures import error_of
from browser_use_async.transport.governor import Governor, Pass, Patience
from browser_use_async.transport.lanes import (
    LaneOptions,
)
from browser_use_async.transport.limits import CallLimits
from browser_use_async.transport.prepared import PreparedRequest, prepare
from browser_use_async.transport.response import Outcome, OutcomeKind, may_try_again
from browser_use_async.transport.retry import Retrying, RetryPolicy
from browser_use_async.transport.service_clock import ServiceClock
from browser_use_async.transport.verification import (
    is_deleted,
    is_reached,
    is_stopped,
    may_be_reached,
)
from browser_use_async.types import TaskId

if TYPE_CHECKING:
    from browser_use_async.transport.storage import Storage

__all__ = ["Transport"]

_LOGGER = logging.getLogger("browser_use_async")
_ONCE = RetryPolicy(max_attempts=1)
_ENDLESS = Patience()
_COSTLY = frozenset({Effect.CREATES})


class Transport:
    """Makes calls. Belongs to the event loop and the process in which it first does."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        retry: RetryPolicy,
        options: LaneOptions,
        limits: CallLimits | None = None,
        http: aiohttp.ClientSession | None = None,
        on_event: Callable[[SessionEvent], None] | None = None,
        draw: random.Random | None = None,
    ) -> None:
        self.configuration = configuration
        self.retry = retry
        self.draw = draw if draw is not None else random.Random()  # noqa: S311 - jitter
        self.limits = CallLimits() if limits is None else limits
        self._connections = Connections(configuration, options, http)
        self._options = options
        self._budget = RetryBudget(retry.budget)
        self._patience = Patience(retry.retry_after_cap, retry.retry_after_cap * retry.max_attempts)
        self._on_event = on_event
        self._governor: Governor | None = None
        self.service_clock = ServiceClock()
        load_structure()  # now, and not while a call waits for it

    @cached_property
    def storage(self) -> "Storage":
        """Where files are kept; loaded by those who move some."""
        from browser_use_async.transport.storage import Storage  # noqa: PLC0415

        return Storage(self.configuration, self._options, self.bind, self._connections.rest)

    # --- calls ----------------------------------------------------------------------------

    async def call(self, endpoint: Endpoint, request: Any = None, body: Any = None) -> Any:
        """Make a call, repeating it where that is safe, and give its typed answer.

        Raises:
            BrowserUseError: The call did not succeed; which subclass says why.
        """
        return await self._answer(prepare(endpoint, request, body))

    async def call_once(self, endpoint: Endpoint, request: Any = None, body: Any = None) -> Any:
        """Make a call in exactly one request, for callers that repeat in their own way.

        It sits out any pause that the service asks for.

        Raises:
            BrowserUseError: The call did not succeed; which subclass says why.
        """
        return await self._answer(prepare(endpoint, request, body), _ONCE, _ENDLESS)

    async def call_patiently(
        self, endpoint: Endpoint, request: Any = None, body: Any = None
    ) -> Any:
        """Make a call on which money hangs: repeated whatever the budget, through any pause.

        Raises:
            BrowserUseError: The call did not succeed; which subclass says why.
        """
        prepared = prepare(endpoint, request, body)
        return await self._answer(prepared, attrs.evolve(self.retry, budget=None), _ENDLESS)

    async def _answer(
        self,
        prepared: PreparedRequest,
        retry: RetryPolicy | None = None,
        patience: Patience | None = None,
    ) -> Any:
        outcome, attempts = await self.outcome_of(prepared, retry, patience=patience)
        if outcome.kind is OutcomeKind.ACCEPTED:
            return outcome.value
        if is_deleted(prepared.endpoint, outcome) or is_stopped(prepared.endpoint, outcome):
            return None
        # Who switches repeating off wants one request for one call.
        once = (self.retry if retry is None else retry).max_attempts == 1
        if not once and await self._is_reached(prepared, outcome):
            return None
        # Raised here and not where it was caught: no frame or exception of aiohttp, which hold
        # the key and whole bodies, hangs on to it.
        raise self.error_of(prepared, outcome, attempts)

    async def _is_reached(self, prepared: PreparedRequest, outcome: Outcome) -> bool:
        """Look whether the task is where a call that ended badly was to bring it."""
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
        return error_of(prepared, outcome, attempts, self._hidden(prepared))

    async def outcome_of(
        self,
        prepared: PreparedRequest,
        retry: RetryPolicy | None = None,
        *,
        patience: Patience | None = None,
        arrived: int | None = None,
        before_sending: Callable[[], Awaitable[None]] | None = None,
        on_sent: Callable[[], None] | None = None,
    ) -> tuple[Outcome, int]:
        """Make a call and say what became of it."""
        governor = self._bound()
        if prepared.endpoint.authenticated and self.configuration.api_key is None:
            raise errors.ConfigurationError(
                "no API key: pass api_key=, or set BROWSER_USE_API_KEY; nothing was sent. "
                "`browser-use-async serve` runs a server of your own and prints its key"
            )

        policy = self.retry if retry is None else retry
        patience = self._patience if patience is None else patience

        first = await self._attempt(governor, prepared, patience, arrived, before_sending, on_sent)
        effect = prepared.endpoint.effect
        if first.kind is OutcomeKind.ACCEPTED:
            self._budget.succeeded(1)
            return first, 1
        if policy.max_attempts == 1 or not may_try_again(effect, first):
            return first, 0 if first.held is not None else 1

        # Made only now: nearly all calls succeed at once, and should pay for nothing else.
        async def attempt() -> Outcome:
            return await self._attempt(governor, prepared, patience, None, before_sending, on_sent)

        def tell(outcome: Outcome, failures: int, pause: float) -> None:
            self.emit(
                RetryScheduled(
                    prepared.endpoint.name, prepared.task_id, failures, pause, outcome.problem
                )
            )

        is_free = policy.budget is None or effect in _COSTLY
        budget = None if is_free else self._budget
        retrying = Retrying(policy, effect, self.draw, tell, self._connections.rest, budget)
        last, attempts = await retrying.after(first, attempt)
        if last.kind is OutcomeKind.ACCEPTED:
            self._budget.succeeded(attempts)
        return last, attempts

    async def _attempt(
        self,
        governor: Governor,
        prepared: PreparedRequest,
        patience: Patience,
        arrived: int | None,
        before_sending: Callable[[], Awaitable[None]] | None,
        on_sent: Callable[[], None] | None,
    ) -> Outcome:
        """One request on the wire, when it is its turn."""
        endpoint = prepared.endpoint
        admitted = governor.admit_now(endpoint)
        if admitted is None:
            turn = await governor.admit(endpoint, patience, arrived=arrived)
            if not isinstance(turn, Pass):
                return Outcome(
                    OutcomeKind.NOT_SENT,
                    problem=f"the service asked for a pause of which {turn:.0f} s are left",
                    transient=False,
                    held=turn,
                )
            admitted = turn
        outcome = None
        try:
            if before_sending is not None:
                await before_sending()
            outcome = sent = await self._connections.send(prepared, on_sent)
        finally:
            governor.leave(admitted, endpoint, outcome)
        if sent.reply is not None and (date := sent.reply.headers.get(DATE)) is not None:
            self.service_clock.note(date, governor.loop.time())
        return sent

    def _hidden(self, prepared: PreparedRequest) -> tuple[str, ...]:
        key = self.configuration.api_key
        secrets = prepared.body.secrets if prepared.body is not None else None
        return (*(() if key is None else (key.reveal(),)), *(secrets or {}).values())

    # --- life -----------------------------------------------------------------------------

    def bind(self) -> asyncio.AbstractEventLoop:
        """The loop that this transport belongs to; connects on first use.

        Raises:
            SessionClosedError: After `aclose()`.
            WrongEventLoopError: In another loop, or in a forked process.
        """
        return self._connections.bind()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that this transport belongs to, or None before its first use."""
        return self._connections.loop

    def _bound(self) -> Governor:
        loop = self._connections.bind()
        if self._governor is None:
            self._governor = Governor(loop, self.limits, self.draw)
        return self._governor

    @property
    def is_held(self) -> bool:
        """Whether nobody may call but one probe, because the service asked for a pause."""
        return self._governor is not None and self._governor.is_held

    def next_number(self) -> int:
        """A number for a call that may have to be made again, by which it keeps its place."""
        return self._bound().next_number()

    def slot_freed(self) -> None:
        """Tell that a task has ended, so that run-task may be tried again if it was held back."""
        if self._governor is not None:
            self._governor.slot_freed()

    @property
    def is_here(self) -> bool:
        """Whether the running loop is this transport's, or it has none yet."""
        return self._connections.is_here

    @property
    def is_open(self) -> bool:
        """Whether there are connections to close."""
        return self._connections.is_open

    def emit(self, event: SessionEvent) -> None:
        """Tell the user's callback; an exception of its own is logged and goes no further."""
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:
            _LOGGER.exception("on_event raised")

    async def aclose(self) -> None:
        """Close the connections. Calls under way get `SessionClosedError`.

        Raises:
            WrongEventLoopError: In another loop, which cannot close these connections unless
                their own is closed.
        """
        if self._connections.is_orphaned:
            self._abandon()
        if not (self.is_open and self.is_here):
            return await self._connections.aclose()
        try:
            await self._connections.aclose()
        finally:
            if self._governor is not None:
                self._governor.close()
            if "storage" in self.__dict__:
                await self.storage.aclose()

    def __del__(self) -> None:
        # The session has warned already; three more warnings of aiohttp would hide that one.
        if hasattr(self, "_connections"):
            self._abandon()

    def _abandon(self) -> None:
        if self._connections.abandon() and "storage" in self.__dict__:
            self.storage.abandon()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session is not pickled; create one in the other process")
