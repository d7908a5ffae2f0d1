"""A client, and a receiver that is served by aiohttp."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

__all__ = ["http"]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without any defaults."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session
