"""The interface of executors: the server's calls, and the executor's reports."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Protocol, runtime_checkable

import attrs

from browser_use_async.server.records import Assignment, Failed, Finished, RemoteTask, Step


class Control(Protocol):
    """The control of a task, for its executor: reports the start, and waits while it is paused.

    Stopping a task cancels its executor.
    """

    def started(self) -> None:
        """Report that the task has what it needs, such as a browser; only the first call counts.

        Until then its status is `created`, if the executor has `reports_start = True`. Tasks of
        other executors are `running` once `run` is called.
        """

    async def checkpoint(self) -> None:
        """Return at once while the task runs; wait while it is paused."""

    def doing(self, goal: str) -> None:
        """Report the current work; pages show it until the next `Step`.

        Args:
            goal: The goal of the step that begins now, as in its `Step.next_goal`, or the work
                after the latest step. Empty if it is unknown.
        """

    async def remember(self, remote: RemoteTask) -> None:
        """Store the task at another service; after a restart it is `assignment.remote`.

        Only tasks of a `DurableExecutor` are started again.
        """

    async def charge(self, cents: Decimal) -> None:
        """Charge the cost of the task at another service so far, in place of the list prices.

        Args:
            cents: The whole cost until now, in US cents.
        """

    @property
    def is_left_alone(self) -> bool:
        """Whether the executor is cancelled only because the server closes.

        The work at another service then goes on, and is continued at the next start.
        """
        ...


@attrs.frozen
class FieldProblem:
    """A setting that an executor cannot follow."""

    field: str  # its name in the request
    message: str  # why not, as a clause


@attrs.frozen
class RemoteAccount:
    """The account at another service that pays for it."""

    cents: Decimal | None = None  # the balance there, in US cents; None if it is unknown
    problem: str = ""  # why it is unknown, as a sentence without its end
    is_key_refused: bool = False  # whether the service does not accept the key of this server


class Executor(Protocol):
    """Carries out tasks. One object serves many tasks at once.

    An executor inherits from this class, or has all of its methods. A task that names a script is
    refused, unless the executor has `plays_scripts = True` and finds it in `assignment.script`, or
    `ignores_scripts = True` and does the task without it.
    """

    name: str
    """Its name on `/` and in the first step."""

    def check(self, assignment: Assignment) -> FieldProblem | None:
        """Check the settings of a task before it is accepted and paid for.

        Args:
            assignment: The task as it would be carried out. Nothing has been done for it, and this
                method must not begin anything, either.

        Returns:
            A setting that cannot be followed; None if the task can be accepted.
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
        """Release shared resources, such as a browser process."""


@runtime_checkable
class DurableExecutor(Executor, Protocol):
    """An executor whose tasks another service carries out, also after the end of this process.

    After a restart its running tasks do not fail: `run` is called again with the remembered
    `assignment.remote`. It reports itself what they cost, and they cannot be paused.
    """

    pause_refusal: str
    """Why its tasks cannot be paused."""

    def stop(self, assignment: Assignment, control: Control) -> None:
        """Begin to stop the work of the service for a task that has ended here.

        It is called after a restart for tasks whose stop was not delivered before.
        """

    async def account(self) -> RemoteAccount:
        """Ask the service for the paying account. It may be called as often as wanted."""
        ...

    async def rename_profile(self, profile_id: str, name: str) -> str | None:
        """Rename a browser profile there; returns the reason of a failure, or None."""

    async def delete_profile(self, profile_id: str) -> str | None:
        """Delete a browser profile there; returns the reason of a failure, or None."""


class CannotContinueError(Exception):
    """The task cannot go on. The text is a sentence for a person."""


class StepLimiter:
    """Limits the steps of one task.

    Attributes:
        steps: How many have begun.
    """

    def __init__(self, assignment: Assignment, control: Control) -> None:
        self._most = assignment.max_agent_steps
        self._control = control
        self.steps = 0

    async def begin(self, goal: str = "") -> None:
        """Wait while the task is paused, count a step, and report its goal.

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
