"""The server that the commands of these tests talk to."""

from collections.abc import AsyncIterator

import pytest

from browser_use_async.server import LocalServer

from .running import Recorder


@pytest.fixture
def recorder() -> Recorder:
    """What carries out the tasks of `server`."""
    return Recorder()


@pytest.fixture
async def server(recorder: Recorder) -> AsyncIterator[LocalServer]:
    """A server in the test's own event loop."""
    async with LocalServer(executor=recorder) as running:
        yield running
