"""The pytest plugin, as projects use it."""

import pytest

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.timeout(180)  # each is a run of pytest in another process

_STRICT = "import pytest\n\n@pytest.mark.asyncio\n"

_ASYNC_TEST = """
async def test_session(browser_use_session, browser_use_server):
    task = await browser_use_session.run_and_wait("Do it")
    assert task.output == "Done."
    assert browser_use_server.requests["run_task"] == 1
"""

_SYNC_TEST = """
import json
import urllib.request

def test_server(browser_use_server):
    with urllib.request.urlopen(browser_use_server.base_url + "/ping") as response:
        assert json.load(response) == {}
    assert browser_use_server.requests == {"ping": 1}
"""

_PLAIN_SESSION_TEST = """
import asyncio

def test_session(browser_use_session):
    async def use():
        async with browser_use_session as session:
            return await session.account.me()

    assert asyncio.run(use()) is True
"""

_OPTIONS = """
import pytest
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor

@pytest.fixture
def browser_use_server_options():
    answer = Scenario(steps=["Look"], step_seconds=0, output="Forty-two")
    return {"executor": ScriptedExecutor({"answer": answer}), "api_key": "bu_mine"}
"""

_OPTIONS_TEST = """
async def test_options(browser_use_session, browser_use_server):
    task = await browser_use_session.run_and_wait("What is the answer?")
    assert (task.output, browser_use_server.api_key) == ("Forty-two", "bu_mine")
"""

_LIGHT_TEST = """
import sys

def test_nothing_heavy_was_imported(pytestconfig):
    assert pytestconfig.pluginmanager.hasplugin("browser_use_async")
    heavy = ("browser_use_async", "aiohttp", "attr", "cattrs", "tenacity")
    assert [name for name in heavy if name in sys.modules] == []
"""


_ASYNCIO = ("-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project in whose environment is no other plugin than ours, unless it asks for one.

    Those that are installed here beside it take longer to load than all the rest.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p browser_use_async")
    return pytester


def _run(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(test)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


def test_the_server_works_in_synchronous_tests(project: pytest.Pytester):
    """No event loop in sight."""
    _run(project, _SYNC_TEST).assert_outcomes(passed=1)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_session_works_under_pytest_asyncio(mode: str, project: pytest.Pytester):
    """In both of its modes, closed after the test and without a warning."""
    test = _ASYNC_TEST if mode == "auto" else _STRICT + _ASYNC_TEST.lstrip()

    _run(project, test, *_ASYNCIO, f"--asyncio-mode={mode}").assert_outcomes(passed=1)


@pytest.mark.long
def test_the_session_works_without_pytest_asyncio(project: pytest.Pytester):
    """It is not connected yet; the test opens and closes it in a loop of its own."""
    _run(project, _PLAIN_SESSION_TEST).assert_outcomes(passed=1)


@pytest.mark.long
def test_projects_choose_the_options_of_the_server(project: pytest.Pytester):
    """By overriding one fixture."""
    project.makeconftest(_OPTIONS)

    _run(project, _OPTIONS_TEST, *_ASYNCIO, "--asyncio-mode=auto").assert_outcomes(passed=1)


def test_loading_the_plugin_imports_nothing_heavy(pytester: pytest.Pytester):
    """Pytest loads it in every run of every project in the environment."""
    # looptime asks for an event loop in synchronous tests, which warns from Python 3.12 on.
    away = ["-p", "no:looptime_plugin", "-p", "no:asyncio"]
    _run(pytester, _LIGHT_TEST, *away).assert_outcomes(passed=1)


def test_the_fixtures_explain_themselves(project: pytest.Pytester):
    """`pytest --fixtures` is where people look."""
    result = _run(project, _SYNC_TEST, "--fixtures")

    result.stdout.fnmatch_lines_random(
        [
            "browser_use_server --*",
            "browser_use_server_options --*",
            "browser_use_session --*",
            "*A running server of Cloud API v1*",
        ]
    )
