"""The shared part of all tests: the pytest header and the settings of hypothesis."""

import asyncio
import gc
import os
from collections.abc import Generator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from hypothesis import settings

# First the one that others import: pytest rewrites assertions of what is not imported yet.
pytest_plugins = [
    "tests.support.hygiene",
    "tests.support.api_bench",
    "tests.support.bench",
    "tests.support.canaries",
    "tests.support.certificates",
    "tests.support.chromium",
    "tests.support.local_server",
    "tests.support.postgres",
]

_SHOWN = ("aiohttp", "attrs", "cattrs", "tenacity", "pydantic", "rich", "looptime")

_BROWSERS = frozenset({"browser", "browser_path", "chromium"})  # fixtures

# How often a virtual clock checks for events before it jumps: 42 times by default. On a busy
# machine data that was written to a socket arrives a little later, and must not be jumped over.
# Tests that take long anyway jump a thousand times as often, and cannot afford it.
_LOOKS_BEFORE_A_JUMP = 100

# A slow machine must not fail a test, and a gate must have the same result twice.
settings.register_profile("here", deadline=None)
settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.load_profile("gate" if os.environ.get("CI") else "here")


def pytest_configure(config: pytest.Config) -> None:
    """Keep looptime from creating an event loop in synchronous tests, which would stay open.

    Also keep tests, and the processes that they start, from the configuration file of the person
    who runs them. Only Chromium writes to the folder.
    """
    asyncio.set_event_loop(None)
    os.environ["XDG_CONFIG_HOME"] = os.fspath(Path(__file__).with_name("no-configuration"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are collected: nearly all that is made then stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start a real browser are long tests: a quick run has no time for them.

    A browser is a dozen processes, which a busy machine takes long to start. A test that takes long
    on a quiet machine has three minutes on a busy one.
    """
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if "looptime" in marks and "torture" not in marks:
            item.add_marker(pytest.mark.looptime(noop_cycles=_LOOKS_BEFORE_A_JUMP))
        if "nightly" in marks or not _BROWSERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.torture)
            marks.add("torture")
        if not marks.isdisjoint(("torture", "long")) and "timeout" not in marks:
            item.add_marker(pytest.mark.timeout(180))


def pytest_collection_finish() -> None:
    """Exclude loaded objects from the garbage collector: it runs after thousands of tests."""
    _freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """After each file, the same with objects that outlive its tests: reports, caches of libraries.

    aiohttp alone remembers a thousand handlers, and with them the servers that they belong to.
    """
    reported = yield
    if nextitem is not None and nextitem.path != item.path:
        _freeze()
    return reported


def _freeze() -> None:
    gc.collect()
    gc.freeze()


def pytest_report_header(config: pytest.Config) -> str:
    """The tested versions: the first thing to compare when two machines disagree."""
    return "with: " + ", ".join(f"{name} {_version(name)}" for name in _SHOWN)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
