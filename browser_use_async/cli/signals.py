"""Signal handling: Ctrl-C cancels the command, unless the command ends gracefully by itself."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from browser_use_async.cli.console import Console

__all__ = ["gently", "until_signalled"]

_Gentle = list[Callable[[], None]]
_GENTLE: ContextVar[_Gentle] = ContextVar("_GENTLE")


async def until_signalled(work: Coroutine[Any, Any, int], console: Console) -> int:
    """Run a command; a signal cancels it, so that it can end what it began."""
    loop = asyncio.get_running_loop()
    gentle: _Gentle = []
    _GENTLE.set(gentle)
    command = loop.create_task(work)
    caught: list[signal.Signals] = []

    def take(received: signal.Signals) -> None:
        if received is signal.SIGINT and gentle:
            gentle.pop()()
            return
        if not caught:
            console.say("ending; press Ctrl-C again not to wait")
        caught.append(received)
        command.cancel()

    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if each is signal.SIGHUP and signal.getsignal(each) is signal.SIG_IGN:
            continue  # started with nohup: the person wants it to outlive the terminal
        loop.add_signal_handler(each, take, each)
    try:
        return await command
    except asyncio.CancelledError:
        if not caught:
            raise
        return 128 + caught[0]


@contextmanager
def gently(end: Callable[[], None]) -> Generator[None]:
    """Let the first Ctrl-C call something instead of cancelling the command; the second cancels."""
    gentle = _GENTLE.get()
    gentle.append(end)
    try:
        yield
    finally:
        if end in gentle:
            gentle.remove(end)
