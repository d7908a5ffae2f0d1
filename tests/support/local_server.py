"""The fixture `server`: the bundled server in the test's own loop."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from browser_use_async.server import LocalServer

__all__ = ["server", "server_options"]


@pytest.fixture
def server_options(nothing_leaks: None) -> dict[str, Any]:
    """How `server` is started: with scripted tasks, unless a room or a file has its own options."""
    return {"executor": "scripted"}


@pytest.fixture
async def server(server_options: dict[str, Any]) -> "AsyncIterator[LocalServer]":
    """The bundled server."""
    from browser_use_async.server import LocalServer  # most tests need none

    async with LocalServer(**server_options) as started:
        yield started
