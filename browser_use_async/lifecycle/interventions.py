"""Requests for a person's help, made from paused tasks."""

from collections.abc import Awaitable, Callable

import attrs


@attrs.frozen
class Intervention:
    """A pause of a task in which a person may have to act. `TaskHandle.interventions` yields them.

    API v1 does not say why a task is paused, and takes no answers for it; the last step is the only
    hint. A person acts on the live page, or a program does what is needed elsewhere, and `resume`
    lets the task go on.

    Attributes:
        task_id: Which task is paused.
        text: The goal of its last step, as the service says it; empty without a step.
        live_url: The page to act on; None from servers without one.
        page_url: The page of that step; empty if the server does not report it.
    """

    task_id: str
    text: str
    live_url: str | None = attrs.field(repr=False)
    page_url: str
    _resume: Callable[[], Awaitable[None]] = attrs.field(repr=False)
    _stop: Callable[[], Awaitable[None]] = attrs.field(repr=False)

    async def resume(self) -> None:
        """Let the task go on, once what it waited for is done."""
        await self._resume()

    async def stop(self) -> None:
        """Stop the task for good, since it gets no help."""
        await self._stop()
