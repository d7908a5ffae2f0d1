"""The pytest plugin of browser-use-async: a server of Cloud API v1 for tests.

Fixtures:
    browser_use_server: A running server in a thread of its own, so that synchronous tests,
        tests under pytest-asyncio and other processes can use it.
    browser_use_session: A `BrowserUseSession` bound to that server.
    browser_use_server_options: The options of the server, for projects to override.

The plugin imports nothing of the package before a test asks for a fixture: pytest loads it in
every run, and what is imported before coverage starts would not be measured.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from browser_use_async import BrowserUseSession
    from browser_use_async.server.threaded_server import ThreadedServer

__all__ = ["browser_use_server", "browser_use_server_options"]


@pytest.fixture
def browser_use_server_options() -> Mapping[str, Any]:
    """Options of `LocalServer` for `browser_use_server`; override it in your project.

    Without `executor`, the server plays the default scenario of the scripted executor.
    """
    return {}


@pytest.fixture
def browser_use_server(
    browser_use_server_options: Mapping[str, Any],
) -> "Iterator[ThreadedServer]":
    """A running server of Cloud API v1: `url`, `base_url`, `api_key`, `requests`."""
    from browser_use_async.server.threaded_server import ThreadedServer  # noqa: PLC0415

    options = {"executor": "scripted", **browser_use_server_options}
    with ThreadedServer(**options) as server:
        yield server


def _session_of(server: "ThreadedServer") -> "BrowserUseSession":
    from browser_use_async import BrowserUseSession  # noqa: PLC0415

    return BrowserUseSession(api_key=server.api_key, base_url=server.base_url)


class _PlainSession:
    """The session fixture without pytest-asyncio: whoever uses it closes it."""

    @pytest.fixture
    def browser_use_session(self, browser_use_server: "ThreadedServer") -> "BrowserUseSession":
        """A session bound to `browser_use_server`, not yet connected.

        Use it as `async with browser_use_session:` in the event loop of your choice.
        """
        return _session_of(browser_use_server)


def _asyncio_session(fixture: Callable[..., Any]) -> object:
    """The session fixture under pytest-asyncio, which has to mark it for its strict mode.

    Args:
        fixture: `pytest_asyncio.fixture`.
    """

    class AsyncioSession:
        @fixture
        async def browser_use_session(
            self, browser_use_server: "ThreadedServer"
        ) -> "AsyncIterator[BrowserUseSession]":
            """A session bound to `browser_use_server`, closed after the test."""
            async with _session_of(browser_use_server) as session:
                yield session

    return AsyncioSession()


def pytest_configure(config: pytest.Config) -> None:
    """Offer `browser_use_session` in the way that fits the plugins of this run.

    Args:
        config: The configuration, which knows whether pytest-asyncio is active.
    """
    asyncio_plugin: Any = config.pluginmanager.getplugin("asyncio")
    offer = _asyncio_session(asyncio_plugin.fixture) if asyncio_plugin else _PlainSession()
    config.pluginmanager.register(offer, "browser_use_async_session")
