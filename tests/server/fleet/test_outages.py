"""What servers write into their logs while PostgreSQL is away."""

import asyncio
import re
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from browser_use_async.api.endpoint_table import API_PREFIX
from tests.server.conftest import SHARED_KEY
from tests.support.patience import until

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]

# A call gives up after some seconds, so each server announces itself meanwhile, and gives that up.
REFUSED = 5
# A server whose tasks have many steps. The log has all that the command would print.
PROGRAM = """
import asyncio, logging, sys
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor

async def main(database, role, lease):
    logging.basicConfig(level=logging.WARNING)
    executor = ScriptedExecutor({}, default=Scenario(steps=("Go on",) * 1000, step_seconds=0.5))
    async with LocalServer(
        database=database, api_key=SHARED_KEY, role=role, lease=float(lease), drain=0,
        executor=executor,
    ) as server:
        print(server.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main(*sys.argv[1:]))
""".replace("SHARED_KEY", repr(SHARED_KEY))


@asynccontextmanager
async def _serving(database: str, role: str, lease: int, log: Path) -> AsyncIterator[str]:
    """A server in a process of its own; yields its address."""
    with log.open("wb") as stderr:
        process: Process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROGRAM, database, role, str(lease)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


async def test_an_outage_is_one_line_when_it_begins_and_one_when_it_ends(
    postgres_server, postgres, tmp_path
):
    """Though clients call, a task has steps, and servers look for jobs and announce themselves."""
    logs = {role: tmp_path / role for role in ("api", "worker")}
    statuses: list[int] = []
    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(_serving(postgres, "api", 10, logs["api"]))
        # Its lease is so long that it does not give its task up.
        await stack.enter_async_context(_serving(postgres, "worker", 60, logs["worker"]))
        http = await stack.enter_async_context(aiohttp.ClientSession(caller))

        async def call(key: str) -> int:
            headers = {"Authorization": f"Bearer {key}"}
            async with http.get(f"{API_PREFIX}/tasks", headers=headers) as answer:
                return answer.status

        async def calls(key: str, pause: float) -> None:
            while True:
                statuses.append(await call(key))
                await asyncio.sleep(pause)

        headers = {"Authorization": f"Bearer {SHARED_KEY}"}
        async with http.post(
            f"{API_PREFIX}/run-task", json={"task": "Go"}, headers=headers
        ) as answer:
            assert answer.status == 200
        # Wrong keys so seldom that their number is no news of its own.
        pauses = {SHARED_KEY: 0.1, "bu_a_wrong_key": 4.0}
        calling = [asyncio.create_task(calls(*each)) for each in pauses.items()]
        await until(lambda: statuses.count(200) > 5)
        with postgres_server.stopped():
            await until(lambda: statuses.count(503) >= REFUSED)
        await until(lambda: all("database back" in each.read_text() for each in logs.values()))
        for each in calling:
            each.cancel()
        await asyncio.gather(*calling, return_exceptions=True)
        after = await call(SHARED_KEY)
        lines = {role: log.read_text().splitlines() for role, log in logs.items()}

    assert 503 in statuses
    assert after == 200
    for role, said in lines.items():
        assert len(said) == 2, said
        began, ended = said
        assert re.search(r"ERROR:.*database away: .*: connection failed: .*refused", began), role
        assert re.search(r"WARNING:.*database back after \d+ s$", ended), role
