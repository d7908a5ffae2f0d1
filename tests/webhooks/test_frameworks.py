"""One receiver, mounted in every framework, over real sockets."""

import asyncio

import pytest

from browser_use_async import webhooks
from tests.support.webhook_servers import FRAMEWORKS, PATH
from tests.webhooks.calls import SECRET, body_of, event, headers_of, post


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    """Each of them."""
    return str(request.param)


async def test_an_event_arrives(framework, http):
    """It is verified, answered with 200, and passed to the handlers of its class and no others."""
    events: list[webhooks.Event] = []
    tests: list[webhooks.TestEvent] = []
    receiver = webhooks.WebhookReceiver(SECRET, on_event=events.append)
    receiver.on(webhooks.TestEvent)(tests.append)
    changed = asyncio.Event()

    @receiver.on(webhooks.TaskStatusUpdate)
    async def note(update: webhooks.TaskStatusUpdate) -> None:
        assert update.status is webhooks.WebhookStatus.FINISHED
        changed.set()

    async with FRAMEWORKS[framework](receiver) as url:
        reply = await post(http, url, event("finished", "task-1"))
        await changed.wait()
        await receiver.aclose()

    assert (reply.status, reply.text) == (200, '{"status": "success"}')
    assert [type(each) for each in events] == [webhooks.TaskStatusUpdate]
    assert tests == []


async def test_nothing_without_the_secret(framework, http):
    """A call with a foreign signature is answered 403, without a reason."""
    events: list[webhooks.Event] = []
    receiver = webhooks.WebhookReceiver(SECRET, on_event=events.append)
    async with FRAMEWORKS[framework](receiver) as url:
        reply = await post(http, url, event(), secret="another")

    assert (reply.status, reply.text) == (403, '{"detail": "Forbidden"}')
    assert events == []
    assert receiver.metrics.refused == {"signature": 1}


async def test_wrong_calls(framework, http):
    """Other methods and content types are refused with one word; JSON may have no type."""
    receiver = webhooks.WebhookReceiver(SECRET)
    route = framework == "a route of Quart"  # which checks the method itself, and nothing else
    async with FRAMEWORKS[framework](receiver) as url:
        got = await post(http, url, event(), method="GET")
        put = await post(http, url, event(), method="PUT")
        form = await post(http, url, event(), headers={"Content-Type": "text/plain"})
        odd = await post(http, url, event(), headers={"Content-Type": "application/cloud+json"})
        silent = await post(http, url, event(), headers={"Content-Type": None})

    statuses = [each.status for each in (got, put, form, odd, silent)]
    assert statuses == [405, 405, 200 if route else 415, 200, 200]
    if not route:
        assert got.headers["Allow"] == "POST"
        assert form.text == '{"detail": "Unsupported Media Type"}'


@pytest.mark.parametrize("name", ["ASGI alone", "Starlette", "Quart", "aiohttp"])
async def test_wrong_path(name, http):
    """A receiver with a path of its own answers there, whatever prefix it is mounted at."""
    receiver = webhooks.WebhookReceiver(SECRET, path=PATH)
    other = webhooks.WebhookReceiver(SECRET, path="/elsewhere")
    async with FRAMEWORKS[name](receiver) as right, FRAMEWORKS[name](other) as wrong:
        replies = [await post(http, url, event()) for url in (right, f"{right}/", wrong)]

    slash = 404 if name == "aiohttp" else 200  # aiohttp's own router distinguishes them
    assert [each.status for each in replies] == [200, slash, 404]
    assert "detail" not in replies[2].text or replies[2].text == '{"detail": "Not Found"}'


@pytest.mark.parametrize("framework", [each for each in FRAMEWORKS if "route" not in each])
async def test_a_body_that_grows(framework):
    """A body of unknown length is cut at the limit, before its rest has come."""
    receiver = webhooks.WebhookReceiver(SECRET, max_body=10_000, body_timeout=60.0)
    sent = 0
    async with FRAMEWORKS[framework](receiver) as url:
        host, _, path = url.removeprefix("http://").partition("/")
        reader, writer = await asyncio.open_connection(*host.split(":"))
        lines = [f"POST /{path} HTTP/1.1", f"Host: {host}", "Transfer-Encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in headers_of(body_of(event())).items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        answer = asyncio.ensure_future(reader.readline())
        while not answer.done() and sent < 200:
            writer.write(b"400\r\n" + b" " * 1024 + b"\r\n")
            sent += 1
            await asyncio.sleep(0.01)
        status = await answer
        writer.close()

    assert status.split()[1] == b"413"
    assert sent < 200
    assert receiver.metrics.refused == {"too_large": 1}


async def test_the_lifespan_ends_the_receiver(http):
    """Served alone, the receiver closes with its server, after the handlers have ended."""
    ended: list[str] = []
    receiver = webhooks.WebhookReceiver(SECRET)

    @receiver.on(webhooks.TaskStatusUpdate)
    async def linger(update: webhooks.TaskStatusUpdate) -> None:
        await asyncio.sleep(0.2)
        ended.append(update.task_id)

    async with FRAMEWORKS["ASGI alone"](receiver) as url:
        await post(http, url, event(task_id="task-1"))

    assert ended == ["task-1"]
    assert receiver.receive(b"", {}).status == 503
