"""The service of the clients: tasks with the lives of its laws, and a wrong list.

The life of each task is drawn when it is created, so that the result of a wait can be compared with
the real one.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.proofs.world.laws import Laws
from tests.support.fake_service import Answer, Asked, FakeService
from tests.support.fake_task import FakeTask

__all__ = ["LookAlike"]


class _UntrueTask(FakeTask):
    """A running task that the service reports as "finished"."""

    def status(self, life: Sequence[tuple[float, str]] | None = None) -> str:
        return "finished"


class LookAlike(FakeService):
    """The tasks, and the calls that create, show and stop them."""

    def __init__(self, rng: random.Random, laws: Laws) -> None:
        super().__init__()
        self._rng = rng
        self._lying_rng = random.Random(rng.getrandbits(64))  # the same lives with and without
        self._laws = laws
        self.make = self._drawn
        self.name = lambda count: f"{rng.getrandbits(32):08x}-0000-4000-8000-{count:012x}"
        self.list_lag = laws.list_lag
        self.rows_tell_metadata = laws.rows_tell_metadata

    def answer(self, asked: Asked) -> Answer:
        """Execute a call, within the slots, with a wrong list."""
        if asked.route == "run" and not self._has_slot():
            return 429, {"detail": "Too many concurrent active sessions. Please wait for one."}
        status, content = super().answer(asked)
        if asked.route == "list":
            lies, rng = self._laws.lies, self._lying_rng
            content["tasks"] = lies.rows(content["tasks"], rng)
            content["total_count"] = total = lies.total(content["total_count"], rng)
            content["total_pages"] = -(-total // content["limit"])
        return status, content

    def _has_slot(self) -> bool:
        slots = self._laws.slots
        return slots is None or sum(not task.has_ended for task in self.tasks.values()) < slots

    def _drawn(self, _body: dict[str, Any]) -> FakeTask:
        life, rng = self._laws.life, self._rng
        if life.steps:
            steps = rng.choice(life.steps)
            seconds = life.created_seconds + steps * life.step_seconds
        else:
            seconds, steps = rng.uniform(*life.seconds), rng.randrange(1, 6)
        end = "failed" if rng.random() < life.failing else "finished"
        make = _UntrueTask if self._laws.false_ends else FakeTask
        return make(
            life=((0.0, "created"), (life.created_seconds, "running"), (seconds, end)),
            steps=_spread(steps, seconds),
            live_after=None,
        )


def _spread(steps: int, seconds: float) -> Callable[[float], Sequence[int]]:
    """This many steps over a life of this length."""
    return lambda age: range(1, (steps if age >= seconds else int(steps * age / seconds)) + 1)
