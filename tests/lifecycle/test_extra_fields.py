"""Fields of a newer or another server are sent as they are given."""

import json
from typing import Any

import attrs
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from browser_use_async import BrowserUseSession, RunTaskRequest, errors
from browser_use_async.batch.inputs import content_key
from browser_use_async.types import CreateBrowserProfileRequest
from tests.support.hygiene import raises

EXTRA = {"vision": True, "agent": {"temperature": 0.5, "tools": ["a"]}}


async def _sent(call: str) -> dict[str, Any]:
    """The body of one creating call, as another server receives it."""
    bodies: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.json_response({"id": "t-1", "profile_id": "p-1", "profile_name": "shop"})

    app = web.Application()
    app.router.add_post("/api/v1/{path}", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/api/v1"))
        async with BrowserUseSession("k" * 20, base_url=url) as session:
            if call == "run":
                await session.tasks.run("Buy milk", extra_fields=EXTRA)
            elif call == "request":
                await session.tasks.run(RunTaskRequest("Buy milk", extra_fields=EXTRA))
            elif call == "submit":
                await session.submit("Buy milk", extra_fields=EXTRA)
            elif call == "schedule":
                await session.scheduled_tasks.create(
                    "Buy milk", schedule_type="interval", interval_minutes=5, extra_fields=EXTRA
                )
            else:
                await session.browser_profiles.create("shop", extra_fields=EXTRA)
    (body,) = bodies
    sent: dict[str, Any] = json.loads(body)
    return sent


@pytest.mark.parametrize("call", ["run", "request", "submit", "schedule", "profile"])
async def test_they_are_sent_as_given(call):
    """Beside the known fields, at the top level."""
    sent = await _sent(call)

    assert {name: sent[name] for name in EXTRA} == EXTRA
    assert "extra_fields" not in sent
    assert sent.get("task", sent.get("profile_name")) in {"Buy milk", "shop"}


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ({"llm_model": "o3"}, "llm_model is a field of RunTaskRequest; pass it by its own name"),
        ("vision", "must be a mapping, not str"),
        ({"at": object()}, "has a value that cannot be written as JSON"),
        ({"at": float("nan")}, "has a value that cannot be written as JSON"),
    ],
)
async def test_what_cannot_be_meant_is_refused(extra, problem):
    """In one sentence, before anything is sent."""
    async with BrowserUseSession("k" * 20, base_url="http://127.0.0.1:9/api/v1") as session:
        with raises(errors.InvalidRequestError) as caught:
            await session.tasks.run("Buy milk", extra_fields=extra)

    assert str(caught.value) == f"extra_fields: {problem}; nothing was sent"
    assert caught.value.field == "extra_fields"


def test_they_are_part_of_the_request():
    """An item of a batch with other ones is another item, and a changed copy keeps them."""
    request = RunTaskRequest("Buy milk", extra_fields={"vision": True})

    assert content_key(request) != content_key(RunTaskRequest("Buy milk"))
    assert attrs.evolve(request, metadata={"a": "b"}).extra_fields == {"vision": True}


def test_a_repr_has_their_names_alone():
    """Their values may be anything."""
    request = CreateBrowserProfileRequest("shop", extra_fields={"vision": "canary"})

    assert "extra_fields=['vision']" in repr(request)
    assert "canary" not in repr(request)
