"""The bundled server with tasks that end at once, in a process of its own."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from benchmarks.servers.process import ServerProcess
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor

__all__ = ["bundled"]


def _serve(pipe: Connection) -> None:
    async def run() -> None:
        instant = Scenario(steps=("Look",), step_seconds=0.0)
        executor = ScriptedExecutor(default=instant)
        # The balance of the account does not matter here.
        async with LocalServer(executor=executor, balance_cents=10**9) as server:
            pipe.send((server.base_url, server.api_key))
            while True:
                await asyncio.to_thread(pipe.recv)
                pipe.send(server.requests["run_task"])

    asyncio.run(run())


class _Asking:
    """How many tasks were created so far."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def __call__(self) -> int:
        self._pipe.send(None)
        return int(self._pipe.recv())


@contextmanager
def bundled() -> Iterator[tuple[str, str, _Asking]]:
    """Its base URL, its key, and a function that returns how many tasks were created."""
    with ServerProcess(_serve) as process:
        url, key = process.pipe.recv()
        yield url, key, _Asking(process.pipe)
