"""A fake of the hosted service, and a server that forwards tasks to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import attrs
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server import CloudSettings, LocalServer
from tests.support.hosted.service import KEY, HostedService
from tests.support.hosted.v4 import HostedV4


@attrs.frozen
class Door:
    """A server of v1, and a session with it."""

    server: LocalServer
    session: BrowserUseSession


Opens = Callable[..., AbstractAsyncContextManager[Door]]


@pytest.fixture
async def hosted() -> AsyncIterator[HostedV4]:
    """The hosted service; every call and answer must conform to its document."""
    async with HostedV4() as service:
        yield service
    assert service.violations == []


def quick_settings(service: HostedService, **more: Any) -> CloudSettings:
    """Settings with which a test takes little time."""
    given = {"api_key": KEY, "poll_seconds": 0.01, "settle_seconds": 0.1, "concurrency": 100}
    return CloudSettings(**{"base_url": service.url, **given, "recording_seconds": 5.0, **more})


@pytest.fixture
def opens() -> Opens:
    """Opens a server that forwards to a service."""

    @asynccontextmanager
    async def door(
        service: HostedService, *, options: dict[str, Any] | None = None, **more: Any
    ) -> AsyncIterator[Door]:
        async with (
            LocalServer(
                executor="cloud-v4",
                cloud=quick_settings(service, **more),
                **{"balance_cents": 100, **(options or {})},
            ) as server,
            BrowserUseSession(api_key=server.api_key, base_url=server.base_url) as session,
        ):
            yield Door(server, session)

    return door
