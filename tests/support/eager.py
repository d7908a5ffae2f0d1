"""Tasks that begin in the call that creates them, as Python 3.12 can."""

import asyncio
from typing import Any

__all__ = ["eager_task"]


def eager_task(
    loop: asyncio.AbstractEventLoop, work: Any, *, context: Any = None, **_options: Any
) -> "asyncio.Task[Any]":
    """The task factory of a loop."""
    # Not `asyncio.eager_task_factory`: uvloop passes `eager_start`, which older ones refuse.
    return asyncio.Task(work, loop=loop, context=context, eager_start=True)
