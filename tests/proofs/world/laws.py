"""The laws of a world: everything that a scenario sets, and nothing random."""

import math
from typing import Any, Literal, Protocol

import attrs

from tests.proofs.world.faults import Rule
from tests.proofs.world.lies import HONEST, ListLies

__all__ = ["Crash", "Interruption", "Keys", "Laws", "Life", "Workload"]

Keys = Literal["unknown", "kept", "forgotten"]
"""Nothing; one task for each; or it sends them back as if it kept them, and does not."""


class Workload(Protocol):
    """The work of the clients of a world."""

    async def run(self, world: Any) -> None:
        """Do it, and record the results in the world's report."""
        ...


@attrs.frozen
class Life:
    """The lives of tasks, unless they are stopped."""

    seconds: tuple[float, float] = (20.0, 90.0)  # from creation to end; ignored with `steps`
    failing: float = 0.1  # the share of tasks that do not finish
    steps: tuple[int, ...] = ()  # how many a task takes, to draw from
    step_seconds: float = 4.0
    created_seconds: float = 1.0  # before a task is `running`


class Interruption(BaseException):
    """Raised in the middle of a call, as a test framework or a signal handler does."""


@attrs.frozen
class Crash:
    """A failure of the session inside its own process."""

    cancel_at: float = math.inf  # when all of its asyncio tasks begin to be cancelled
    cancel_seconds: float = 4.0  # for how long they are
    raises: type[BaseException] | None = None  # by a middleware
    raise_share: float = 1.0  # the probability that it does in a call
    raise_times: float = math.inf
    raise_since: float = 0.0


@attrs.frozen
class Laws:
    """The laws of a world."""

    workload: Workload
    faults: tuple[Rule, ...] = ()
    lies: ListLies = HONEST
    life: Life = attrs.field(factory=Life)
    crash: Crash = attrs.field(factory=Crash)
    reply: float = 0.01  # seconds from a request to its reply, without the way
    others: float = 0.0  # tasks that other clients create in a second
    bursts: tuple[tuple[float, int], ...] = ()  # when they create how many at once
    skew: float = 0.0  # seconds by which this machine's clock is ahead of the service's
    jump: float = 0.0  # seconds by which it is off after a jump, in either direction or not at all
    jump_every: float = 3.0
    rows_tell_metadata: bool = True
    list_lag: float = 0.0  # seconds before the list shows a new task
    slots: int | None = None  # how many tasks may run at once
    keys: Keys = "unknown"  # how the service treats submission keys
    false_ends: bool = False  # the service reports running tasks as "finished"
