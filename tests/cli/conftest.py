"""The server that the commands of these tests use."""

import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from browser_use_async.server import LocalServer

from .running import Recorder, forking


@pytest.fixture(scope="session", autouse=True)
def quick_starts() -> Iterator[None]:
    """Commands start in a process that has imported what they need."""
    with forking():
        yield


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """The log level that a command sets is undone after its test."""
    logger = logging.getLogger("browser_use_async")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture
def recorder() -> Recorder:
    """The executor of `server`."""
    return Recorder()


@pytest.fixture
async def server(recorder: Recorder) -> AsyncIterator[LocalServer]:
    """A server in the test's own event loop."""
    async with LocalServer(executor=recorder) as running:
        yield running
