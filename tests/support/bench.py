"""Fixtures of a session with a raw socket server, or with no network."""

import socket
import ssl
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from browser_use_async import BrowserUseSession, RetryPolicy
from tests.support.hygiene import KEY
from tests.support.wire import Script, WireServer

__all__ = ["FAST", "ONCE", "Connect", "Serve", "connect", "mocked_api", "serve"]

FAST = RetryPolicy(base_delay=0.001, max_delay=0.002)
"""As many attempts as by default, without the wait."""

ONCE = RetryPolicy(max_attempts=1)


class Serve(Protocol):
    """Starts a server that lives until the end of the test."""

    def __call__(
        self,
        script: Script,
        tls: ssl.SSLContext | None = None,
        listener: socket.socket | None = None,
    ) -> Awaitable[WireServer]:
        """Start a server with the arguments of `WireServer`."""
        ...


class Connect(Protocol):
    """Opens a session that lives until the end of the test."""

    def __call__(self, to: WireServer | str, **options: Any) -> Awaitable[BrowserUseSession]:
        """Open a session with a server or a base URL."""
        ...


@pytest.fixture
async def serve(nothing_leaks):
    """Start servers from scripts."""
    async with AsyncExitStack() as stack:

        async def start(
            script: Script,
            tls: ssl.SSLContext | None = None,
            listener: socket.socket | None = None,
        ) -> WireServer:
            return await stack.enter_async_context(WireServer(script, tls, listener))

        yield start


@pytest.fixture
async def connect(serve):
    """Open sessions with the canary key and quick retries."""
    async with AsyncExitStack() as stack:

        async def open_session(to: WireServer | str, **options: Any) -> BrowserUseSession:
            base_url = to if isinstance(to, str) else to.url
            session = BrowserUseSession(
                **{"api_key": KEY, "base_url": base_url, "retry": FAST, **options}
            )
            return await stack.enter_async_context(session)

        yield open_session


@pytest.fixture
def mocked_api():
    """An API without a network; calls without a prepared answer fail to connect."""
    from aioresponses import aioresponses  # few tests need it, and few environments have it

    from tests.support.shim import MockedApi

    with aioresponses() as mock:
        yield MockedApi(mock)
