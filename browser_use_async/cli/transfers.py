"""Transfers of files as a person sees them: bytes while they move, one verdict each."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from browser_use_async.cli.console import Console, Style
from browser_use_async.cli.exit_codes import ExitCode, exit_code_of
from browser_use_async.errors import BrowserUseError
from browser_use_async.files import OnProgress

__all__ = ["Transfers"]

ResultT = TypeVar("ResultT")

_SECONDS_BETWEEN_LINES = 2.0
"""Where a line cannot be changed, each look at the bytes is a line more."""


class Transfers:
    """Several transfers; one that fails does not keep the others from theirs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.code = ExitCode.FINISHED

    async def attempt(
        self, label: str, transfer: Callable[[OnProgress], Awaitable[ResultT]]
    ) -> ResultT | None:
        """Make one transfer and show its bytes."""
        try:
            with self._shown(label) as on_progress:
                return await transfer(on_progress)
        except BrowserUseError as error:
            self._console.failure(f"{label}: {error}")
            if self.code is ExitCode.FINISHED:
                self.code = exit_code_of(error)
            return None

    @contextmanager
    def _shown(self, label: str) -> Generator[OnProgress, None, None]:
        clock = asyncio.get_running_loop()
        said_at, moved = clock.time(), 0
        with self._console.working(label) as update:

            def tell(received: int, total: int | None) -> None:
                nonlocal said_at, moved
                moved = received
                text = f"{label}: {received:,} {'' if total is None else f'of {total:,} '}bytes"
                update(text)
                if not self._console.can_change_lines:
                    now = clock.time()
                    if now - said_at >= _SECONDS_BETWEEN_LINES:
                        self._console.say(text)
                        said_at = now

            yield tell
        self._console.say(("ok ", Style.GOOD), f"{label}: {moved:,} bytes")
