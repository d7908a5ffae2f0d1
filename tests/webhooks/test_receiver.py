"""The promises of a receiver: each event once, in order for a task, at once, and bounded."""

import asyncio
import contextlib
import gc
import logging
import sys
import time
from typing import Any

import aiohttp
import pytest

from browser_use_async import errors, webhooks
from tests.support.patience import until
from tests.support.webhook_servers import in_aiohttp
from tests.webhooks.calls import SECRET, body_of, event, headers_of, post, raw_request

TEST_EVENT = {"type": "test", "timestamp": "2024-03-21T12:00:00Z", "payload": {"test": "ok"}}


def _receive(receiver: webhooks.WebhookReceiver, value: object, *, age: float = 0.0) -> int:
    body = body_of(value)
    return receiver.receive(body, headers_of(body, age=age)).status


async def _handled(receiver: webhooks.WebhookReceiver, count: int) -> None:
    await until(lambda: receiver.metrics.handled.total() >= count)


async def test_an_event_that_comes_again(http):
    """Sent five times, replayed, signed again and formatted again: 200 each, handled once."""
    events_seen: list[webhooks.Event] = []
    receiver = webhooks.WebhookReceiver(SECRET, on_event=events_seen.append)
    value = event()
    turned = dict(reversed(value.items()))
    body, headers = body_of(value), headers_of(body_of(value))
    async with in_aiohttp(receiver) as url:
        replies = [await post(http, url, body, headers=headers) for _ in range(5)]
        replies += [await post(http, url, turned, age=age) for age in (0, 10, 20, 30, 40)]
        await _handled(receiver, 1)

    assert {reply.status for reply in replies} == {200}
    assert len(events_seen) == 1
    assert receiver.metrics.received == {"finished": 10}
    assert receiver.metrics.duplicates == {"finished": 9}
    assert receiver.metrics.calls == 10


async def test_what_is_remembered_is_bounded():
    """The latest events are recognised, and one that is used again is kept."""
    events_seen: list[webhooks.Event] = []
    receiver = webhooks.WebhookReceiver(SECRET, on_event=events_seen.append, remember=3)
    first, *others = [event() for _ in range(4)]
    for value in (first, *others[:2], first, others[2], first, others[0]):
        _receive(receiver, value)
    await _handled(receiver, 5)

    assert len(events_seen) == 5  # the second event was forgotten, the first was not
    await receiver.aclose()


async def test_test_events_are_handled_each():
    """They have equal content, so a new one is handled again; the same call twice is not."""
    events_seen: list[webhooks.TestEvent] = []
    receiver = webhooks.WebhookReceiver(SECRET)
    receiver.on(webhooks.TestEvent)(events_seen.append)
    body = body_of(TEST_EVENT)
    once = headers_of(body, age=20)
    for headers in (once, once, headers_of(body, age=10)):
        assert receiver.receive(body, headers).status == 200
    await receiver.aclose()

    assert len(events_seen) == 2


async def test_a_retry_under_an_old_timestamp():
    """Ten minutes later the same call is stale, unless the receiver allows a longer window."""
    strict = webhooks.WebhookReceiver(SECRET)
    wide = webhooks.WebhookReceiver(SECRET, tolerance=3600)
    endless = webhooks.WebhookReceiver(SECRET, tolerance=None)
    answers = [_receive(each, event(), age=600) for each in (strict, wide, endless)]

    assert answers == [400, 200, 200]
    assert strict.metrics.refused == {"stale": 1}


async def test_events_in_the_wrong_order():
    """Handlers get them in the order of arrival, with the time at which they happened."""
    words = ["finished", "started", "paused", "initializing"]
    events_seen: list[tuple[str, Any]] = []
    receiver = webhooks.WebhookReceiver(SECRET)

    @receiver.on(webhooks.TaskStatusUpdate)
    async def note(update: webhooks.TaskStatusUpdate) -> None:
        await asyncio.sleep(0.01 if update.status == "finished" else 0)
        events_seen.append((str(update.status), update.timestamp))

    for number, word in enumerate(words):
        value = {**event(word, "task-1"), "timestamp": f"2026-01-01T00:00:0{9 - number}Z"}
        assert _receive(receiver, value) == 200
    await receiver.aclose()

    assert [word for word, _when in events_seen] == words
    assert [when.second for _word, when in events_seen] == [9, 8, 7, 6]


@pytest.mark.parametrize(
    ("changed", "label"),
    [
        ({"type": "agent.task.created"}, "unknown"),
        ({"type": None}, "unknown"),
        ({"type": {"a": 1}}, "unknown"),
        ({"payload": None}, "unknown"),
        ({"payload": {"status": "finished"}}, "unknown"),
        ({"payload": {"task_id": "t", "status": "archived"}}, "other status"),
        ({"payload": {"task_id": "t", "status": "finished", "metadata": [1]}}, "finished"),
        ({"new_field": [1], "payload": {"task_id": "t", "status": "paused", "x": 1}}, "paused"),
        ({"timestamp": "yesterday"}, "finished"),
    ],
    ids=str,
)
async def test_what_is_not_known(changed, label):
    """The answer is 200, the event has its own type, and the number of counted types is bounded."""
    events_seen: list[webhooks.Event] = []
    receiver = webhooks.WebhookReceiver(SECRET, on_event=events_seen.append)

    assert _receive(receiver, {**event(), **changed}) == 200
    await receiver.aclose()

    assert receiver.metrics.delivered == {label: 1}
    assert receiver.metrics.handled == {label: 1}
    assert isinstance(events_seen[0], webhooks.UnknownEvent) is (label == "unknown")


@pytest.mark.parametrize("missing", ["X-Browser-Use-Timestamp", "X-Browser-Use-Signature"])
async def test_a_missing_header(missing):
    """The answer is 400 with one word, without a wait for the body."""
    receiver = webhooks.WebhookReceiver(SECRET)
    lines = [f"{name}: {text}" for name, text in headers_of(b"{}").items() if name != missing]
    async with in_aiohttp(receiver) as url:
        answer = await raw_request(url, [*lines, "Content-Length: 100"])

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert body == b'{"detail": "Bad Request"}'
    assert receiver.metrics.refused == {"header": 1}


async def test_handlers_that_raise(http, caplog):
    """The sender has its 200, the other handlers run, and the log has the reason."""
    events_seen: list[webhooks.Event] = []
    receiver = webhooks.WebhookReceiver(SECRET)

    @receiver.on(webhooks.TaskStatusUpdate)
    def stumble(update: webhooks.TaskStatusUpdate) -> None:
        raise ZeroDivisionError

    @receiver.on(webhooks.TaskStatusUpdate)
    async def give_up(update: webhooks.TaskStatusUpdate) -> None:
        raise asyncio.CancelledError

    receiver.on(webhooks.TaskStatusUpdate)(events_seen.append)
    async with in_aiohttp(receiver) as url:
        replies = [await post(http, url, event()) for _ in range(3)]
        await receiver.aclose()

    failures = dict(receiver.metrics.handler_failures)
    assert {reply.status for reply in replies} == {200}
    assert failures == {"finished": 6}
    assert receiver.metrics.handled.total() == 0
    assert "stumble failed on an event finished: it raised ZeroDivisionError" in caplog.text
    assert "something that it awaited was cancelled" in caplog.text


@pytest.mark.looptime
async def test_handlers_that_hang(caplog):
    """Calls are answered meanwhile without waiting; each handler is ended after its time."""
    loop = asyncio.get_running_loop()
    receiver = webhooks.WebhookReceiver(SECRET, queue_size=30, handler_timeout=60, concurrency=10)

    @receiver.on(webhooks.TaskStatusUpdate)
    async def hang(update: webhooks.TaskStatusUpdate) -> None:
        await asyncio.sleep(3600)

    async with aiohttp.ClientSession() as http, in_aiohttp(receiver) as url:
        began = loop.time()
        statuses = [(await post(http, url, event())).status for _ in range(32)]
        answered = loop.time() - began
        await asyncio.sleep(181)
        failures = receiver.metrics.handler_failures.total()
        again = (await post(http, url, event())).status
        await receiver.aclose()

    assert statuses == [200] * 30 + [503] * 2
    assert answered < 0.1
    assert failures == 30
    assert again == 200
    assert receiver.metrics.queue_full == {"finished": 2}
    assert "hang failed on an event finished: it took longer than 60 s" in caplog.text


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_thousand_events_in_a_second(http):
    """None that was answered with 200 is lost, and those beyond the queue get a 503."""
    events_seen: set[str] = set()
    gate = asyncio.Event()
    # The handlers wait until all events have come, however long that takes.
    receiver = webhooks.WebhookReceiver(SECRET, queue_size=600, handler_timeout=3600.0)

    @receiver.on(webhooks.TaskStatusUpdate)
    async def note(update: webhooks.TaskStatusUpdate) -> None:
        await gate.wait()
        events_seen.add(update.task_id)

    values = [event() for _ in range(1000)]
    room = asyncio.Semaphore(50)

    async def send(value: dict[str, Any]) -> tuple[str, int, str | None]:
        async with room:
            reply = await post(http, url, value)
        return value["payload"]["task_id"], reply.status, reply.headers.get("Retry-After")

    async with in_aiohttp(receiver) as url:
        first = await asyncio.gather(*map(send, values))
        put_off = [task_id for task_id, status, _wait in first if status == 503]
        gate.set()
        await _handled(receiver, 600)
        second = await asyncio.gather(*map(send, values))
        await receiver.aclose()

    taken = {task_id for task_id, status, _wait in first if status == 200}
    assert len(taken) == 600
    assert len(put_off) == 400
    assert {wait for _task_id, status, wait in first if status == 503} == {"5"}
    assert {status for _task_id, status, _wait in second} == {200}
    assert events_seen == {value["payload"]["task_id"] for value in values}
    assert receiver.metrics.duplicates == {"finished": 600}
    assert receiver.metrics.delivered == {"finished": 1000}


async def test_a_task_that_hangs_delays_no_other():
    """Events of one task follow each other; those of others overtake them."""
    events_seen: list[str] = []
    gate = asyncio.Event()
    receiver = webhooks.WebhookReceiver(SECRET, concurrency=2)

    @receiver.on(webhooks.TaskStatusUpdate)
    async def note(update: webhooks.TaskStatusUpdate) -> None:
        if update.task_id == "slow" and update.status == "started":
            await gate.wait()
        events_seen.append(f"{update.task_id} {update.status}")

    for task_id in ("slow", "quick"):
        for word in ("started", "finished"):
            _receive(receiver, event(word, task_id))
    await _handled(receiver, 2)
    meanwhile = list(events_seen)
    gate.set()
    await receiver.aclose()

    assert meanwhile == ["quick started", "quick finished"]
    assert events_seen[2:] == ["slow started", "slow finished"]


async def test_a_handler_may_close_its_receiver():
    """It does not wait for itself, and events that were accepted before are handled."""
    events_seen: list[str] = []
    receiver = webhooks.WebhookReceiver(SECRET, concurrency=1)

    @receiver.on(webhooks.TaskStatusUpdate)
    async def close(update: webhooks.TaskStatusUpdate) -> None:
        await receiver.aclose()
        events_seen.append(update.task_id)

    answers = [_receive(receiver, event("finished", task_id)) for task_id in ("first", "second")]
    await _handled(receiver, 2)

    assert answers == [200, 200]
    assert events_seen == ["first", "second"]
    assert _receive(receiver, event("finished", "third")) == 503
    assert not receiver.metrics.handler_failures.total()


@pytest.mark.looptime
@pytest.mark.parametrize("by_handler", [True, False], ids=["by a handler", "by the program"])
async def test_what_waits_outlives_a_cancelled_handler(by_handler, caplog):
    """A handler that cancels itself, or a program that cancels all tasks, loses one event only."""
    events_seen: list[str] = []
    receiver = webhooks.WebhookReceiver(SECRET, concurrency=2)

    @receiver.on(webhooks.TaskStatusUpdate)
    async def stumble(update: webhooks.TaskStatusUpdate) -> None:
        events_seen.append(update.task_id)
        if update.task_id == "bad" and (task := asyncio.current_task()) and by_handler:
            task.cancel()
        await asyncio.sleep(0 if by_handler else 1)

    names = ("bad", "worse", "bad", "good", "better")
    answers = [_receive(receiver, event(task_id=name)) for name in names]
    await asyncio.sleep(0.5)
    if not by_handler:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
    lost = 2
    await _handled(receiver, len(names) - lost)
    answers.append(_receive(receiver, event(task_id="next")))
    await _handled(receiver, len(names) - lost + 1)
    await receiver.aclose()

    assert answers == [200] * 6
    assert sorted(events_seen) == sorted([*names, "next"])
    assert receiver.metrics.handler_failures == {"finished": lost}
    assert "failed on an event finished: it was cancelled" in caplog.text


@pytest.mark.looptime
async def test_closing_brings_what_waits_to_its_end():
    """It does so also after the program has cancelled all tasks, even before they began."""
    events_seen: list[str] = []
    receiver = webhooks.WebhookReceiver(SECRET, concurrency=1)
    receiver.on(webhooks.TaskStatusUpdate)(lambda update: events_seen.append(update.task_id))

    for name in ("first", "second"):
        _receive(receiver, event(task_id=name))
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0.01)
    await receiver.aclose()

    assert events_seen == ["first", "second"]


@pytest.mark.looptime
async def test_a_handler_that_outlives_its_receiver():
    """A handler that suppresses its cancellation ends later, without an error in the log."""
    failures: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: failures.append(context))
    receiver = webhooks.WebhookReceiver(SECRET, drain_timeout=1)
    ended = asyncio.Event()

    @receiver.on(webhooks.TaskStatusUpdate)
    async def linger(update: webhooks.TaskStatusUpdate) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(5)
        ended.set()

    _receive(receiver, event())
    await asyncio.sleep(0)
    await receiver.aclose()
    await ended.wait()
    await asyncio.sleep(1)
    gc.collect()

    assert not failures


async def test_waits_are_woken_though_the_queue_is_full():
    """Attached sessions get an event before it is answered, and again when it comes again."""
    heard: list[webhooks.Event] = []
    receiver = webhooks.WebhookReceiver(SECRET, queue_size=1)
    receiver.on(webhooks.TaskStatusUpdate)(lambda _update: asyncio.sleep(0))
    receiver.subscribe(heard.append)
    first, second = event(), event()

    statuses = [_receive(receiver, value) for value in (first, first, second)]
    await receiver.aclose()

    assert statuses == [200, 200, 503]
    assert len(heard) == 2


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_eager_tasks_begin_no_handler_before_the_answer():
    """A slow handler does not delay the answer, with any task factory."""
    began: list[webhooks.Event] = []
    loop: Any = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:
        async with webhooks.WebhookReceiver(SECRET, on_event=began.append) as receiver:
            status = _receive(receiver, event())
            begun_at_the_answer = len(began)
    finally:
        loop.set_task_factory(before)

    assert (status, begun_at_the_answer, len(began)) == (200, 0, 1)


async def test_a_subscriber_that_raises(caplog):
    """It harms neither the answer nor the others, and is logged."""
    heard: list[webhooks.Event] = []

    def stumble(event: webhooks.Event) -> None:
        raise ZeroDivisionError

    receiver = webhooks.WebhookReceiver(SECRET)
    receiver.subscribe(stumble)
    receiver.subscribe(heard.append)

    assert _receive(receiver, event()) == 200
    assert len(heard) == 1
    assert "a subscriber to webhooks failed on an event finished" in caplog.text


@pytest.mark.looptime
async def test_closing_is_bounded(caplog):
    """Handlers get a while, then they are cancelled; unhandled events are logged and counted."""
    loop = asyncio.get_running_loop()
    receiver = webhooks.WebhookReceiver(SECRET, drain_timeout=10, concurrency=2)

    @receiver.on(webhooks.TaskStatusUpdate)
    async def hang(update: webhooks.TaskStatusUpdate) -> None:
        await asyncio.sleep(8 if update.task_id == "slow" else 3600)

    for task_id in ("slow", "endless", "third", "fourth"):
        _receive(receiver, event(task_id=task_id))
    await asyncio.sleep(0)
    began = loop.time()
    await receiver.aclose()
    await receiver.aclose()

    assert loop.time() - began == pytest.approx(10, abs=0.1)
    assert receiver.metrics.handled == {"finished": 1}
    assert receiver.metrics.handler_failures == {"finished": 2}
    assert "3 webhook events were not handled to their end" in caplog.text
    assert _receive(receiver, event()) == 503
    assert receiver.metrics.refused == {"closed": 1}


def test_another_event_loop():
    """A call in a second loop is refused with both named; after the first has ended it is not."""
    events_seen: list[webhooks.Event] = []
    receiver = webhooks.WebhookReceiver(SECRET, on_event=events_seen.append)

    async def receive() -> int:
        status = _receive(receiver, event())
        await _handled(receiver, len(events_seen) + 1)
        return status

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(receive()) == 200
    with pytest.raises(errors.WrongEventLoopError, match="one receiver for each event loop"):
        asyncio.run(receive())
    loop.close()

    assert asyncio.run(receive()) == 200
    assert len(events_seen) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"secret": ""},
        {"secret": []},
        {"secret": ["a", " "]},
        {"secret": b"a"},
        {"max_body": 0},
        {"max_body": 2_000_000},
        {"queue_size": 0},
        {"queue_size": 1.5},
        {"concurrency": True},
        {"tolerance": -1},
        {"tolerance": "5"},
        {"body_timeout": None},
        {"handler_timeout": float("inf")},
        {"path": "hook"},
    ],
    ids=str,
)
def test_options_that_cannot_work(options):
    """They are refused when the receiver is created, and no secret is shown."""
    given = {"secret": SECRET, **options}
    with pytest.raises(errors.ConfigurationError) as caught:
        webhooks.WebhookReceiver(given.pop("secret"), **given)

    assert SECRET not in str(caught.value)


async def test_refusals_are_logged_without_what_was_sent(http, caplog):
    """The log says why; neither it nor the answer repeats anything of the call."""
    caplog.set_level(logging.INFO)
    receiver = webhooks.WebhookReceiver(SECRET)
    async with in_aiohttp(receiver) as url:
        await post(http, url, event(task_id="intruder-text"), secret="wrong")
        await post(http, url, event(), age=time.time() - 5)

    assert "refused with 403: no signature matches" in caplog.text
    assert "intruder-text" not in caplog.text
    assert SECRET not in caplog.text + repr(receiver)
