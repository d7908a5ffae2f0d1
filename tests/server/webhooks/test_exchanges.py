"""What a delivery has sent and received: bounded, cleaned, and shown to the operator."""

import gzip
from datetime import UTC, datetime
from typing import Any

import pytest

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.records import Finished
from browser_use_async.server.storage import SqliteDatabase
from browser_use_async.server.storage.outbox import Attempt, Exchange, Outbox
from browser_use_async.webhooks.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.server.calling import Caller
from tests.server.raw_server import page
from tests.server.steering import FromQueue
from tests.server.webhooks.receiver import SECRET, outbox_of
from tests.support.patience import until
from tests.support.wire import WireServer, answering


async def _first(caller: Caller) -> Any:
    """The first delivery, complete, once it has ended."""
    await until(lambda: caller.server.deliveries and caller.server.deliveries[0].state != "pending")
    delivery_id = caller.server.deliveries[0].id
    answer = await caller.get(f"{caller.server.url}/admin/deliveries/{delivery_id}")
    assert answer.status == 200, answer.text
    assert SECRET not in answer.text
    return answer.json


async def test_headers_and_bodies_of_both_sides(notified, receiver):
    """As sent: with the signature, and without what is secret to the receiver."""
    receiver.headers = {"X-Request": "r-17", "Set-Cookie": "session=canary-of-a-cookie"}
    receiver.body = f"thanks, {SECRET}, grün, /hook?token=canary-token".encode()
    await notified.create()
    delivery = await _first(notified)
    ((attempt,), call) = delivery["attempts"], receiver.calls[1]
    exchange = attempt["exchange"]
    headers = dict(exchange["headers"])

    assert delivery["body"].encode() == call.body
    assert exchange["sent"][SIGNATURE_HEADER] == call.signature
    assert exchange["sent"][TIMESTAMP_HEADER] == call.timestamp
    assert (attempt["status"], headers["X-Request"]) == (200, "r-17")
    assert headers["Set-Cookie"] == "(hidden)"
    assert exchange["body"] == "thanks, (hidden), grün, (hidden)"
    assert headers["Location"] == "(hidden)/elsewhere"
    assert (exchange["is_cut"], 0 <= exchange["milliseconds"] < 30_000) == (False, True)


async def test_foreign_texts_are_cut_and_cleaned(notified, receiver):
    """The first 4 KB, without half of a secret, and without control or hidden characters."""
    receiver.headers = {f"X-Long-{number}": "x" * 1000 for number in range(9)}
    begin = b"a\r\nb\tc\x1b[31m\x00\xff\xe2\x80\xae"
    receiver.body = begin + b"-" * 4080 + SECRET.encode() + b"lost" * 1000
    await notified.create()
    exchange = (await _first(notified))["attempts"][0]["exchange"]
    sizes = [len(name) + len(value) for name, value in exchange["headers"]]

    assert exchange["body"].startswith("a\nb\tc\ufffd[31m\ufffd\ufffd\ufffd-")
    assert exchange["body"].endswith("--(hi")
    assert (len(exchange["body"]), exchange["is_cut"]) == (4096, True)
    assert 3000 < sum(sizes) <= 4096


async def test_each_attempt_has_its_own(http, receiver, tmp_path):
    """This includes those before a restart, and those that got no answer."""
    webhook = Webhook(receiver.url, SECRET)
    options: dict[str, Any] = {"database": tmp_path / "server.db", "api_key": "bu_test_of_storage"}
    receiver.answer = lambda call: 200 if call.status == "test" else 503
    receiver.body = b"too busy"
    async with LocalServer(
        executor=FromQueue(Finished("Done")),
        webhooks=[webhook],
        webhook_retry_pauses=[30.0] * 5,
        **options,
    ) as server:
        await Caller(server, http).create()
        await until(lambda: server.deliveries[0].attempts)
    receiver.answer, receiver.body = lambda _: 204, b""
    async with LocalServer(
        executor=FromQueue(Finished("Done")), webhooks=[Webhook(receiver.url, SECRET)], **options
    ) as server:
        attempts = (await _first(Caller(server, http)))["attempts"]

    assert [(each["status"], each["exchange"]["body"]) for each in attempts] == [
        (503, "too busy"),
        (204, ""),
    ]
    signed = [each["exchange"]["sent"][SIGNATURE_HEADER] for each in attempts]
    assert signed == [call.signature for call in receiver.calls if call.status == "initializing"]


async def test_an_attempt_without_an_answer(notified, receiver):
    """What was sent, how long it took, and why there is no answer."""
    receiver.headers = {"Transfer-Encoding": "of no kind"}
    await notified.create()
    delivery = await _first(notified)
    (*_, attempt) = delivery["attempts"]

    assert (delivery["state"], attempt["status"]) == ("failed", None)
    assert "not proper HTTP" in attempt["problem"]
    assert attempt["exchange"]["sent"][SIGNATURE_HEADER]
    assert (attempt["exchange"]["headers"], attempt["exchange"]["body"]) == ([], "")


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (page(b"x" * 6_000_000), "x" * 4096),
        (page(gzip.compress(b"y" * 6_000_000), headers={"Content-Encoding": "gzip"}), "y" * 4096),
        (page(b"unknown", headers={"Content-Encoding": "br"}), "unknown"),
        (page(b"no gzip", headers={"Content-Encoding": "gzip"}), "no gzip"),
        (page(b"cut", headers={"Content-Length": "9"}), "cut"),
    ],
    ids=["large", "large when it is decompressed", "br", "no gzip", "without end"],
)
async def test_the_status_decides(answer, kept, http):
    """A receiver that has accepted an event gets it once, whatever the body of its answer is."""
    async with (
        WireServer(answering(answer)) as receiver,
        LocalServer(
            executor=FromQueue(Finished("Done")),
            webhooks=[Webhook(receiver.url, SECRET, events=["finished"])],
            webhook_retry_pauses=[0.01] * 5,
        ) as server,
    ):
        caller = Caller(server, http)
        await caller.create()
        delivery = await _first(caller)

    (attempt,) = delivery["attempts"]
    assert (delivery["state"], attempt["status"], attempt["problem"]) == ("delivered", 200, None)
    assert attempt["exchange"]["body"] == kept
    assert len(receiver.requests) == 2


async def test_only_the_operator_sees_them(notified):
    """An answer can name the receiver: an owner's list of deliveries is without it."""
    shop = await notified.with_new_key("shop")
    operator = await notified.with_new_key("operator", scopes=["admin", "run", "read"])
    task_id = await shop.create()
    await until(lambda: notified.server.deliveries[0].state != "pending")
    delivery_id = notified.server.deliveries[0].id
    place = f"{notified.server.url}/admin/deliveries"
    listed = await shop.get(place)
    answers = [await each.get(f"{place}/{delivery_id}") for each in (shop, operator)]

    assert listed.json["deliveries"][0]["task_id"] == task_id
    assert "exchange" not in listed.text
    assert [each.status for each in answers] == [403, 404]


_NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def _delivered(
    outbox: Outbox, database: SqliteDatabase, owner: str = "default", attempts: int = 1
) -> None:
    number = await database.transact(lambda at: outbox.add(at, owner, "w", "a", "t", owner, b"{}"))
    delivery = await outbox.get(number)
    assert delivery is not None
    delivery.attempts += [Attempt(_NOW, 200, None, Exchange({}, 1))] * attempts
    await outbox.save(delivery, "delivered")


@pytest.fixture
def two_exchanges(monkeypatch):
    """Of each owner, those of the two latest deliveries are kept."""
    monkeypatch.setattr("browser_use_async.server.storage.outbox.KEPT_EXCHANGES", 2)


async def _kept(outbox: Outbox) -> list[tuple[str, list[bool]]]:
    found = [await outbox.get(each.number) for each in await outbox.latest(20)]
    return [
        (each.status, [one.exchange is not None for one in each.attempts])
        for each in found
        if each is not None
    ]


@pytest.mark.usefixtures("two_exchanges")
async def test_they_are_kept_of_the_latest_deliveries(tmp_path):
    """Older ones keep their attempts, and one delivery keeps those of six attempts."""
    database = SqliteDatabase(tmp_path / "server.db")
    outbox = outbox_of(database)
    for _ in range(4):
        await _delivered(outbox, database, attempts=8)
    kept = [exchanges for _, exchanges in await _kept(outbox)]
    database.close()

    assert kept == [[False] * 8] * 2 + [[False] * 2 + [True] * 6] * 2


@pytest.mark.usefixtures("two_exchanges")
async def test_an_owner_with_many_deliveries_leaves_those_of_others(tmp_path):
    """Each owner has room for its own, however many the others have."""
    database = SqliteDatabase(tmp_path / "server.db")
    outbox = outbox_of(database)
    for owner in ("shop", "shop", "shop", "busy", "busy", "busy", "busy"):
        await _delivered(outbox, database, owner)
    kept = await _kept(outbox)
    database.close()

    assert [each for each in kept if each[0] == "shop"] == [
        ("shop", [False]),
        ("shop", [True]),
        ("shop", [True]),
    ]
    assert [exchanges for owner, exchanges in kept if owner == "busy"] == [
        [False],
        [False],
        [True],
        [True],
    ]


@pytest.mark.usefixtures("two_exchanges")
async def test_an_old_delivery_that_ends_late_keeps_none(tmp_path):
    """One with many attempts is no longer among the latest, and stays within the bound."""
    database = SqliteDatabase(tmp_path / "server.db")
    outbox = outbox_of(database)
    number = await database.transact(
        lambda at: outbox.add(at, "default", "w", "a", "t", "late", b"{}")
    )
    for _ in range(3):
        await _delivered(outbox, database)
    late = await outbox.get(number)
    assert late is not None
    late.attempts.append(Attempt(_NOW, 200, None, Exchange({}, 1)))
    await outbox.save(late, "delivered")
    kept = await _kept(outbox)
    database.close()

    assert kept[0] == ("late", [False])
    assert [exchanges for _, exchanges in kept[1:]] == [[False], [True], [True]]
