"""How webhooks are registered: in code, over HTTP, and on the command line."""

from collections.abc import Callable

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer, Webhook
from tests.server.webhooks.receiver import SECRET, Call

TEST = b'{"payload":{"test":"ok"},"timestamp":"2024-03-21T12:00:00Z","type":"test"}'


def _always(status: int) -> Callable[[Call], int]:
    return lambda _: status


async def test_the_test_event_comes_first(receiver, nothing_leaks):
    """Signed, with the documented content; a receiver without a 2xx answer is not registered."""
    async with LocalServer(executor="scripted") as server:
        for status in (500, 403, 307, 404):
            receiver.answer = _always(status)
            with pytest.raises(ConfigurationError, match=f"answered {status}"):
                await server.add_webhook(Webhook(receiver.url, SECRET))
        assert server.webhooks == ()
        receiver.answer = lambda _: 204
        await server.add_webhook(Webhook(receiver.url, SECRET))

    assert len(server.webhooks) == 1
    assert [call.body for call in receiver.calls] == [TEST] * 5
    assert all(call.is_genuine for call in receiver.calls)


async def test_a_server_does_not_start_without_its_webhook(receiver, nothing_leaks):
    """A webhook given in code must pass the test as well."""
    receiver.answer = lambda _: 500
    server = LocalServer(executor="scripted", webhooks=[Webhook(receiver.url + "/t0ken", SECRET)])
    with pytest.raises(ConfigurationError) as caught:
        await server.start()

    assert "t0ken" not in str(caught.value)
    assert SECRET not in str(caught.value)


async def test_over_http(caller, receiver):
    """Registered, shown without its secret, called, replaced, and removed."""
    place = caller.server.url + "/admin/webhooks"
    order = {"url": receiver.url, "secret": SECRET}
    await caller.ask("POST", place, json=order)
    added = await caller.ask("POST", place, json=order)
    shown = await caller.ask("GET", place)
    await caller.create("quick")
    await receiver.has(5)
    removed = await caller.ask("DELETE", f"{place}/{added.json['id']}")
    again = await caller.ask("DELETE", f"{place}/{added.json['id']}")

    assert shown.json == {"webhooks": [added.json]}
    assert added.json["url"] == receiver.url
    assert receiver.statuses == ["test", "test", "initializing", "started", "finished"]
    assert (removed.status, again.status) == (200, 404)
    assert (await caller.ask("GET", place)).json == {"webhooks": []}


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://example.com/", "secret": "s"},
        {"url": "ftp://127.0.0.1/", "secret": "s"},
        {"url": "https://user:word@example.com/", "secret": "s"},
        {"url": "https://[", "secret": "s"},
        {"url": 3, "secret": "s"},
        {"url": "https://example.com/", "secret": " "},
        {"url": "https://example.com/", "secret": None},
        {"url": "http://127.0.0.1:1/", "secret": "s"},
        {"url": "https://example.com/"},
        [],
        None,
    ],
)
async def test_what_is_refused(caller, body):
    """With 422, and no request leaves this machine."""
    answer = await caller.ask("POST", caller.server.url + "/admin/webhooks", json=body)

    assert answer.status == 422, answer.text
    assert caller.server.webhooks == ()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/webhooks"),
        ("POST", "/admin/webhooks"),
        ("DELETE", "/admin/webhooks/x"),
        ("GET", "/admin/deliveries"),
    ],
)
async def test_the_key_is_needed(caller, method, path):
    """It is needed as for everything that an administrator may do."""
    answer = await caller.ask(method, caller.server.url + path, key=False)

    assert answer.status in {401, 403}


def test_a_secret_does_not_show():
    """Neither in the repr of a webhook nor, with the path, in that of its errors."""
    webhook = Webhook("https://example.com/t0ken?u=t0ken", SECRET)

    assert "t0ken" not in repr(webhook)
    assert SECRET not in repr(webhook)
    with pytest.raises(ConfigurationError) as caught:
        Webhook("http://example.com/t0ken", SECRET)
    assert "t0ken" not in str(caught.value)
