"""The gate at which a paused task waits."""

import asyncio

__all__ = ["PauseGate"]


class PauseGate:
    """Open while the task runs, closed while it is paused."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    def close(self) -> None:
        """Hold whoever comes to the gate."""
        self._open.clear()

    def open(self) -> None:
        """Let everybody through."""
        self._open.set()

    async def checkpoint(self) -> None:
        """Return at once while the task runs; wait while it is paused."""
        # A loop, because a pause may follow a resume before the waiter has woken up.
        while not self._open.is_set():
            await self._open.wait()
