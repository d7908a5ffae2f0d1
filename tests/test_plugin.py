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

_TYPED_TEST = """
import asyncio
from dataclasses import dataclass
from browser_use_async import BrowserUseSession

@dataclass
class Price:
    product: str
    cents: int

async def test_the_answer_is_an_instance(browser_use_session, browser_use_server):
    task = await browser_use_session.run_and_wait(
        "List the prices", output_type=list[Price], secrets={"pin": "s3cret"},
        allowed_domains=["shop.example"], max_agent_steps=9,
    )
    assert task.parsed == [Price("Example product", 1)]
    record, = browser_use_server.store.tasks
    assert (record.task, record.status, len(record.steps)) == ("List the prices", "finished", 2)
    assert record.request.max_agent_steps == 9
    assert "s3cret" not in repr(record.request)
    assert browser_use_server.store.task(task.id).cost_cents == 6
    assert browser_use_server.balance_cents == 1_000_000 - 6
    assert browser_use_server.requests["run_task"] == 1
"""

_FAST_TEST = """
async def test_polls_fast(browser_use_session, browser_use_server):
    for _ in range(5):
        await browser_use_session.run_and_wait("Do it")
    # A second lies between the first two polls of an ordinary session, which a task of ten
    # milliseconds would wait for.
    assert browser_use_server.requests["get_task_status"] <= 5 * 3
"""

_ANYIO_TEST = """
import asyncio
import pytest

@pytest.fixture(params=%r)
def anyio_backend(request):
    return request.param

@pytest.mark.anyio
async def test_session(browser_use_session, browser_use_server):
    task = await browser_use_session.run_and_wait("Do it")
    assert task.output == "Done."
    assert browser_use_server.store.tasks[0].id == task.id
"""

_SCOPE_TEST = """
import asyncio
import pytest

loops = set()

@pytest.mark.asyncio(loop_scope="module")
class TestTogether:
    async def test_one(self, browser_use_session):
        loops.add(asyncio.get_running_loop())
        await browser_use_session.run_and_wait("Do it")

    async def test_other(self, browser_use_session):
        loops.add(asyncio.get_running_loop())
        await browser_use_session.run_and_wait("Do it")
        assert len(loops) == 1
"""

_SESSION_OPTIONS = """
import pytest
from browser_use_async import PollPolicy

@pytest.fixture
def browser_use_session_options():
    return {"timeout": 7, "poll": PollPolicy(interval=0.5), "on_event": print}
"""

_SESSION_OPTIONS_TEST = """
async def test_options(browser_use_session, browser_use_server, capsys):
    from browser_use_async.testing import Fault
    browser_use_server.set_faults([Fault("reset", "me", calls=1)])
    await browser_use_session.account.me()
    assert "me failed" in capsys.readouterr().out
"""

_OPTIONS = """
import pytest
from browser_use_async.testing import Scenario, ScriptedExecutor

@pytest.fixture
def browser_use_server_options():
    answer = Scenario(steps=["Look"], step_seconds=0, output="Forty-two")
    return {"executor": ScriptedExecutor({"answer": answer}), "api_key": "bu_mine_of_the_plugin"}
"""

_OPTIONS_TEST = """
async def test_options(browser_use_session, browser_use_server):
    task = await browser_use_session.run_and_wait("What is the answer?")
    assert (task.output, browser_use_server.api_key) == ("Forty-two", "bu_mine_of_the_plugin")
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
def project(pytester, monkeypatch):
    """A project with no other plugin in its environment, unless it loads one.

    Those that are installed here beside it take longer to load than all the rest.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p browser_use_async")
    return pytester


def _run(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile(test)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


@pytest.mark.long
def test_the_server_works_in_synchronous_tests(project):
    """There is no event loop in the test."""
    _run(project, _SYNC_TEST).assert_outcomes(passed=1)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_the_session_works_under_pytest_asyncio(mode, project):
    """In both of its modes, closed after the test and without a warning."""
    test = _ASYNC_TEST if mode == "auto" else _STRICT + _ASYNC_TEST.lstrip()

    _run(project, test, *_ASYNCIO, f"--asyncio-mode={mode}").assert_outcomes(passed=1)


@pytest.mark.long
def test_the_session_works_without_pytest_asyncio(project):
    """It is not connected yet; the test opens and closes it in a loop of its own."""
    _run(project, _PLAIN_SESSION_TEST).assert_outcomes(passed=1)


@pytest.mark.long
@pytest.mark.parametrize("test", [_TYPED_TEST, _FAST_TEST, _SCOPE_TEST])
def test_the_values_of_the_fixtures(test, project):
    """Parsed answers, data for assertions, quick polls, and the event loop of the test."""
    passed = 2 if test is _SCOPE_TEST else 1
    _run(project, test, *_ASYNCIO, "--asyncio-mode=auto").assert_outcomes(passed=passed)


@pytest.mark.long
@pytest.mark.parametrize("others", [(), _ASYNCIO])
def test_the_session_works_under_anyio(others, project):
    """Alone, and beside pytest-asyncio in its strict mode."""
    test = _ANYIO_TEST % ["asyncio"]
    _run(project, test, *others, "-p", "anyio").assert_outcomes(passed=1)


@pytest.mark.long
def test_another_event_loop_than_that_of_asyncio_is_refused(project):
    """Anyio offers trio by default, on which aiohttp does not run."""
    result = _run(project, _ANYIO_TEST % ["trio"], "-p", "anyio")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*not on trio: define a fixture anyio_backend*")


@pytest.mark.long
@pytest.mark.parametrize(
    ("plugins", "way"),
    [
        ((), "install pytest-asyncio and set asyncio_mode = auto, or install anyio"),
        ((*_ASYNCIO, "--asyncio-mode=strict"), "mark it with @pytest.mark.asyncio, or set *auto"),
        (("-p", "anyio"), "mark it with @pytest.mark.anyio, or install pytest-asyncio"),
    ],
)
def test_a_test_that_no_plugin_runs_says_what_is_missing(plugins, way, project):
    """The message is more than that asynchronous tests are not supported."""
    result = _run(project, _ASYNC_TEST, *plugins)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(f"*test_session is an `async def` test, and no plugin*: {way}*")


@pytest.mark.long
def test_projects_choose_the_options_of_the_session(project):
    """By overriding one fixture."""
    project.makeconftest(_SESSION_OPTIONS)

    _run(project, _SESSION_OPTIONS_TEST, *_ASYNCIO, "--asyncio-mode=auto").assert_outcomes(passed=1)


@pytest.mark.long
def test_projects_choose_the_options_of_the_server(project):
    """By overriding one fixture."""
    project.makeconftest(_OPTIONS)

    _run(project, _OPTIONS_TEST, *_ASYNCIO, "--asyncio-mode=auto").assert_outcomes(passed=1)


@pytest.mark.long
def test_loading_the_plugin_imports_nothing_heavy(pytester):
    """Pytest loads it in every run of every project in the environment."""
    # looptime asks for an event loop in synchronous tests, which warns from Python 3.12 on.
    away = ["-p", "no:looptime_plugin", "-p", "no:asyncio"]
    _run(pytester, _LIGHT_TEST, *away).assert_outcomes(passed=1)


@pytest.mark.long
def test_the_fixtures_explain_themselves(project):
    """`pytest --fixtures` is where people look."""
    result = _run(project, _SYNC_TEST, "--fixtures")

    result.stdout.fnmatch_lines_random(
        [
            "browser_use_server --*",
            "browser_use_server_options --*",
            "browser_use_session --*",
            "browser_use_session_options --*",
            "*A running server of Cloud API v1*",
        ]
    )
