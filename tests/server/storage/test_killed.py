"""A server that is killed in the middle of its work."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[3]
KEY = {"Authorization": "Bearer bu_test_of_storage"}


class _Client:
    def __init__(self, base_url: str, http: aiohttp.ClientSession) -> None:
        self.base_url = base_url
        self._http = http

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        url = self.base_url + path
        async with self._http.request(method, url, headers=KEY, **options) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def run(self, scenario: str) -> str:
        body = {"task": scenario, "metadata": {"scenario": scenario}}
        answer = await self.ask("POST", "/run-task", json=body)
        return answer["id"]

    async def tasks(self) -> list[Any]:
        page = await self.ask("GET", "/tasks?limit=100")
        return [await self.ask("GET", f"/task/{row['id']}") for row in page["tasks"]]


@asynccontextmanager
async def _served(path: Path, http: aiohttp.ClientSession, port: int = 0) -> AsyncIterator[_Client]:
    """A server that is killed at the end, without any clean-up."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.server.storage.serving", str(path), str(port),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await process.stdout.readline()
        yield _Client(json.loads(line)["base_url"], http)
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.torture
async def test_kill_with_fifty_tasks_at_work(tmp_path, http):
    """No reported task, step or file is lost; interrupted tasks say so; one run was due."""
    path = tmp_path / "server.db"
    async with _served(path, http) as client:
        port = urlsplit(client.base_url).port
        assert port is not None
        done = [await client.run("quick") for _ in range(5)]
        busy = await asyncio.gather(*(client.run("busy") for _ in range(50)))
        link = (await client.ask("GET", f"/task/{done[0]}/output-file/report.csv"))["download_url"]
        paused = busy[0]
        await client.ask("PUT", f"/pause-task?task_id={paused}")
        before_kill = await client.tasks()
        balance = (await client.ask("GET", "/balance"))["balance"]
        start = datetime.now(UTC) + timedelta(seconds=5)  # due when the server is killed
        schedule = {
            "task": "quick", "metadata": {"scenario": "quick", "by": "schedule"},
            "schedule_type": "interval", "interval_minutes": 600, "start_at": start.isoformat(),
        }  # fmt: skip
        await client.ask("POST", "/scheduled-task", json=schedule)
    await asyncio.sleep(max(0.0, (start - datetime.now(UTC)).total_seconds()))
    async with _served(path, http, port) as client:
        await _until_scheduled_run(client)
    async with _served(path, http, port) as client:
        after = await client.tasks()
        async with http.get(link) as response:
            content = await response.read()
        less = (await client.ask("GET", "/balance"))["balance"]

    scheduled = [each for each in after if each["metadata"].get("by") == "schedule"]
    assert len(scheduled) == 1
    _assert_nothing_lost(before_kill, [each for each in after if each not in scheduled], set(busy))
    assert content == b"a,b\n1,2\n"
    assert float(less) < float(balance)


async def _until_scheduled_run(client: _Client) -> None:
    """Wait until the newest task is the schedule's, and has ended."""
    async with asyncio.timeout(PATIENCE):
        while True:
            newest = (await client.ask("GET", "/tasks?limit=1"))["tasks"][0]
            if newest["task"] == "quick" and newest["status"] == "finished":
                return
            await asyncio.sleep(0.05)


def _assert_nothing_lost(before_kill: list[Any], after: list[Any], busy: set[str]) -> None:
    assert [each["id"] for each in after] == [each["id"] for each in before_kill]
    for before, now in zip(before_kill, after, strict=True):
        if now["id"] in busy:
            last = now["steps"].pop()
            assert now["status"] == "failed"
            reason = "The server was restarted while the task was at work"
            assert last["evaluation_previous_goal"] == reason
        else:
            assert now["status"] == before["status"] == "finished"
        assert now["steps"][: len(before["steps"])] == before["steps"]
        assert [step["step"] for step in now["steps"]] == list(range(1, len(now["steps"]) + 1))
