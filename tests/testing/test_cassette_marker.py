"""`@pytest.mark.browser_use_cassette`, as projects use it."""

import json

import pytest

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.timeout(180)  # each is a run of pytest in another process

_SERVICE = """
import pytest
from browser_use_async.testing import Scenario, ScriptedExecutor, ThreadedServer

@pytest.fixture(scope="session")
def service():
    scenario = Scenario(output="350 cents", step_seconds=0.01)
    with ThreadedServer(executor=ScriptedExecutor(default=scenario)) as server:
        yield server

@pytest.fixture
def browser_use_record_options(service):
    return {"api_key": service.api_key, "base_url": service.base_url}
"""

_TEST = """
import pytest

@pytest.mark.browser_use_cassette("tea.json")
async def test_tea(browser_use_session):
    task = await browser_use_session.run_and_wait("Find the price of tea")
    assert task.output == "350 cents"
"""

_FAILING = _TEST.replace('"350 cents"', '"free"')
_UNNAMED = _TEST.replace('("tea.json")', "")
_OTHER = _TEST.replace("price of tea", "price of coffee")


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a service to record from."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    options = "-p browser_use_async -p asyncio -p no:cacheprovider"
    monkeypatch.setenv("PYTEST_ADDOPTS", options)
    pytester.makeconftest(_SERVICE)
    pytester.makeini(
        "[pytest]\nfilterwarnings = error\nasyncio_mode = auto\n"
        "asyncio_default_fixture_loop_scope = function\naddopts = --strict-markers\n"
    )
    return pytester


def _run(project: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    project.makepyfile(test_shop=test)
    return project.runpytest_subprocess(*options)


@pytest.mark.long
def test_a_cassette_is_recorded_once_and_replayed(project: pytest.Pytester):
    """The second and the third run need no service: the file is not written again."""
    path = project.path / "cassettes" / "tea.json"
    _run(project, _TEST, "--browser-use-record=once").assert_outcomes(passed=1)
    recorded = path.read_bytes()
    document = json.loads(recorded)
    document["tasks"][0]["output"] = "351 cents"
    path.write_text(json.dumps(document))

    _run(project, _TEST, "--browser-use-record=once").assert_outcomes(failed=1)
    _run(project, _TEST).assert_outcomes(failed=1)
    _run(project, _TEST, "--browser-use-record=all").assert_outcomes(passed=1)

    assert json.loads(path.read_bytes())["tasks"][0]["output"] == "350 cents"
    _run(project, _TEST).assert_outcomes(passed=1)


@pytest.mark.long
def test_what_is_not_recorded_says_so(project: pytest.Pytester):
    """This is a missing file, or a task that is not in it."""
    result = _run(project, _TEST)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*there is no cassette *tea.json; record it with --browser-use-*")

    _run(project, _TEST, "--browser-use-record=once").assert_outcomes(passed=1)
    result = _run(project, _OTHER)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines("*tea.json has no task 'Find the price of coffee'; did you mean*")


@pytest.mark.long
def test_a_test_that_fails_records_nothing(project: pytest.Pytester):
    """Otherwise the failure would be replayed for ever."""
    _run(project, _FAILING, "--browser-use-record=once").assert_outcomes(failed=1)

    assert not (project.path / "cassettes").exists()


@pytest.mark.long
def test_a_cassette_without_a_name_is_called_as_its_test(project: pytest.Pytester):
    """It is beside the test file."""
    _run(project, _UNNAMED, "--browser-use-record=once").assert_outcomes(passed=1)

    assert (project.path / "cassettes" / "test_shop.test_tea.json").exists()
    _run(project, _UNNAMED).assert_outcomes(passed=1)


@pytest.mark.long
def test_tests_of_one_name_in_two_classes_have_two_cassettes(project: pytest.Pytester):
    """Otherwise the second one would replay, or replace, the recording of the first."""
    body = _UNNAMED.replace("import pytest\n", "").replace("(b", "(self, b")
    classes = [f"class Test{name}:{body}".replace("\n", "\n    ") for name in ("Tea", "Pot")]
    tests = "import pytest\n" + "\n".join(classes).replace("price of tea", "price of a pot", 1)
    _run(project, tests, "--browser-use-record=once").assert_outcomes(passed=2)

    names = {each.name for each in (project.path / "cassettes").iterdir()}
    assert names == {"test_shop.TestTea.test_tea.json", "test_shop.TestPot.test_tea.json"}
    _run(project, tests).assert_outcomes(passed=2)


@pytest.mark.long
def test_what_the_marker_does_not_take_is_refused(project: pytest.Pytester):
    """A misspelt option would silently change nothing."""
    _run(project, _TEST, "--browser-use-record=once").assert_outcomes(passed=1)
    marked = '"tea.json"'
    _run(project, _TEST.replace(marked, f"{marked}, 60, 'any'")).assert_outcomes(passed=1)

    result = _run(project, _TEST.replace(marked, f"{marked}, mach='any'"))

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines("*browser_use_cassette takes a name, speed and match: *'mach'*")
    anything = _OTHER.replace(marked, f"{marked}, math.inf, 'any'")
    _run(project, "import math\n" + anything).assert_outcomes(passed=1)
