"""An API with files, and a session with it."""

import pytest

from tests.support.bench import FAST
from tests.support.hygiene import KEY
from tests.support.storage import FakeStorage


@pytest.fixture
async def storage(nothing_leaks):
    """An API and its storage."""
    async with FakeStorage() as started:
        yield started


@pytest.fixture
def session_options(storage):
    """A session with quick retries, which uses that API."""
    return {"api_key": KEY, "base_url": storage.api.url, "retry": FAST}
