"""A task of the fake API, whose life is a function of the loop's clock."""

import asyncio
import math
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from browser_use_async import webhooks
from browser_use_async.api.submission_token import TOKEN_KEY
from tests.support.hygiene import LIVE_TOKEN

__all__ = ["TERMINAL", "FakeTask", "Source", "lives"]

TERMINAL = frozenset({"finished", "failed", "stopped"})


@attrs.define(eq=False)
class FakeTask:
    """One task.

    Attributes:
        life: Its status from each second of its life on.
        output: Its output at the end.
        step_seconds: The seconds between two steps.
        steps: The most steps; or the steps at each age.
        live_after: Seconds until there is a page to watch it on; None for never.
        detail_life: The status in get-task, where it differs from the status call.
        ends: Whether `finished_at` is set in a status of its own.
        id: Its id.
        task: Its text.
        metadata: Its pairs.
        born: The loop time of its creation.
        listed_after: Seconds until the list shows it.
        created_at: The time of its creation in the service's answers.
        overruled: The status after a stop or a pause.
        stopped_at: The loop time at which it was stopped.
    """

    life: Sequence[tuple[float, str]] = ((0.0, "created"), (0.5, "running"), (3.0, "finished"))
    output: str | None = "Done."
    step_seconds: float = 1.0
    steps: int | Callable[[float], Sequence[int]] = 3
    live_after: float | None = 1.0
    detail_life: Sequence[tuple[float, str]] | None = None
    ends: frozenset[str] = frozenset()
    id: str = attrs.field(factory=lambda: str(uuid.uuid4()))
    task: str = "a task"
    metadata: dict[str, str] = attrs.field(factory=dict)
    born: float = 0.0
    listed_after: float = 0.0
    created_at: datetime = attrs.field(factory=lambda: datetime.now(UTC))
    overruled: str | None = None
    stopped_at: float | None = None

    @property
    def age(self) -> float:
        """Seconds since its creation."""
        return asyncio.get_running_loop().time() - self.born

    @property
    def job(self) -> str | None:
        """The job of a client; tasks of others have no such pair in their metadata."""
        return self.metadata.get("job")

    @property
    def seconds(self) -> float:
        """How long it lives, unless it is stopped before."""
        if self.stopped_at is not None:
            return self.stopped_at - self.born
        since, status = self.life[-1]
        return since if status in TERMINAL else math.inf

    @property
    def ended_at(self) -> float:
        """The loop time at which it ends, unless it is stopped before."""
        return self.born + self.seconds

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, whatever answers say."""
        return self.age >= self.seconds

    def stop(self) -> None:
        """Stop it."""
        self.overruled, self.stopped_at = "stopped", asyncio.get_running_loop().time()

    def status(self, life: Sequence[tuple[float, str]] | None = None) -> str:
        """Its status."""
        age = self.age if self.stopped_at is None else self.seconds
        now = [status for since, status in life or self.life if age >= since][-1]
        if self.overruled is not None and now not in TERMINAL:
            return self.overruled
        return now

    def step_numbers(self, age: float | None = None) -> Sequence[int]:
        """The steps that it has taken by an age, in the server's order."""
        age = min(self.age if age is None else age, self.seconds)
        if callable(self.steps):
            return self.steps(age)
        return range(1, min(self.steps, int(age / self.step_seconds)) + 1)

    def row(self) -> dict[str, Any]:
        """The task as a row of the list."""
        status = self.status(self.detail_life)
        is_over = status in TERMINAL or status in self.ends
        ended_at = self.created_at + timedelta(seconds=min(self.age, self.seconds))
        return {
            "id": self.id,
            "task": self.task,
            "status": status,
            "created_at": self.created_at.isoformat(),
            "output": self.output if status == "finished" else None,
            "finished_at": ended_at.isoformat() if is_over else None,
            "live_url": self._live_url(),
            "metadata": self.metadata,
        }

    def whole(self) -> dict[str, Any]:
        """The task as in get-task."""
        steps = [
            {
                "id": f"step-{number}",
                "step": number,
                "evaluation_previous_goal": f"judged {number}",
                "next_goal": f"goal {number}",
                "url": "https://example.com",
            }
            for number in self.step_numbers()
        ]
        return {**self.row(), "steps": steps}

    def _live_url(self) -> str | None:
        if self.live_after is None or self.age < self.live_after:
            return None
        return f"https://live.example.com/{self.id}?token={LIVE_TOKEN}"


def lives(seconds: float, end: str = "finished", **more: Any) -> FakeTask:
    """A task with this length."""
    return FakeTask(life=((0.0, "running"), (seconds, end)), **more)


class Source:
    """Events of a test, passed on as by a receiver."""

    def __init__(self) -> None:
        self._hear: list[Callable[[webhooks.Event], None]] = []

    def subscribe(self, hear: Callable[[webhooks.Event], None], /) -> None:
        """Call a function with each event."""
        self._hear.append(hear)

    def send(self, task: FakeTask, status: str) -> None:
        """Send the event that a webhook of this task would bring."""
        event = webhooks.TaskStatusUpdate(
            task.id,
            "session-1",
            webhooks.WebhookStatus(status),
            submission_mark=task.metadata.get(TOKEN_KEY),
        )
        for hear in self._hear:
            hear(event)
