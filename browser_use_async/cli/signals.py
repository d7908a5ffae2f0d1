"""Signal handling: Ctrl-C cancels the command, unless the command ends gracefully by itself."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from browser_use_async.cli.console import Console

__all__ = ["graceful_sigint", "run_until_signal"]

_Handlers = list[Callable[[], None]]
_HANDLERS: ContextVar[_Handlers] = ContextVar("_HANDLERS")


async def run_until_signal(work: Coroutine[Any, Any, int], console: Console) -> int:
    """Run a command; a signal cancels it, so that it can end what it began."""
    loop = asyncio.get_running_loop()
    handlers: _Handlers = []
    _HANDLERS.set(handlers)
    command = loop.create_task(work)
    caught: list[signal.Signals] = []

    def handle(received: signal.Signals) -> None:
        if received is signal.SIGINT and handlers:
            handlers.pop()()
            return
        if not caught:
            console.info("ending; press Ctrl-C again not to wait")
        caught.append(received)
        command.cancel()

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if each is signal.SIGHUP and signal.getsignal(each) is signal.SIG_IGN:
            continue  # started with nohup: the person wants it to outlive the terminal
        loop.add_signal_handler(each, handle, each)
    try:
        return await command
    except asyncio.CancelledError:
        if not caught:
            raise
        return 128 + caught[0]


@contextmanager
def graceful_sigint(end: Callable[[], None]) -> Generator[None]:
    """Let the first Ctrl-C call something instead of cancelling the command; the second cancels."""
    handlers = _HANDLERS.get()
    handlers.append(end)
    try:
        yield
    finally:
        if end in handlers:
            handlers.remove(end)
