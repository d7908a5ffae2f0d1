from collections.abc import AsyncIterator

import pytest

from browser_use_async import BrowserUseSession
from tests.support.bench import FAST, Connect, connect, nothing_leaks, serve
from tests.support.storage import FakeStorage

__all__ = ["connect", "nothing_leaks", "serve", "session", "storage"]


@pytest.fixture
async def storage(nothing_leaks: None) -> AsyncIterator[FakeStorage]:
    """An API and its storage."""
    async with FakeStorage() as started:
        yield started


@pytest.fixture
async def session(storage: FakeStorage, connect: Connect) -> BrowserUseSession:
    """A session with quick retries, which uses that API."""
    return await connect(storage.api, retry=FAST)
