"""One step after the other: pauses are waited for, and no more are taken than allowed."""

from browser_use_async.server.executors.protocol import Assignment, Control


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
