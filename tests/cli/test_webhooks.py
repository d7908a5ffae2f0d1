"""Receiving and sending webhooks from the shell."""

import asyncio
import json
import signal
from typing import Any

import pytest
from yarl import URL

from browser_use_async.server import LocalServer, Webhook
from tests.server.webhooks.receiver import receiving
from tests.support.patience import PATIENCE
from tests.support.wire import bound_socket

from .running import Running, environment, run, running

SECRET = "canary-of-a-listening-secret"
ENV = environment(BROWSER_USE_WEBHOOK_SECRET=SECRET)
LISTEN = ("webhooks", "listen", "--port", "0")


async def _url(command: Running) -> str:
    return str(json.loads(await command.writes())["url"])


async def _next(command: Running) -> Any:
    return json.loads(await command.writes())


@pytest.mark.long
async def test_a_server_sends_events_to_a_listener():
    """The server's events are shown in aligned lines, and as JSON lines; a signal ends it."""
    async with (
        running(*LISTEN, env=ENV) as command,
        LocalServer(executor="scripted") as server,
    ):
        await server.add_webhook(Webhook(await _url(command), SECRET))
        test = await _next(command)
        async with running(
            "run", "Buy milk", "--metadata", "order=7", env=environment(server)
        ) as other:
            task_id = (await other.ends()).json["id"]
        events = [await _next(command) for _ in range(3)]
        said = await command.says("finished  ")
        command.send(signal.SIGTERM)
        result = await command.ends()

    assert test == {
        "type": "test",
        "timestamp": "2024-03-21T12:00:00.000000Z",
        "payload": {"test": "ok"},
    }
    words = [event["payload"]["status"] for event in events]
    assert words == ["initializing", "started", "finished"]
    assert {event["payload"]["task_id"] for event in events} == {task_id}
    assert all(event["payload"]["metadata"] == {"order": "7"} for event in events)
    places = {line.index(task_id) for line in said.splitlines() if task_id in line}
    assert len(places) == 1
    assert result.code == 0
    assert SECRET not in said + result.stdout + result.stderr


@pytest.mark.parametrize(
    "kind", ["initializing", "started", "paused", "stopped", "finished", "failed", "test"]
)
async def test_a_sample_of_each_kind(kind):
    """A listener with the same secret accepts each, and the answer is shown."""
    async with running(*LISTEN, env=ENV) as command:
        url = await _url(command)
        words = ("--to", url, "--task-id", "task-1", "--metadata", "a=b")
        result = await run("webhooks", "trigger", kind, *words, env=ENV)
        event = await _next(command)

    assert result.code == 0
    assert "answered 200" in result.stderr
    assert (result.json["kind"], result.json["status"]) == (kind, 200)
    if kind == "test":
        assert event["type"] == "test"
    else:
        payload = event["payload"]
        assert (payload["task_id"], payload["status"]) == ("task-1", kind)
        assert payload["metadata"] == {"a": "b"}


async def test_calls_are_sent_on_as_they_came(tmp_path):
    """Genuine calls reach the local address with their body and signature; others do not."""
    secret = tmp_path / "secret"
    secret.write_text("canary-of-a-webhook-secret\n")  # the port of the receiver below
    source = ("--secret", f"file:{secret}")
    async with receiving() as receiver:
        words = (*LISTEN, "--path", "/in", "--forward", f"{receiver.url}/app", *source)
        async with running(*words) as command:
            url = await _url(command)
            await run("webhooks", "trigger", "finished", "--to", url, *source)
            refused = await run("webhooks", "trigger", "paused", "--to", url, env=ENV)
            receiver.answer = lambda _call: 500
            await run("webhooks", "trigger", "stopped", "--to", url, *source)
            said = await command.says("sent on: 500")

    assert receiver.statuses == ["finished", "stopped"]
    assert all(call.is_genuine for call in receiver.calls)
    assert "sent on: 200" in said
    assert "refused with 403: no signature matches" in said
    assert url.endswith("/in")
    assert refused.code == 3


async def test_a_secret_on_the_command_line():
    """A note says who can see it there."""
    words = ("webhooks", "trigger", "finished", "--to", "http://127.0.0.1:9/hook", "--secret")
    visible = await run(*words, SECRET, env=environment())
    named = await run(*words, "env:BROWSER_USE_WEBHOOK_SECRET", env=ENV)

    assert "given with --secret in the process list" in " ".join(visible.stderr.split())
    assert "process list" not in named.stderr
    assert SECRET not in visible.stderr + named.stderr


async def test_no_server_listens():
    """An address without a listener is exit code 4, with a clear message."""
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/webhook"
        result = await run("webhooks", "trigger", "finished", "--to", url, env=ENV)

    assert result.code == 4
    assert "nothing answers" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("trigger", "finished", "--to", "http://example.com/hook"),
        ("trigger", "finished", "--to", "http://user:word@127.0.0.1/hook"),
        ("trigger", "finished", "--to", "127.0.0.1"),
        ("trigger", "failure"),
        ("listen", "--host", "0.0.0.0"),
        ("listen", "--forward", "http://192.0.2.1/hook"),
        ("listen", "--path", "hook"),
        ("listen", "--secret", "file:/nowhere"),
        ("listen", "--secret", "env:NOT_SET_ANYWHERE"),
        (),
    ],
)
async def test_wrong_usage(words):
    """Other machines, unknown events and invalid secrets: exit code 2, nothing sent."""
    result = await run("webhooks", *words, env=ENV)

    assert result.code == 2
    assert result.stdout == ""


async def test_without_a_secret():
    """Both commands say where it comes from."""
    for words in (("listen",), ("trigger", "finished")):
        result = await run("webhooks", *words, env=environment())

        assert result.code == 2
        assert "BROWSER_USE_WEBHOOK_SECRET" in result.stderr


async def test_a_port_that_is_taken():
    """It is exit code 2, with a clear message."""
    with bound_socket() as listener:
        listener.listen()
        port = str(listener.getsockname()[1])
        result = await run("webhooks", "listen", "--port", port, env=ENV)

    assert result.code == 2
    assert port in result.stderr


@pytest.mark.torture
async def test_headers_that_do_not_come():
    """A listener closes silent connections, and those with slow headers, within ten seconds."""
    loop = asyncio.get_running_loop()

    async def lasts(url: str, data: bytes, *, drips: bool) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", URL(url).port)
        began = loop.time()
        writer.write(data)
        end = asyncio.create_task(reader.read())
        while not end.done():
            await asyncio.wait([end], timeout=1.0)
            if drips and not end.done():
                writer.write(b"x")
        writer.close()
        return loop.time() - began

    async with running(*LISTEN, env=ENV) as command:
        url = await _url(command)
        head = b"POST /webhook HTTP/1.1\r\nX-Slow: "
        seconds = await asyncio.gather(
            lasts(url, b"", drips=False),
            lasts(url, head, drips=False),
            lasts(url, head, drips=True),
        )

    assert max(seconds) <= 2 * PATIENCE
