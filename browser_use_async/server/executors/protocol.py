"""The interface of executors: the server's calls, and the executor's reports."""

from collections.abc import AsyncIterator
from typing import Protocol

import attrs

from browser_use_async.server.records import Assignment, Failed, Finished, Step


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


@attrs.frozen
class FieldProblem:
    """A setting that an executor cannot follow."""

    field: str  # its name in the request
    message: str  # why not, as a clause


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
