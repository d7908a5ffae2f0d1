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

import pytest

from tests.proofs.mutants.checkout import ROOT, UnjudgeableError

__all__ = ["is_part", "load_packages", "run_tests"]

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


class _Recorder:
    """The pytest plugin of the child: picks the tests, and may stop when all are noticed.

    Args:
        wanted: What to run, as `is_part` takes it.
        until_noticed: Whether the run ends when of each a test has failed.
        report: The file to write the outcomes to.
    """

    def __init__(self, wanted: Collection[str], until_noticed: bool, report: Path) -> None:
        self._wanted = wanted
        self._left = set(wanted)
        self._stops = until_noticed
        self._report = report
        self._outcome = "passed"
        self._outcomes: dict[str, str] = {}
        self._problem = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep the wanted tests, and put the long ones last."""
        self._session = session
        others = [item for item in items if not _parts(self._wanted, item.nodeid)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _parts(self._wanted, item.nodeid)]
        items.sort(key=lambda item: item.get_closest_marker("long") is not None)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record modules that could not be loaded: their tests were not run."""
        if report.failed:
            self._problem = f"{report.nodeid} cannot be loaded: {str(report.longrepr)[-300:]}"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the result of a phase of a test; a failure in any phase is the test's."""
        if report.outcome != "passed" and self._outcome != "failed":
            self._outcome = report.outcome
        if report.when != "teardown":
            return
        self._outcomes[report.nodeid] = self._outcome
        if self._outcome == "failed":
            self._left -= _parts(self._left, report.nodeid)
            if self._stops and not self._left:
                self._session.shouldstop = "all is noticed"
        self._outcome = "passed"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip tests whose killer has noticed already: a test that fails may take long."""
        if self._stops and not _parts(self._left, item.nodeid):
            pytest.skip("it is noticed")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the outcomes: later errors of pytest are caused by the mutant."""
        if exitstatus == pytest.ExitCode.INTERNAL_ERROR:
            self._problem = "pytest failed"
        self._report.write_text(json.dumps([self._problem, self._outcomes]), "utf-8")


def is_part(test: str, wanted: str) -> bool:
    """Whether a node id is that of a test, or of one in a file or folder."""
    return test == wanted or test.startswith((f"{wanted}[", f"{wanted}::", f"{wanted}/"))


def _parts(wanted: Collection[str], test: str) -> set[str]:
    return {each for each in wanted if is_part(test, each)}


def load_packages() -> None:
    """Load what the runs need and no mutant changes."""
    for name in _PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def run_tests(
    folder: Path, wanted: Collection[str], *, until_noticed: bool = False
) -> dict[str, str]:
    """Run tests of a checkout in a fork of this process.

    Args:
        folder: The checkout.
        wanted: Node ids, with or without parameters, files and folders, where they are there.
        until_noticed: The run ends when of each a test has failed.

    Returns:
        The tests that were run, in this order, and "passed", "failed" or "skipped".

    Raises:
        UnjudgeableError: pytest could not load or run them, or they took too long.
    """
    files = {each.partition("::")[0] for each in wanted}
    there = sorted(file for file in files if (folder / file).exists())
    if not there:
        return {}
    report, log = folder.with_suffix(".json"), folder.with_suffix(".log")
    report.unlink(missing_ok=True)
    # pytest would rather load its plugins itself, to explain their assertions.
    arguments = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    arguments += ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *there]

    def child() -> None:
        _enter(folder, log)
        pytest.main(arguments, plugins=[_Recorder(wanted, until_noticed, report)])

    _run_in_fork(child)
    if not report.exists():
        raise UnjudgeableError(f"the tests did not run: {log.read_text('utf-8')[-300:]}")
    problem, outcomes = json.loads(report.read_text("utf-8"))
    if problem:
        raise UnjudgeableError(problem)
    return dict(outcomes)


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
        except BaseException:  # noqa: BLE001 - no caller is left to raise it to
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
    is_over = False
    try:
        is_over = _wait(pid)
    finally:
        # Also the processes that its tests have started and left.
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
