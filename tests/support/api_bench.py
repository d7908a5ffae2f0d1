"""Fixtures of sessions with the fake API, in the test's own loop."""

from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.types import Task
from tests.support.fake_api import FakeApi, FakeTask
from tests.support.hygiene import KEY

__all__ = [
    "OpenSession",
    "api",
    "api_class",
    "open_session",
    "resolved",
    "running_api",
    "session",
    "session_options",
]


class OpenSession(Protocol):
    """Opens a session with the fake API that lives until the end of the test."""

    async def __call__(self, **options: Any) -> BrowserUseSession:
        """Open one; `options` are the session's."""
        ...


async def resolved(session: BrowserUseSession, token: str) -> Task | None:
    """Find the task of a token that was stored, or read in a log."""
    error = errors.SubmissionUnknownError("read elsewhere", submission_token=token)
    return await error.resolve(session)


@pytest.fixture
def api_class():
    """Which fake API `api` is; a file may have its own."""
    return FakeApi


@pytest.fixture
async def api(nothing_leaks, api_class):
    """A fake API."""
    async with api_class() as started:
        yield started


@pytest.fixture
async def open_session(api):
    """Open sessions with the fake API; at the end nothing of them may be left."""
    async with AsyncExitStack() as stack:

        async def open_one(**options: Any) -> BrowserUseSession:
            session = BrowserUseSession(**{"api_key": KEY, "base_url": api.url, **options})
            return await stack.enter_async_context(session)

        yield open_one


@pytest.fixture
def session_options(api):
    """How `session` is opened: with the fake API, unless a room or a file has its own options."""
    return {"api_key": KEY, "base_url": api.url}


@pytest.fixture
async def session(session_options):
    """A session with the API of the test."""
    async with BrowserUseSession(**session_options) as opened:
        yield opened


@pytest.fixture
async def running_api():
    """A fake API with a task that runs."""
    async with FakeApi() as started:
        started.add(FakeTask(life=((0.0, "running"),), id="t1"))
        yield started
