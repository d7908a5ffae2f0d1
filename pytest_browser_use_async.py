"""The pytest plugin of browser-use-async: a server of Cloud API v1 for tests.

Fixtures:
    browser_use_server: A running server in a thread of its own, so that synchronous tests,
        tests under pytest-asyncio or anyio, and other processes can use it.
    browser_use_session: A `BrowserUseSession` bound to that server, which polls fast.
    browser_use_server_options: The options of the server, for projects to override.
    browser_use_session_options: The options of the session, for projects to override.

Tests that await the session need a plugin that runs them: pytest-asyncio or anyio.

The plugin imports nothing of the package before a test asks for a fixture: pytest loads it in
every run, and what is imported before coverage starts would not be measured.
"""

from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from browser_use_async import BrowserUseSession
    from browser_use_async.testing import ThreadedServer

__all__ = [
    "browser_use_server",
    "browser_use_server_options",
    "browser_use_session",
    "browser_use_session_options",
]

_PLAIN = "_browser_use_session_plain"
_ANYIO = "_browser_use_session_anyio"
_ASYNCIO = "_browser_use_session_asyncio"
_LOOP_SCOPES = ("function", "class", "module", "package", "session")
_STEP_SECONDS = 0.005
_Options = Mapping[str, Any]

# --- fixtures -------------------------------------------------------------------------------


@pytest.fixture
def browser_use_server_options() -> Mapping[str, Any]:
    """Options of `LocalServer` for `browser_use_server`; override it in your project.

    Without `executor`, tasks have two short steps and finish: with an instance of their schema,
    or else with "Done.".
    """
    return {}


@pytest.fixture
def browser_use_session_options() -> Mapping[str, Any]:
    """Options of `BrowserUseSession` for `browser_use_session`; override it in your project.

    Without `poll`, the session polls every 20 to 50 milliseconds.
    """
    return {}


@pytest.fixture
def browser_use_server(browser_use_server_options: Mapping[str, Any]) -> "Iterator[ThreadedServer]":
    """A running server of Cloud API v1, with `base_url`, `api_key`, `store` and `requests`."""
    from browser_use_async.testing import (  # noqa: PLC0415
        Scenario,
        ScriptedExecutor,
        ThreadedServer,
    )

    quick = ScriptedExecutor(default=Scenario(step_seconds=_STEP_SECONDS))
    options = {"executor": quick, **browser_use_server_options}
    with ThreadedServer(**options) as server:
        yield server


@pytest.fixture
def browser_use_session(request: pytest.FixtureRequest) -> "BrowserUseSession":
    """A session bound to `browser_use_server`.

    Under pytest-asyncio and anyio it is open, and closed after the test. Elsewhere use it as
    `async with browser_use_session:` in an event loop of your own.
    """
    session: BrowserUseSession = request.getfixturevalue(_session_fixture(request))
    return session


@pytest.fixture(name=_PLAIN)
def _plain_session(
    browser_use_server: "ThreadedServer", browser_use_session_options: Mapping[str, Any]
) -> "BrowserUseSession":
    from browser_use_async import BrowserUseSession, PollPolicy  # noqa: PLC0415

    poll = PollPolicy(interval=0.02, latency_target=0.05)
    own: dict[str, Any] = {
        "api_key": browser_use_server.api_key,
        "base_url": browser_use_server.base_url,
        "poll": poll,
    }
    return BrowserUseSession(**{**own, **browser_use_session_options})


@pytest.fixture(name=_ANYIO)
async def _anyio_session(
    _browser_use_session_plain: "BrowserUseSession",
) -> "AsyncIterator[BrowserUseSession]":
    async with _browser_use_session_plain as session:
        yield session


# --- the plugin that runs a test ------------------------------------------------------------


def _session_fixture(request: pytest.FixtureRequest) -> str:
    """The fixture that opens a session in the event loop of this test."""
    marker = request.node.get_closest_marker("asyncio")
    if marker is not None and request.config.pluginmanager.hasplugin("asyncio"):
        default = request.config.getini("asyncio_default_test_loop_scope")
        return f"{_ASYNCIO}_{marker.kwargs.get('loop_scope') or default or 'function'}"
    if "anyio_backend" not in request.fixturenames:
        return _PLAIN
    backend = request.getfixturevalue("anyio_backend")
    if (backend if isinstance(backend, str) else backend[0]) != "asyncio":
        pytest.fail(
            f"browser_use_session runs on asyncio, not on {backend}: define a fixture "
            "anyio_backend that returns 'asyncio'",
            pytrace=False,
        )
    return _ANYIO


def pytest_configure(config: pytest.Config) -> None:
    """Offer the session under pytest-asyncio, which has to mark its fixtures for its strict mode.

    Args:
        config: The configuration, which knows whether pytest-asyncio is active.
    """
    asyncio_plugin: Any = config.pluginmanager.getplugin("asyncio")
    if asyncio_plugin is None:
        return
    # A module, whose fixtures pytest finds as it finds those of any other plugin.
    sessions = ModuleType("browser_use_async_sessions")
    for scope in _LOOP_SCOPES:
        fixture = asyncio_plugin.fixture(loop_scope=scope, name=f"{_ASYNCIO}_{scope}")
        setattr(sessions, scope, _asyncio_session(fixture))
    config.pluginmanager.register(sessions, sessions.__name__)


def _asyncio_session(fixture: Callable[..., Any]) -> object:
    # Made for each scope: pytest-asyncio marks the function itself.
    @fixture
    async def session(
        _browser_use_session_plain: "BrowserUseSession",
    ) -> "AsyncIterator[BrowserUseSession]":
        async with _browser_use_session_plain as session:
            yield session

    return session


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Say what is missing when no plugin runs an asynchronous test that uses a session."""
    try:
        return (yield)
    except pytest.fail.Exception as error:
        is_ours = "browser_use_session" in pyfuncitem.fixturenames
        if not is_ours or "not natively supported" not in str(error):
            raise
    raise pytest.fail.Exception(_missing_runner(pyfuncitem), pytrace=False)


def _missing_runner(item: pytest.Function) -> str:
    if item.config.pluginmanager.hasplugin("asyncio"):
        way = "mark it with @pytest.mark.asyncio, or set asyncio_mode = auto"
    elif item.config.pluginmanager.hasplugin("anyio"):
        way = "mark it with @pytest.mark.anyio, or install pytest-asyncio"
    else:
        way = "install pytest-asyncio and set asyncio_mode = auto, or install anyio"
    return f"{item.name} is an `async def` test, and no plugin runs it: {way}"
