"""Shared parts of the tests of the agent: servers, scripts, and waits for the end."""

import asyncio
import io
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import attrs

from browser_use_async.server import AgentSettings, ChromiumSettings, LocalServer
from browser_use_async.server.executors.agent.executor import BrowserUseExecutor
from tests.agent.scripted_model import KEY, Reply, Says, ScriptedModel, act, index_of
from tests.agent.site import Shop
from tests.server.calling import Caller

__all__ = ["Stage", "click", "done", "ended", "screenshots", "size_of", "uploaded"]


class Stage:
    """Servers whose tasks the agent runs."""

    def __init__(self, stack: AsyncExitStack, shop: Shop) -> None:
        self._stack = stack
        self.shop = shop

    async def model(self, replies: Sequence[Reply], **options: Any) -> ScriptedModel:
        """A model that follows a script."""
        return await self._stack.enter_async_context(ScriptedModel(replies, **options))

    async def server(self, model: ScriptedModel, **options: Any) -> Caller:
        """A server whose agent asks this model."""
        chromium = ChromiumSettings(
            allow_private_addresses=options.pop("allow_private_addresses", True),
            allow_named_addresses=options.pop("allow_named_addresses", None),
            max_browsers=options.pop("max_browsers", None),
        )
        seconds = options.pop("answer_seconds", None)
        settings = AgentSettings(llm_base_url=model.url, llm_key=KEY, **options)
        if seconds is None:
            local = LocalServer(executor="browser_use", agent=settings, chromium=chromium)
        else:
            executor = BrowserUseExecutor(settings, chromium)
            executor.model = attrs.evolve(executor.model, answer_seconds=seconds)
            local = LocalServer(executor=executor, chromium=chromium)
        server = await self._stack.enter_async_context(local)
        http = await self._stack.enter_async_context(aiohttp.ClientSession())
        return Caller(server, http)


def click(label: str, text: str) -> Says:
    """Click the element with these words."""
    return act(f"Open {label}", {"click": {"index": index_of(label, text)}})


def done(text: str, *, success: bool = True) -> Says:
    """Answer."""
    return act("Answer", {"done": {"text": text, "success": success}})


async def ended(caller: Caller, task_id: str, seconds: float = 90) -> Any:
    """The task, once it has ended."""
    async with asyncio.timeout(seconds):
        while True:
            task = await caller.task(task_id)
            if task["status"] in {"finished", "failed", "stopped"}:
                return task
            await asyncio.sleep(0.1)


async def screenshots(caller: Caller, task_id: str) -> list[bytes]:
    """The pictures of a task."""
    answer = await caller.get(f"/task/{task_id}/screenshots")
    return [(await caller.get(url, key=False)).body for url in answer.json["screenshots"]]


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    assert picture.startswith(b"\x89PNG")
    return int.from_bytes(picture[16:20], "big"), int.from_bytes(picture[20:24], "big")


async def uploaded(caller: Caller, name: str, content: bytes) -> str:
    """Upload a text file; its name."""
    wanted = {"file_name": name, "content_type": "text/plain"}
    place = await caller.post("/uploads/presigned-url", json=wanted)
    headers = {"Content-Type": "text/plain"}
    answer = await caller.put(
        place.json["upload_url"], key=False, data=io.BytesIO(content), headers=headers
    )
    assert answer.status < 300, answer.text
    return name
