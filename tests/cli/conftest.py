"""The server that the commands of these tests talk to."""

from collections.abc import AsyncIterator, Iterator

import pytest

from browser_use_async.server import LocalServer

from .running import Recorder, forking


@pytest.fixture(scope="session", autouse=True)
def quick_starts() -> Iterator[None]:
    """Commands need not import what they need, each time anew."""
    with forking():
        yield


@pytest.fixture
def recorder() -> Recorder:
    """What carries out the tasks of `server`."""
    return Recorder()


@pytest.fixture
async def server(recorder: Recorder) -> AsyncIterator[LocalServer]:
    """A server in the test's own event loop."""
    async with LocalServer(executor=recorder) as running:
        yield running
