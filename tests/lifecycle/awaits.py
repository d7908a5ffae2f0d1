"""Counts the awaits of a call and of every task that works for it, and cancels it at one."""

import asyncio
import contextvars
from collections.abc import Coroutine, Generator
from typing import Any

__all__ = ["Awaits"]

_OF: contextvars.ContextVar["Awaits | None"] = contextvars.ContextVar("awaits", default=None)


class Awaits:
    """The awaits of one call. What the server does in the same loop is not counted.

    Attributes:
        seen: How often the call, or a task that it started, has yielded to the loop.
        alive: How many of its coroutines have not come to their end.
        reached: Whether the call was cancelled.

    Args:
        cancel_at: The await at which the call is cancelled, counted from 1.
    """

    def __init__(self, cancel_at: int) -> None:
        self.seen = 0
        self.alive = 0
        self.reached = False
        self._cancel_at = cancel_at
        self._call: asyncio.Task[Any]

    def start(self, call: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Begin the call.

        Args:
            call: What is counted.
        """
        loop = asyncio.get_running_loop()
        loop.set_task_factory(_counting)
        context = contextvars.copy_context()
        context.run(_OF.set, self)
        self._call = loop.create_task(call, context=context)
        return self._call

    def count(self) -> None:
        """Note one more await."""
        if self._call.done():
            return
        self.seen += 1
        if self.seen == self._cancel_at:
            self.reached = self._call.cancel()


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine that counts its awaits.

    Args:
        work: The coroutine.
        awaits: What counts.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], awaits: Awaits) -> None:
        self._work = work
        self._awaits = awaits
        awaits.alive += 1

    def send(self, value: Any) -> Any:
        """Go on until the next await."""
        return self._stepped(self._work.send, value)

    def throw(self, *error: Any) -> Any:
        """Go on with an exception until the next await."""
        return self._stepped(self._work.throw, *error)

    def close(self) -> None:
        """End without going on."""
        self._awaits.alive -= 1
        self._work.close()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._work.__await__()

    def _stepped(self, step: Any, *arguments: Any) -> Any:
        try:
            future = step(*arguments)
        except BaseException:
            self._awaits.alive -= 1
            raise
        self._awaits.count()
        return future


def _counting(
    loop: asyncio.AbstractEventLoop, work: Any, *, context: Any = None, **options: Any
) -> "asyncio.Task[Any]":
    context = contextvars.copy_context() if context is None else context
    awaits = context.get(_OF)
    counted = work if awaits is None else _Counted(work, awaits)
    return asyncio.Task(counted, loop=loop, context=context, **options)
