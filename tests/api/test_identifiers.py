"""An id stays one segment of the path, or is refused."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.api.endpoint_table import ENDPOINTS
from browser_use_async.errors import BrowserUseError, InvalidRequestError
from tests.support.bench import ONCE
from tests.support.hygiene import raises
from tests.support.wire import answering, response

REFUSED = [
    "..", ".", "", "/", "a/b", "../balance", "../../v2/me", "\\", "..\\me", "a\nb",
    "a\r\nHost: evil", "a\x00b", "\ud800",
]  # fmt: skip
ENCODED = ["?", "a?task_id=b", "#", "a#b", "%2e", "%2e%2e%2f", "a b", "größe 😀"]

Verb = Callable[[BrowserUseSession, str], Awaitable[Any]]

# Name of the row and parameter: the call with that parameter, and its target on the wire.
CALLS: dict[str, tuple[Verb, str]] = {
    "stop_task": (lambda session, each: session.tasks.stop(each), "/stop-task?task_id={}"),
    "pause_task": (lambda session, each: session.tasks.pause(each), "/pause-task?task_id={}"),
    "resume_task": (lambda session, each: session.tasks.resume(each), "/resume-task?task_id={}"),
    "get_task": (lambda session, each: session.tasks.get(each), "/task/{}"),
    "get_task_status": (lambda session, each: session.tasks.get_status(each), "/task/{}/status"),
    "get_task_media": (lambda session, each: session.tasks.get_media(each), "/task/{}/media"),
    "get_task_screenshots": (
        lambda session, each: session.tasks.get_screenshots(each),
        "/task/{}/screenshots",
    ),
    "get_task_output_file": (
        lambda session, each: session.tasks.get_output_file(each, "a.pdf"),
        "/task/{}/output-file/a.pdf",
    ),
    "get_scheduled_task": (
        lambda session, each: session.scheduled_tasks.get(each),
        "/scheduled-task/{}",
    ),
    "update_scheduled_task": (
        lambda session, each: session.scheduled_tasks.update(each, is_active=True),
        "/scheduled-task/{}",
    ),
    "delete_scheduled_task": (
        lambda session, each: session.scheduled_tasks.delete(each),
        "/scheduled-task/{}",
    ),
    "get_browser_profile": (
        lambda session, each: session.browser_profiles.get(each),
        "/browser-profiles/{}",
    ),
    "update_browser_profile": (
        lambda session, each: session.browser_profiles.update(each, persist=True),
        "/browser-profiles/{}",
    ),
    "delete_browser_profile": (
        lambda session, each: session.browser_profiles.delete(each),
        "/browser-profiles/{}",
    ),
    "get_task_output_file, the file": (
        lambda session, each: session.tasks.get_output_file("t-1", each),
        "/task/t-1/output-file/{}",
    ),
}


def test_every_row_with_an_id_is_covered():
    """The calls below are all that carry an id."""
    with_id = {
        row.name
        for row in ENDPOINTS
        if any(
            name in dir(kind)
            for kind in (row.parameters, row.query)
            for name in ("task_id", "profile_id")
        )
    }

    assert {name.partition(",")[0] for name in CALLS} == with_id


@pytest.mark.parametrize("name", CALLS)
async def test_a_hostile_id_reaches_no_other_route(serve, connect, name):
    """Hostile ids at every call with an id; each is one segment, or is not sent."""
    verb, target = CALLS[name]
    server = await serve(answering(response(404, '{"detail":"Task not found"}')))
    session = await connect(server, retry=ONCE)

    for each in (*REFUSED, *ENCODED):
        server.requests.clear()
        with pytest.raises(BrowserUseError) as caught:
            await verb(session, each)

        assert isinstance(caught.value, InvalidRequestError) == (each in REFUSED)
        assert len(server.requests) == (each not in REFUSED)
        for request in server.requests:
            before, _, after = ("/api/v1" + target).partition("{}")
            assert request.target.startswith(before)
            assert request.target.endswith(after)
            segment = request.target[len(before) : len(request.target) - len(after)]
            assert unquote(segment) == each
            assert not set(segment) & set("/?#&\\ ")
            if "?" in target:
                assert parse_qs(request.target.partition("?")[2]) == {"task_id": [each]}


@pytest.mark.parametrize("each", [None, 5, b"t-1", ["t-1"]])
async def test_an_id_of_another_type_is_refused(connect, each):
    """An id that is no text is named as such."""
    session = await connect("http://127.0.0.1:9")

    with raises(InvalidRequestError) as caught:
        await session.tasks.get(each)

    assert caught.value.field == "task_id"
    assert type(each).__name__ in str(caught.value)
