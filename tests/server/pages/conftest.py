"""A server whose tasks show a browser, which the test draws."""

import pytest

from browser_use_async.server import LocalServer
from tests.server.calling import Caller
from tests.server.pages.showing import Showing


@pytest.fixture
def showing():
    """An executor that shows frames of the test."""
    return Showing()


@pytest.fixture
async def watched(http, showing):
    """A server whose tasks are those of `showing`."""
    async with LocalServer(executor=showing) as server:
        yield Caller(server, http)
