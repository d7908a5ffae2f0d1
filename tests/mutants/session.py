"""One run of pytest in a forked process, which has the third-party packages loaded already.

Starting an interpreter and loading pytest, hypothesis and aiohttp takes longer than most of the
tests that notice a mutant. So the parent loads them once, and nothing of this project; it has no
threads and no event loop, and each run is a fork of it that loads the project from a checkout.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection
from pathlib import Path

import attrs
import pytest

from tests.mutants.checkout import ROOT, UnjudgeableError

__all__ = ["Result", "load_packages", "run_tests"]

_LONGEST = 600.0  # seconds for one run
_OWN = {"tests", "browser_use_async", "pytest_browser_use_async"}
# A child that needs another one loads it itself, only later.
_PACKAGES = (
    "aiohttp.web",
    "aiohttp.test_utils",
    "aioresponses",
    "anyio.pytest_plugin",
    "cattrs.preconf.json",
    "hypothesis.strategies",
    "hypothesis.stateful",
    "looptime.plugin",
    "msgspec",
    "orjson",
    "pydantic.main",
    "pydantic.types",
    "pytest_asyncio.plugin",
    "pytest_timeout",
    "sqlite3",
    "tenacity",
    "xdist.looponfail",
    "xml.etree.ElementTree",
)


@attrs.frozen
class Result:
    """How a test ended.

    Attributes:
        test: Its node id.
        cases: The cases that it shows.
        outcome: "passed", "failed" or "skipped".
    """

    test: str
    cases: tuple[str, ...]
    outcome: str


class _Recorder:
    """The pytest plugin of the child: picks the tests, and stops when every case is noticed.

    Args:
        tests: The node ids to run; all that were collected if there are none.
        cases: The cases to notice; without any, nothing stops the run.
        report: The file to write the results to.
    """

    def __init__(self, tests: Collection[str], cases: Collection[str], report: Path) -> None:
        self._tests = tests
        self._report = report
        self._left = set(cases)
        self._stops = bool(cases)
        self._outcome = "passed"
        self._results: list[Result] = []
        self._problem = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave the named tests, and put those that take long behind the others."""
        self._session = session
        if self._tests:
            config.hook.pytest_deselected(
                items=[item for item in items if item.nodeid not in self._tests]
            )
            items[:] = [item for item in items if item.nodeid in self._tests]
        items.sort(key=lambda item: item.get_closest_marker("long") is not None)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be loaded: its tests were not run."""
        if report.failed:
            self._problem = f"{report.nodeid} cannot be loaded: {str(report.longrepr)[-300:]}"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record how a phase of a test ended; a failure in any phase is the test's."""
        if report.outcome != "passed" and self._outcome != "failed":
            self._outcome = report.outcome
        if report.when != "teardown":
            return
        self._results.append(Result(report.nodeid, _cases_of(report), self._outcome))
        if self._outcome == "failed":
            self._left -= set(_cases_of(report))
            if self._stops and not self._left:
                self._session.shouldstop = "every case is noticed"
        self._outcome = "passed"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Leave out what could only notice again: a test that fails may take long."""
        if self._stops and self._left.isdisjoint(_cases_of(item)):
            pytest.skip("its cases are noticed")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the results: what pytest finds wrong after this is the mutant's doing."""
        if exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            self._problem = "pytest failed"
        results = [attrs.astuple(result) for result in self._results]
        self._report.write_text(json.dumps([self._problem, results]), "utf-8")


def _cases_of(item: pytest.Item | pytest.TestReport) -> tuple[str, ...]:
    return tuple(dict(item.user_properties).get("cases", ()))


def load_packages() -> None:
    """Load what the runs need and no mutant changes."""
    for name in _PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def run_tests(
    folder: Path,
    files: Collection[str],
    *,
    tests: Collection[str] = (),
    cases: Collection[str] = (),
    marker: str = "",
    until: Collection[str] = (),
) -> list[Result]:
    """Run tests of a checkout in a fork of this process.

    Args:
        folder: The checkout.
        files: The test files to load.
        tests: The node ids to run; none stands for all tests.
        cases: Only tests of these cases are run; none stands for all tests.
        marker: What pytest knows as `-m`.
        until: The run ends when tests of all of these cases have failed, if there are any.

    Returns:
        What was run, in this order.

    Raises:
        UnjudgeableError: pytest could not load or run them, or they took too long.
    """
    report, log = folder.with_suffix(".json"), folder.with_suffix(".log")
    report.unlink(missing_ok=True)
    # pytest would rather load its plugins itself, to explain their assertions.
    arguments = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    arguments += ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", marker, *sorted(files)]
    if cases:
        arguments += ["--cases", ",".join(sorted(cases))]

    def child() -> None:
        _enter(folder, log)
        pytest.main(arguments, plugins=[_Recorder(tests, until, report)])

    _run_in_fork(child)
    if not report.exists():
        raise UnjudgeableError(f"the tests did not run: {log.read_text('utf-8')[-300:]}")
    problem, rows = json.loads(report.read_text("utf-8"))
    if problem:
        raise UnjudgeableError(problem)
    return [Result(test, tuple(shown), outcome) for test, shown, outcome in rows]


def _enter(folder: Path, log: Path) -> None:
    """Turn this process into one that was started in a checkout."""
    for name in [name for name in sys.modules if name.partition(".")[0] in _OWN]:
        del sys.modules[name]
    os.chdir(folder)
    outside = {"", str(ROOT), str(Path.cwd())}
    sys.path[:] = [str(folder), *(path for path in sys.path if path not in outside)]
    importlib.invalidate_caches()
    os.environ.update(PYTHONPATH=str(folder), CI="true")
    for descriptor, target, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, log, os.O_WRONLY | os.O_APPEND),
    ):
        os.dup2(os.open(target, flags), descriptor)


def _run_in_fork(child: Callable[[], None]) -> None:
    """Run a function in a fork of this process, and wait for its end."""
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.setsid()
            child()
        except BaseException:  # noqa: BLE001 - there is nobody above to raise it to
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
    is_over = False
    try:
        is_over = _wait(pid)
    finally:
        # Also what its tests have started and left behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if not is_over:
            os.waitpid(pid, 0)
    if not is_over:
        raise UnjudgeableError(f"the tests took longer than {_LONGEST:.0f} s")


def _wait(pid: int) -> bool:
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return True
        time.sleep(0.01)
    return False
