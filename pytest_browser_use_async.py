"""The pytest plugin of browser-use-async: a server of Cloud API v1 for tests.

Fixtures:
    browser_use_server: A running server in a thread of its own, so that synchronous tests,
        tests under pytest-asyncio or anyio, and other processes can use it.
    browser_use_session: A `BrowserUseSession` bound to that server, which polls fast.
    browser_use_server_options: The options of the server, for projects to override.
    browser_use_session_options: The options of the session, for projects to override.
    browser_use_record_options: Those of the session that cassettes are recorded with.

Marker:
    browser_use_cassette(name, speed=inf, match="exact"): Tasks go as they are recorded in a file
        beside the test. `--browser-use-record` says when it is recorded.

Tests that await the session need a plugin that runs them: pytest-asyncio or anyio.

The plugin imports nothing of the package before a test asks for a fixture: pytest loads it in
every run, and what is imported before coverage starts would not be measured.
"""

import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from browser_use_async import BrowserUseSession
    from browser_use_async.testing import ThreadedServer

__all__ = [
    "browser_use_record_options",
    "browser_use_server",
    "browser_use_server_options",
    "browser_use_session",
    "browser_use_session_options",
]

_OPENER = "_browser_use_session_opener"
_PLAIN = "_browser_use_session_plain"
_ANYIO = "_browser_use_session_anyio"
_ASYNCIO = "_browser_use_session_asyncio"
_LOOP_SCOPES = ("function", "class", "module", "package", "session")
_STEP_SECONDS = 0.005
_PASSED = pytest.StashKey[bool]()
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
def browser_use_record_options() -> Mapping[str, Any]:
    """Options of the `BrowserUseSession` that records cassettes; override it in your project.

    Without `api_key` and `base_url`, they come from the environment, as for any session.
    """
    return {}


@pytest.fixture
def browser_use_server(
    request: pytest.FixtureRequest, browser_use_server_options: Mapping[str, Any]
) -> "Iterator[ThreadedServer]":
    """A running server of Cloud API v1, with `base_url`, `api_key`, `store` and `requests`."""
    from browser_use_async.testing import (  # noqa: PLC0415
        Cassette,
        Scenario,
        ScriptedExecutor,
        ThreadedServer,
    )

    quick = ScriptedExecutor(default=Scenario(step_seconds=_STEP_SECONDS))
    options = {"executor": quick, **browser_use_server_options}
    tape = _Tape.of(request)
    if tape is not None and not tape.is_recorded:
        cassette = Cassette.load(tape.path)
        options["executor"] = cassette.executor(speed=tape.speed, match=tape.match)
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


def _session_of(server: "ThreadedServer", options: _Options) -> "BrowserUseSession":
    from browser_use_async import BrowserUseSession, PollPolicy  # noqa: PLC0415

    poll = PollPolicy(interval=0.02, latency_target=0.05)
    own: dict[str, Any] = {"api_key": server.api_key, "base_url": server.base_url, "poll": poll}
    return BrowserUseSession(**{**own, **options})


@pytest.fixture(name=_PLAIN)
def _plain_session(
    request: pytest.FixtureRequest,
    browser_use_server: "ThreadedServer",
    browser_use_session_options: _Options,
) -> "BrowserUseSession":
    tape = _Tape.of(request)
    if tape is not None and tape.is_recorded:
        pytest.fail("a cassette is recorded by tests under pytest-asyncio or anyio", pytrace=False)
    return _session_of(browser_use_server, browser_use_session_options)


@pytest.fixture(name=_OPENER)
def _session_opener(
    request: pytest.FixtureRequest,
    browser_use_server: "ThreadedServer",
    browser_use_session_options: _Options,
    browser_use_record_options: _Options,
) -> "Callable[[], AbstractAsyncContextManager[BrowserUseSession]]":
    """What opens the session of a test, in whichever loop it is called."""
    tape = _Tape.of(request)
    if tape is not None and tape.is_recorded:
        options = {**browser_use_session_options, **browser_use_record_options}
        return lambda: _recording_session(request.node, tape, options)
    return lambda: _session_of(browser_use_server, browser_use_session_options)


@pytest.fixture(name=_ANYIO)
async def _anyio_session(
    _browser_use_session_opener: "Callable[[], AbstractAsyncContextManager[BrowserUseSession]]",
) -> "AsyncIterator[BrowserUseSession]":
    async with _browser_use_session_opener() as session:
        yield session


# --- cassettes ------------------------------------------------------------------------------


class _Settings(NamedTuple):
    """What the marker takes, as it is called."""

    name: Any = None  # of the file
    speed: float = math.inf
    match: Any = "exact"


class _Tape:
    """The cassette that a test is marked with."""

    def __init__(self, path: Path, speed: float, match: Any, *, is_recorded: bool) -> None:
        self.path = path
        self.speed = speed
        self.match = match
        self.is_recorded = is_recorded

    @classmethod
    def of(cls, request: pytest.FixtureRequest) -> "_Tape | None":
        """The cassette of a test, or None; the test fails if there is none to replay."""
        marker = request.node.get_closest_marker("browser_use_cassette")
        if marker is None:
            return None
        mode = request.config.getoption("--browser-use-record")
        # With its classes: two of one file may have tests of one name.
        classes = [each.name for each in request.node.listchain() if isinstance(each, pytest.Class)]
        called = ".".join([request.path.stem, *classes, request.node.name])
        default = re.sub(r"[^\w.-]+", "-", called) + ".json"
        try:
            settings = _Settings(*marker.args, **marker.kwargs)
        except TypeError as error:
            what = "browser_use_cassette takes a name, speed and match"
            pytest.fail(f"{what}: {str(error).partition(' ')[2]}", pytrace=False)
        if not isinstance(settings.name, str | None):
            what = f"browser_use_cassette takes the name of a file, not {settings.name!r}"
            pytest.fail(what, pytrace=False)
        path = request.path.parent / "cassettes" / (settings.name or default)
        if mode == "none" and not path.exists():
            pytest.fail(
                f"there is no cassette {path}; record it with --browser-use-record=once, which "
                "runs its tasks at the service of BROWSER_USE_BASE_URL, and pays for them",
                pytrace=False,
            )
        is_recorded = mode == "all" or (mode == "once" and not path.exists())
        return cls(path, settings.speed, settings.match, is_recorded=is_recorded)


@asynccontextmanager
async def _recording_session(
    item: pytest.Item, tape: _Tape, options: _Options
) -> "AsyncGenerator[BrowserUseSession]":
    """A session with the service, whose tasks are saved if the test passes."""
    from browser_use_async import BrowserUseSession, PollPolicy  # noqa: PLC0415
    from browser_use_async.testing import Cassette  # noqa: PLC0415

    poll = PollPolicy(interval=0.5, latency_target=0.5)  # the times are as exact as the polls
    given: dict[str, Any] = {"poll": poll, **options}
    async with (
        BrowserUseSession(**given) as session,
        Cassette.record(session, tape.path) as recording,
    ):
        yield session
        if not item.stash.get(_PASSED, False):
            recording.discard()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether a test passed, which decides whether its cassette is saved."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the option that says when cassettes are recorded."""
    parser.getgroup("browser-use-async").addoption(
        "--browser-use-record",
        choices=("none", "once", "all"),
        default="none",
        help="when cassettes are recorded, which costs what their tasks cost: never (none, the "
        "default), where there is none yet (once), or always (all)",
    )


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
    config.addinivalue_line(
        "markers",
        "browser_use_cassette(name, speed=inf, match='exact'): replay the tasks of a cassette in "
        "the folder `cassettes` beside the test; recorded as --browser-use-record says",
    )
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
        _browser_use_session_opener: "Callable[[], AbstractAsyncContextManager[BrowserUseSession]]",
    ) -> "AsyncIterator[BrowserUseSession]":
        async with _browser_use_session_opener() as session:
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
