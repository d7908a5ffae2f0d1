"""A language model on loopback that follows a script: an OpenAI-compatible endpoint."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Self

import attrs
from aiohttp import web

__all__ = [
    "KEY",
    "Asked",
    "Garbage",
    "Reply",
    "ScriptedModel",
    "Silence",
    "Status",
    "act",
    "index_of",
]

KEY = "canary-of-a-model-key-4d18c2"
"""What the endpoint takes as its key."""


@attrs.frozen
class Asked:
    """One question to the model.

    Attributes:
        model: The model that was named.
        text: All messages as one text.
        pictures: How many pictures came along.
    """

    model: str
    text: str = attrs.field(repr=False)
    pictures: int


@attrs.frozen
class Garbage:
    """An answer that is no answer.

    Attributes:
        text: The text of the answer.
    """

    text: str = "I would rather talk about the weather."


@attrs.frozen
class Status:
    """An error instead of an answer.

    Attributes:
        status: The HTTP status.
        message: The message of the error.
    """

    status: int
    message: str


@attrs.frozen
class Silence:
    """No answer for as long as the other side waits."""


Says = dict[str, Any] | Garbage | Status | Silence
Reply = Says | Callable[[str], Says]
"""What the model says, or how it finds out from what it is asked."""


def act(goal: str, *actions: dict[str, Any], evaluation: str = "Success", memory: str = "") -> Says:
    """An answer in the format of the agent.

    Args:
        goal: The next goal.
        actions: What to do.
        evaluation: The judgement of the last goal.
        memory: The memory.
    """
    return {
        "thinking": "As the script says.",
        "evaluation_previous_goal": evaluation,
        "memory": memory,
        "next_goal": goal,
        "action": list(actions),
    }


def index_of(label: str, text: str) -> int:
    """The number that the agent gives to an element, read from its description of the page.

    Args:
        label: The words of the element, or an attribute of it.
        text: The question.
    """
    shown = text.rpartition("<browser_state>")[2]
    found = re.findall(r"\[(\d+)\]<([^\[]*)", shown)
    for number, rest in found:
        if label in rest:
            return int(number)
    raise LookupError(f"no element {label!r} in {shown}")


class ScriptedModel:
    """The endpoint. Use it as an async context manager.

    Args:
        replies: Its answers, one after the other; the last one is repeated.
        models: The names that it lists; None if it does not list any.
        key: The key that it takes.
        seconds: How long it takes for an answer.

    Attributes:
        asked: The questions so far.
        keys: The keys that came, valid or not.
    """

    def __init__(
        self,
        replies: Sequence[Reply],
        models: Sequence[str] | None = ("gpt-4.1",),
        key: str = KEY,
        *,
        seconds: float = 0.0,
    ) -> None:
        self._replies = list(replies)
        self._models = models
        self._key = key
        self._seconds = seconds
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.asked: list[Asked] = []
        self.keys: set[str] = set()

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=64 * 1024**2)
        application.router.add_get("/v1/models", self._list)
        application.router.add_post("/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _list(self, request: web.Request) -> web.Response:
        if self._models is None:
            return web.json_response({"error": {"message": "not here"}}, status=404)
        if not self._admits(request):
            return _refused(Status(401, f"Incorrect API key provided: {self._sent_key(request)}"))
        models = [{"id": name, "object": "model"} for name in self._models]
        return web.json_response({"object": "list", "data": models})

    async def _complete(self, request: web.Request) -> web.Response:
        if not self._admits(request):
            return _refused(Status(401, f"Incorrect API key provided: {self._sent_key(request)}"))
        asked = _asked(await request.json())
        reply = self._replies[min(len(self.asked), len(self._replies) - 1)]
        self.asked.append(asked)
        await asyncio.sleep(self._seconds)
        says = reply(asked.text) if callable(reply) else reply
        if isinstance(says, Silence):
            await asyncio.sleep(3600)
        if isinstance(says, Status):
            return _refused(says)
        text = says.text if isinstance(says, Garbage) else json.dumps(says)
        return web.json_response(_completion(asked.model, text))

    def _admits(self, request: web.Request) -> bool:
        self.keys.add(self._sent_key(request))
        return self._sent_key(request) == self._key

    def _sent_key(self, request: web.Request) -> str:
        return request.headers.get("Authorization", "").removeprefix("Bearer ")


def _asked(body: dict[str, Any]) -> Asked:
    texts: list[str] = []
    pictures = 0
    for message in body["messages"]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts += [part["text"] for part in parts if part["type"] == "text"]
        pictures += sum(part["type"] == "image_url" for part in parts)
    return Asked(body["model"], "\n".join(texts), pictures)


def _completion(model: str, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


def _refused(says: Status) -> web.Response:
    body = {"error": {"message": says.message, "type": "error", "code": None}}
    return web.json_response(body, status=says.status)
