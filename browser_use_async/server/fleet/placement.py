"""Jobs say which server does what, by procrastinate. What is true stands in the rows of the tasks.

So a job may be handed out again without harm.
"""

from collections.abc import Awaitable, Callable

import attrs
import procrastinate

from browser_use_async.postgres.jobs import JobsAtWork, LaterError, Retries
from browser_use_async.server.storage.postgres.jobs import QUEUES


@attrs.define(eq=False)
class Placement(JobsAtWork):
    """The jobs of one server."""

    def serve(
        self,
        run_task: Callable[[str], Awaitable[None]],
        deliver: Callable[[int], Awaitable[float | None]],
    ) -> None:
        """Set the functions that carry out the jobs of this server."""

        async def task(context: procrastinate.JobContext, task_id: str) -> None:
            await self.do(context, run_task(task_id))

        async def delivery(context: procrastinate.JobContext, number: int) -> None:
            # The row of a delivery limits its attempts.
            seconds = await self.do(context, deliver(number))
            if seconds is not None:
                raise LaterError(seconds)

        add, retry = self.app.task, Retries()
        add(name="task", queue=QUEUES["task"], pass_context=True, retry=retry)(task)
        add(name="delivery", queue=QUEUES["delivery"], pass_context=True, retry=retry)(delivery)
