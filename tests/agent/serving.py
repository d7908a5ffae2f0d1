"""`serve --executor browser_use` as a command, and raw calls to it."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs

from tests.agent.scripted_model import KEY, ScriptedModel
from tests.cli.running import environment

__all__ = ["Command", "serving"]


@attrs.frozen
class Command:
    """A running server.

    Attributes:
        process: Its process, or that of the program that runs it.
        pid: The number of its own process.
        place: Its JSON output.
        http: A client with its key.
    """

    process: asyncio.subprocess.Process
    pid: int
    place: dict[str, Any]
    http: aiohttp.ClientSession

    async def create(self, task: str, **fields: Any) -> str:
        """Run a task; its id."""
        url = f"{self.place['base_url']}/run-task"
        async with self.http.post(url, json={"task": task, **fields}) as answer:
            created: str = (await answer.json())["id"]
            return created

    async def ended(self, task_id: str, seconds: float = 100) -> Any:
        """The task, once it has ended."""
        async with asyncio.timeout(seconds):
            while True:
                async with self.http.get(f"{self.place['base_url']}/task/{task_id}") as answer:
                    task = await answer.json()
                if task["status"] in {"finished", "failed", "stopped"}:
                    return task
                await asyncio.sleep(0.2)


@asynccontextmanager
async def serving(model: ScriptedModel, *runner: str) -> AsyncGenerator[Command]:
    """A server whose agent asks a model, killed at the end if it still runs.

    Args:
        model: The model.
        runner: A program and its arguments that run the server, such as a tracer.
    """
    words = ("serve", "--port", "0", "--executor", "browser_use", "--allow-private-addresses")
    process = await asyncio.create_subprocess_exec(
        *(*runner, sys.executable, "-m", "browser_use_async", *words),
        *("--llm-base-url", model.url, "--llm-key", "env:KEY_OF_THE_MODEL", "--verbose"),
        env=environment(
            KEY_OF_THE_MODEL=KEY, TMPDIR=tempfile.gettempdir(), PYTHONPATH=str(Path.cwd())
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            place = json.loads(await process.stdout.readline())
        headers = {"Authorization": f"Bearer {place['api_key']}"}
        pid = _child(process.pid) if runner else process.pid
        async with aiohttp.ClientSession(headers=headers) as http:
            yield Command(process, pid, place, http)
        if process.returncode is None:
            os.kill(pid, signal.SIGTERM)
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _child(pid: int) -> int:
    """The first process that another one has started."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
