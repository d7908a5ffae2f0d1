"""The server is killed at each step of a script that orders something, and started again."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs

from benchmarks.scripts.site import Version, serve
from benchmarks.scripts.sites import Shop
from tests.cli.running import environment
from tests.support.ports import free_port

__all__ = ["Kills", "kill_at_each_step"]

_ENDED = {"finished", "failed", "stopped"}
_ORDERING = "ordering"  # killed when the order has reached the shop, which has not answered
_KEY = "bu_key_of_scripts"


@attrs.define
class Kills:
    """The result of all kills.

    Attributes:
        points: At how many places the server was killed.
        twice: After how many of them something was ordered twice.
        wrong: After how many something else was ordered.
        unended: After how many the task did not come to an end.
    """

    points: int = 0
    twice: int = 0
    wrong: int = 0
    unended: int = 0


class _Shop(Shop):
    """Reports an order before it answers it."""

    ordered: asyncio.Event

    async def answer(self, path: str, given: Mapping[str, str]) -> Any:
        """Answer as the shop does."""
        said = await super().answer(path, given)
        if path == "/order":
            self.ordered.set()
            await asyncio.sleep(0.5)
        return said


async def kill_at_each_step(text: str, stride: int = 1) -> Kills:
    """Play a script of the shop once for each place.

    Args:
        text: The script, recorded at another address.
        stride: From one step to the next.
    """
    kills = Kills()
    site = _Shop()
    async with serve(site):
        recorded = text.partition("open ")[2].partition("/\n")[0]
        text = text.replace(recorded, site.url).replace("script bench", "script order")
        steps = text.count("\n    page: ") + 1
        for point in (*range(0, steps, stride), _ORDERING):
            with tempfile.TemporaryDirectory() as folder:
                await _kill_at(point, site, text, Path(folder), kills)
    return kills


async def _kill_at(point: int | str, site: _Shop, text: str, folder: Path, kills: Kills) -> None:
    (folder / "scripts").mkdir()
    (folder / "scripts" / "order.script").write_text(text)
    site.show(site.later, Version.SAME)
    site.ordered, site.basket = asyncio.Event(), ""
    port = free_port()
    async with _serving(folder, port) as (process, http):
        task_id = await _create(http, site)
        if point == _ORDERING:
            await asyncio.wait_for(site.ordered.wait(), 90)
        else:
            await _until_at(http, task_id, int(point))
        process.kill()
        await process.wait()
    async with _serving(folder, port) as (_, http):
        status = await _until_at(http, task_id)
    kills.points += 1
    kills.twice += len(site.log) > 1
    kills.wrong += any(each not in site.later.sent for each in site.log)
    kills.unended += status not in _ENDED
    print(f"killed at {point}: sent {site.log}, the task is {status}", flush=True)


async def _until_at(http: aiohttp.ClientSession, task_id: str, steps: int = 1000) -> str:
    """Wait until a task has this many steps or has ended; its status."""
    task: Any = {"status": "unknown"}
    for _ in range(3000):
        async with http.get(f"task/{task_id}") as answer:
            task = await answer.json()
        if len(task["steps"]) >= steps or task["status"] in _ENDED:
            break
        await asyncio.sleep(0.03)
    return str(task["status"])


async def _create(http: aiohttp.ClientSession, site: _Shop) -> str:
    inputs = json.dumps(dict(site.case.inputs))
    schema = {
        "type": "object",
        "properties": {"order": {"type": "string"}, "total": {"type": "number"}},
    }
    body = {
        "task": "Order it",
        "structured_output_json": json.dumps(schema),
        "metadata": {"bu_async.script": "order", "bu_async.inputs": inputs},
    }
    async with http.post("run-task", json=body) as answer:
        return str((await answer.json())["id"])


@asynccontextmanager
async def _serving(
    folder: Path, port: int
) -> AsyncGenerator[tuple[asyncio.subprocess.Process, aiohttp.ClientSession]]:
    words = (
        "serve", "--executor", "chromium", "--allow-private-addresses", "--no-recordings",
        "--database", str(folder / "server.db"), "--scripts", str(folder / "scripts"),
        "--port", str(port), "--api-key", "env:KEY_OF_SERVER", "--scripts-unattended",
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "browser_use_async", *words,
        env=environment(KEY_OF_SERVER=_KEY, PYTHONPATH=os.fspath(Path.cwd())),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            place = json.loads(await process.stdout.readline())
        headers = {"Authorization": f"Bearer {_KEY}"}
        async with aiohttp.ClientSession(f"{place['base_url']}/", headers=headers) as http:
            yield process, http
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
