"""Servers that hold no call, also if they claim to: they get no more requests than polls."""

import json
import random
from collections.abc import Callable

import pytest
from aiohttp import web

from browser_use_async import BrowserUseSession, PollPolicy, TaskStatus
from browser_use_async.api.long_poll import MAX_LINE
from browser_use_async.server import LocalServer
from browser_use_async.transport.config import Runtime
from tests.polling.test_long_poll import Sleeper, detections, ends_of, session_with
from tests.support.fake_api import FakeApi
from tests.support.fake_service import Asked
from tests.support.fake_task import lives
from tests.support.hygiene import KEY
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


Stream = Callable[["LyingApi"], bytes]

MOST_CALLS = 5000  # many times what any test here makes


class LyingApi(FakeApi):
    """Announces held calls, and answers them at once.

    Attributes:
        stream: The answer to a list call that asks for changes; None for a page.
        applies: Whether the answer to a status call claims that it was held.
    """

    def __init__(self, stream: Stream | None = None, *, applies: bool = False) -> None:
        super().__init__()
        self.stream = stream
        self.applies = applies
        self.cursors: list[str] = []  # that came

    def respond(self, request: web.Request, asked: Asked) -> web.Response:
        """Answer correctly, except for what it claims about held calls."""
        if asked.route == "status" and len(self.calls) > MOST_CALLS:
            # Calls without a pause would never end, since virtual time does not move meanwhile.
            for each in self.tasks.values():
                each.overruled = "stopped"
        answer = super().respond(request, asked)
        if asked.route == "status" and self.applies and "Prefer" in request.headers:
            answer.headers["Preference-Applied"] = request.headers["Prefer"].partition(";")[0]
        return self._listed(request, answer) if asked.route == "list" else answer

    def _listed(self, request: web.Request, answer: web.Response) -> web.Response:
        self.cursors += request.headers.getall("Browser-Use-Changes", [])
        if "Browser-Use-Changes" in request.headers and self.stream is not None:
            return web.Response(body=self.stream(self), content_type="application/x-ndjson")
        answer.headers["Browser-Use-Changes"] = "x-1"
        return answer


def _lines(*lines: dict[str, object]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in lines)


PLACE = {"cursor": "x-1", "reset": False}


def _nothing(_api: LyingApi) -> bytes:
    return _lines(PLACE)


def _false_ends(api: LyingApi) -> bytes:
    said = [{"cursor": "x-2", "id": each, "status": "finished"} for each in api.tasks]
    return _lines(PLACE, *said)


def _unknown_statuses(api: LyingApi) -> bytes:
    said = [{"cursor": "x-2", "id": each, "status": f"s{len(api.calls)}"} for each in api.tasks]
    return _lines(PLACE, *said)


LIES: dict[str, Stream | None] = {
    "a page": None,
    "nothing": lambda _api: b"",
    "no change": _nothing,
    "resets": lambda _api: _lines({**PLACE, "reset": True}),
    "false ends": _false_ends,
    "unknown statuses": _unknown_statuses,
    "no JSON": lambda _api: b"<html>\n",
    "half a line": lambda _api: b'{"cursor": "x',
    "a long line": lambda _api: b" " * MAX_LINE + b"\n" + b"x" * 10_000,
    "a cursor with a line end": lambda _api: _lines({**PLACE, "cursor": "x-1\r\nX-Other: 1"}),
    "a cursor of 100 KB": lambda _api: _lines({**PLACE, "cursor": "x" * 100_000}),
    "numbers": lambda _api: _lines({"cursor": 1, "id": 2, "status": 3}),
}


async def _calls(api: FakeApi, count: int, *, long_poll: bool) -> list[tuple[float, str]]:
    """The times of each kind of call, for waits of two minutes."""
    policy = PollPolicy(long_poll=long_poll)
    runtime = Runtime(rng=random.Random(1))
    async with (
        api,
        BrowserUseSession(KEY, base_url=api.url, poll=policy, runtime=runtime) as session,
    ):
        began = loop_time()
        tasks = [api.add(lives(60.0 + each)) for each in range(count)]
        ended = [each async for each in session.wait_many([task.id for task in tasks])]
        assert {each.status for each in ended} == {TaskStatus.FINISHED}
        assert {each.id for each in ended} == {task.id for task in tasks}
        assert loop_time() - began < 60.0 + count + 2.5
        return [(round(call.at - began, 2), call.route) for call in api.calls]


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 2, 50])
async def test_a_server_that_holds_no_calls_gets_the_same_requests(nothing_leaks, count):
    """The same requests at the same times as without held calls."""
    asked = await _calls(FakeApi(), count, long_poll=True)
    polled = await _calls(FakeApi(), count, long_poll=False)

    assert asked == polled


@pytest.mark.long
@pytest.mark.parametrize("lie", LIES)
async def test_a_stream_that_lies_costs_a_few_requests(nothing_leaks, lie):
    """Each wait ends with its task, and polls are as before."""
    asked = await _calls(LyingApi(LIES[lie]), 50, long_poll=True)
    polled = await _calls(FakeApi(), 50, long_poll=False)

    # For a task that it reports as ended, a get and a status call; and a few streams before each
    # break.
    are_confirmed = "ends" in lie or lie == "unknown statuses"
    assert len(asked) <= len(polled) + 2 * 50 * are_confirmed + 15


def _long_line(api: LyingApi) -> bytes:
    return _lines(PLACE)[:-1] + b" " * MAX_LINE + b"\n" + _false_ends(api)


@pytest.mark.long
async def test_a_whole_line_is_no_longer_than_half_a_line_may_be(nothing_leaks):
    """A stream with a line that is too long is ignored, also if the line came in one piece."""
    asked = await _calls(LyingApi(_long_line), 50, long_poll=True)
    polled = await _calls(FakeApi(), 50, long_poll=False)

    # Ends that are reported behind that line do not cause a call each.
    assert len(asked) <= len(polled) + 15


@pytest.mark.parametrize("cursor", ["x 1", "x\r\nX-Other: 1", "", "x" * 201, "ü", "\x7f"])
async def test_a_cursor_that_no_header_can_carry_is_not_sent(nothing_leaks, cursor):
    """A stream with such a cursor is not accepted, and is not continued from there."""
    api = LyingApi(lambda _api: _lines({**PLACE, "cursor": cursor}))
    await _calls(api, 50, long_poll=True)

    assert set(api.cursors) == {"now"}


async def test_a_status_call_that_is_not_held_though_it_says_so(nothing_leaks):
    """It is not repeated faster than polls are."""
    asked = await _calls(LyingApi(applies=True), 1, long_poll=True)
    polled = await _calls(FakeApi(), 1, long_poll=False)

    assert len(asked) <= len(polled) + 10


async def test_a_stream_that_keeps_changes_to_itself(nothing_leaks, monkeypatch):
    """The first ends that only polls find show it, and polls are as frequent as before."""
    async with LocalServer(executor=Sleeper(), balance_cents=10**9) as server:
        monkeypatch.setattr(server.store.change_log, "record", lambda *_change: None)
        async with session_with(server) as session:
            late = await ends_of(session, [100.0 + 10 * each for each in range(20)])

    assert max(late) < 62.0
    assert max(late[10:]) < 2.5


@pytest.mark.long
async def test_a_thousand_waits_take_a_request_for_a_hundred(nothing_leaks):
    """Without the requests that create and fetch the tasks."""
    async with LocalServer(executor=Sleeper(), balance_cents=10**9) as server:
        async with session_with(server) as session:
            late = await ends_of(session, [30.0 + each / 20 for each in range(1000)])
        asked = detections(server)

    assert max(late) < 2.5
    assert asked <= 60
