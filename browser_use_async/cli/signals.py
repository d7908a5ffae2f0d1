"""Signal handling: Ctrl-C cancels the command, unless the command ends gracefully by itself."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from browser_use_async import system
from browser_use_async.cli.console import Console

_Handlers = list[Callable[[], None]]
_HANDLERS: ContextVar[_Handlers] = ContextVar("_HANDLERS")


async def run_until_signal(work: Coroutine[Any, Any, int], console: Console) -> int:
    """Run a command and return its exit code; SIGINT, SIGTERM and SIGHUP cancel it."""
    loop = asyncio.get_running_loop()
    handlers: _Handlers = []
    _HANDLERS.set(handlers)
    command = loop.create_task(work)
    caught: list[signal.Signals] = []

    def handle(received: signal.Signals) -> None:
        # Each handler is good for one Ctrl-C: the next one always cancels.
        if received is signal.SIGINT and handlers:
            handlers.pop()()
            return
        if not caught:
            console.info("ending; press Ctrl-C again to quit at once")
        caught.append(received)
        command.cancel()

    for each in system.ending_signals():
        system.on_signal(loop, each, handle)
    try:
        return await command
    except asyncio.CancelledError:
        if not caught:
            raise  # cancelled from outside, not by a signal
        return 128 + caught[0]


@contextmanager
def graceful_sigint(end: Callable[[], None]) -> Generator[None]:
    """Make the first Ctrl-C call a function; the second one cancels the command."""
    handlers = _HANDLERS.get()
    handlers.append(end)
    try:
        yield
    finally:
        if end in handlers:
            handlers.remove(end)
