"""apify-client: a run of an actor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from apify_client import ApifyClientAsync

from benchmarks.peers.apify_run import run
from benchmarks.peers.peer import Peer


@asynccontextmanager
async def connect(url: str, timeout: float | None) -> AsyncIterator[ApifyClientAsync]:
    # Starting a run belongs to the calls with the medium one of its timeouts.
    options: dict[str, Any] = (
        {} if timeout is None else {"timeout_medium": timedelta(seconds=timeout)}
    )
    yield ApifyClientAsync("token", api_url=url, **options)


async def create(client: ApifyClientAsync) -> str:
    return (await client.actor("actor").start(run_input={"query": "flights"})).id


async def look(client: ApifyClientAsync, task_id: str) -> object:
    return await client.run(task_id).get()


PEER = Peer("apify-client", connect, {"actor(...).start()": create}, run, look)
