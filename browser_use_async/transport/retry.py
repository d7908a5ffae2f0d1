"""When to try again, and after how long. tenacity turns the wheel and is seen by nobody."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import attrs

from browser_use_async.api.endpoint_table import Effect
from browser_use_async.api.limits import is_count
from browser_use_async.errors import ConfigurationError
from browser_use_async.transport.budget import RetryBudget
from browser_use_async.transport.response import Outcome, OutcomeKind, may_try_again
from browser_use_async.transport.retry_after import retry_after_seconds
from browser_use_async.types.base import Value

if TYPE_CHECKING:
    import tenacity

__all__ = ["RetryPolicy", "Retrying"]


@attrs.frozen(eq=False, kw_only=True, repr=False)
class RetryPolicy(Value):
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
        if not is_count(self.max_attempts):
            raise ConfigurationError(
                f"max_attempts must be a whole number from 1, not {self.max_attempts!r}"
            )
        for name in ("base_delay", "max_delay", "retry_after_cap"):
            seconds = getattr(self, name)
            if not _is_duration(seconds):
                raise ConfigurationError(
                    f"{name} must be a number of seconds of 0 or more, not {seconds!r}"
                )
        if self.budget is not None and not _is_duration(self.budget):
            raise ConfigurationError(
                f"budget must be a number of tokens of 0 or more, not {self.budget!r}"
            )

    def ceiling(self, failures: int) -> float:
        """The longest pause, in seconds, after so many failures in a row.

        Args:
            failures: How many attempts have failed, counted from 1.
        """
        # Doubling stops mattering long before it overflows.
        return float(min(self.max_delay, self.base_delay * 2.0 ** min(failures - 1, 60)))

    def pause(self, outcome: Outcome, failures: int, draw: random.Random) -> float | None:
        """Seconds to wait before the next attempt, or None if the server asks for too many.

        Full jitter inside the ceiling, so that even capped pauses stay spread; what the server
        asks for is a floor.

        Args:
            outcome: What became of the last attempt.
            failures: How many attempts have failed, counted from 1.
            draw: The source of chance.
        """
        jitter = draw.uniform(0.0, self.ceiling(failures))
        asked = None if outcome.reply is None else retry_after_seconds(outcome.reply.headers)
        if asked is None:
            return jitter
        if asked > self.retry_after_cap:
            return None
        return max(jitter, asked + min(jitter, 0.1 * asked))


def _is_duration(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < math.inf


class Retrying:
    """The repetitions of one call.

    Args:
        policy: How often and how fast.
        effect: What the call does.
        draw: The source of chance.
        on_retry: Told before each pause: the failed outcome, how many attempts failed, and the
            pause in seconds.
        rest: Waits out a pause.
        budget: What repetitions are paid from; None if they are free.
        ends_at: The loop time after which an answer is of no use to anybody.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        effect: Effect,
        draw: random.Random,
        on_retry: Callable[[Outcome, int, float], None],
        rest: Callable[[float], Awaitable[None]] = asyncio.sleep,
        budget: RetryBudget | None = None,
        ends_at: float = math.inf,
    ) -> None:
        self._policy = policy
        self._effect = effect
        self._draw = draw
        self._on_retry = on_retry
        self._rest = rest
        self._budget = budget
        self._ends_at = ends_at

    async def after(
        self, first: Outcome, attempt: Callable[[], Awaitable[Outcome]]
    ) -> tuple[Outcome, int]:
        """Go on after a first attempt that failed.

        The first attempt is made without tenacity, which would cost a call that succeeds more
        than the call itself.

        Args:
            first: The outcome of the first attempt.
            attempt: Makes one more attempt.

        Returns:
            The last outcome and how many attempts were made.
        """
        # Loaded by the first failure: most programs start without one.
        import tenacity  # noqa: PLC0415

        pending = [first]
        doubted = False

        async def once() -> Outcome:
            nonlocal doubted
            outcome = pending.pop() if pending else await attempt()
            outcome.doubted = doubted
            doubted = doubted or outcome.kind is OutcomeKind.AMBIGUOUS
            return outcome

        # A fresh object per call: a shared one mixes up concurrent calls. Only synchronous
        # callbacks, and results instead of exceptions, so that a cancellation is never caught.
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_result(self._retries),
            wait=self._pause,
            stop=self._gives_up,
            before_sleep=self._tell,
            sleep=self._rest,
            retry_error_callback=_outcome,
        )
        last: Outcome = await retrying(once)
        return last, int(retrying.statistics["attempt_number"])

    def _retries(self, outcome: Outcome) -> bool:
        return may_try_again(self._effect, outcome)

    def _pause(self, state: "tenacity.RetryCallState") -> float:
        pause = self._policy.pause(_outcome(state), state.attempt_number, self._draw)
        return math.inf if pause is None else pause

    def _gives_up(self, state: "tenacity.RetryCallState") -> bool:
        if state.attempt_number >= self._policy.max_attempts:
            return True
        if asyncio.get_running_loop().time() + state.upcoming_sleep > self._ends_at:
            return True
        if math.isinf(state.upcoming_sleep):
            return True
        # A service that asks for a rest gets it from the governor, which no budget helps.
        costs = _outcome(state).status != 429
        return costs and self._budget is not None and not self._budget.take()

    def _tell(self, state: "tenacity.RetryCallState") -> None:
        self._on_retry(_outcome(state), state.attempt_number, state.upcoming_sleep)


def _outcome(state: "tenacity.RetryCallState") -> Outcome:
    future = state.outcome
    assert future is not None
    outcome: Outcome = future.result()
    return outcome
