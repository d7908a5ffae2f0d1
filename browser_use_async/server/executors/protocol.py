"""What the server asks of an executor, and what an executor reports of a task."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Protocol, runtime_checkable

import attrs

from browser_use_async.server.records import Assignment, Failed, Finished, RemoteTask, Step


class Control(Protocol):
    """What an executor reports the start of a task to, and waits on while it is paused.

    Stopping a task cancels its executor.
    """

    def started(self) -> None:
        """Say that the task has what it needs, such as a browser; only the first call counts.

        Until then it is `created`, if the executor says `reports_start = True`. Tasks of other
        executors are `running` from the moment that `run` is called.
        """

    async def checkpoint(self) -> None:
        """Return at once while the task runs; wait while it is paused."""

    def doing(self, goal: str) -> None:
        """Say what is done from now on; pages show it until the next `Step`.

        Args:
            goal: What the step that begins now sets out to do, as `Step.next_goal` will say it, or
                what follows on the latest step. Empty where that is not known.
        """

    async def remember(self, remote: RemoteTask) -> None:
        """Store what another service does for the task; it is `assignment.remote` after a restart.

        Only tasks of a `DurableExecutor` are started again.
        """

    async def charge(self, cents: Decimal) -> None:
        """Charge what the task has cost so far at another service, instead of the list prices.

        Args:
            cents: The whole cost until now, in US cents.
        """

    @property
    def is_left_alone(self) -> bool:
        """Whether the executor is cancelled only because the server closes.

        What another service does goes on then, and is adopted at the next start.
        """
        ...


@attrs.frozen
class FieldProblem:
    """A setting that an executor cannot follow."""

    field: str  # its name in the request
    message: str  # why not, as a clause


@attrs.frozen
class RemoteAccount:
    """What another service says of the account that pays it.

    Attributes:
        cents: What is left there, in US cents; None if that is not known.
        problem: Why it is not known, as a sentence without its end.
        is_key_refused: Whether the service does not take the key of this server.
    """

    cents: Decimal | None = None
    problem: str = ""
    is_key_refused: bool = False


class Executor(Protocol):
    """Carries out tasks. One object serves many tasks at once.

    An executor inherits from this class, or has all of its methods.
    """

    name: str
    """What `/` and the first step call it."""

    def check(self, assignment: Assignment) -> FieldProblem | None:
        """Say before a task is accepted and paid which of its settings cannot be followed.

        Args:
            assignment: The task as it would be carried out. Nothing has been done for it, and this
                method does nothing for it either.

        Returns:
            What cannot be followed; None if the task can be accepted.
        """
        return None

    def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task.

        Yields each step as it is taken, and at the end one `Finished` or `Failed`. Awaits
        `control.checkpoint()` before each step. Stopping the task closes the iterator, which
        then has to clean up within seconds.
        """
        ...

    async def aclose(self) -> None:
        """Release whatever tasks share, such as a browser process."""


@runtime_checkable
class DurableExecutor(Executor, Protocol):
    """An executor whose tasks another service carries out, beyond the end of this process.

    Its tasks that are at work are run again after a restart, with what it has remembered of them
    as `assignment.remote`, instead of failing. It says itself what they cost, and they cannot be
    paused.
    """

    pause_refusal: str
    """Why its tasks cannot be paused."""

    def stop(self, assignment: Assignment, control: Control) -> None:
        """Begin to stop what the service still does for a task that has ended here.

        It is called after a restart for tasks whose stop was not delivered before.
        """

    async def account(self) -> RemoteAccount:
        """Ask the service for the account that pays it. It may be called at any rate."""
        ...

    async def rename_profile(self, profile_id: str, name: str) -> str | None:
        """Rename a browser profile there; why it could not, or None."""

    async def delete_profile(self, profile_id: str) -> str | None:
        """Delete what the service keeps of a browser profile; why it could not, or None."""


class CannotContinueError(Exception):
    """A task that cannot go on. Its text is a sentence for a person."""


class StepLimiter:
    """The steps of one task.

    Attributes:
        steps: How many have been begun.
    """

    def __init__(self, assignment: Assignment, control: Control) -> None:
        self._most = assignment.max_agent_steps
        self._control = control
        self.steps = 0

    async def begin(self, goal: str = "") -> None:
        """Wait while the task is paused, count a step, and say what it sets out to do.

        Raises:
            CannotContinueError: No step is left.
        """
        if self.steps >= self._most:
            raise CannotContinueError(
                f"The task needs more than the {self.steps} steps that max_agent_steps allows."
            )
        await self._control.checkpoint()
        self.steps += 1
        self._control.doing(goal)
