"""A server that forwards, in a process of its own: `… FILE PORT URL`, to be killed."""

import asyncio
import sys
from pathlib import Path
from typing import Self

from browser_use_async.server import CloudSettings, LocalServer
from tests.support.hosted.service import KEY, HostedService

API_KEY = "bu_test_of_remote_tasks"
_ROOT = Path(__file__).parents[3]


class ServerProcess:
    """A server in a process that is killed and started again on the same file and port."""

    def __init__(self, database: Path, service: HostedService) -> None:
        self._database = database
        self._service = service
        self._process: asyncio.subprocess.Process | None = None
        self.base_url = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.kill()

    async def start(self) -> None:
        """Start it, and return when it answers."""
        port = self.base_url.rpartition(":")[2].partition("/")[0] or "0"
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.server.remote.serving"),
            *(str(self._database), port, self._service.url),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=_ROOT,
        )
        assert self._process.stdout is not None
        self.base_url = (await self._process.stdout.readline()).decode().strip()
        assert self.base_url

    async def kill(self) -> None:
        """Kill it, if it still runs."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


async def _serve() -> None:
    database, port, url = sys.argv[1:]
    settings = CloudSettings(
        KEY, url, poll_seconds=0.05, settle_seconds=0.5, recording_seconds=0, concurrency=1000
    )
    async with LocalServer(
        database=database,
        api_key=API_KEY,
        executor="cloud-v4",
        cloud=settings,
        port=int(port),
        recordings=False,
    ) as server:
        print(server.base_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
