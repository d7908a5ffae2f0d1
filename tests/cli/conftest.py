"""The server that the commands of these tests talk to."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from browser_use_async.server import LocalServer

from .running import Recorder, forking


@pytest.fixture(scope="session", autouse=True)
def quick_starts() -> Iterator[None]:
    """Commands need not import what they need, each time anew."""
    with forking():
        yield


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """What a command in the process of its test logs is no matter of the tests after it."""
    logger = logging.getLogger("browser_use_async")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def recorder() -> Recorder:
    """What carries out the tasks of `server`."""
    return Recorder()


@pytest.fixture
async def server(recorder: Recorder) -> AsyncIterator[LocalServer]:
    """A server in the test's own event loop."""
    async with LocalServer(executor=recorder) as running:
        yield running
