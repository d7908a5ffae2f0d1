"""A server that forwards, in a process of its own: `… FILE PORT VERSION URL`, to be killed."""

import asyncio
import sys

from browser_use_async.server import CloudSettings, LocalServer
from tests.support.hosted.service import KEY

API_KEY = "bu_test_of_remote_tasks"


async def _serve() -> None:
    database, port, version, url = sys.argv[1:]
    settings = CloudSettings(
        KEY, url, poll_seconds=0.05, settle_seconds=0.5, recording_seconds=0, concurrency=1000
    )
    async with LocalServer(
        database=database,
        api_key=API_KEY,
        executor=f"cloud-{version}",
        cloud=settings,
        port=int(port),
        recordings=False,
    ) as server:
        print(server.base_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
