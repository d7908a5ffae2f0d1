"""Searches for secrets in everything that each test leaves behind.

The tests give the package secrets that cannot be mistaken: `CANARIES`, and the keys that bundled
servers generate. After each test this plugin searches for them in several places: in log records of
every level, in each `BrowserUseError` that was created (its texts, its pickle, the local variables
of the frames that it passed), in warnings, and in files under `tmp_path` and their names; and when
a test fails, in the text of its failure. Frames of the tests themselves contain canaries, and are
left out.

A test that puts a canary into one of these places on purpose is marked:
`@pytest.mark.canaries_by_design("files")`, with any of "files", "logs", "errors" and "warnings".
With "errors", errors are not even kept until the end, as tests want that wait for the collector.
"""

import contextlib
import itertools
import logging
import os
import pickle
import re
import traceback
import warnings
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from browser_use_async.errors import BrowserUseError
from tests.support.hygiene import CANARIES, KEY, SECRET

_TESTS = f"{Path(__file__).parents[1]}{os.sep}"
_KEY_OF_A_SERVER = re.compile(r"bu_local_[\w-]{32}")
# A pickled task keeps its URLs (docs/security.md); the key and task secrets are in no pickle.
_NEVER_PICKLED = {name: text for name, text in CANARIES.items() if text in {KEY, SECRET}}
_AS_BYTES = {name: text.encode() for name, text in CANARIES.items()}
_MOST_ERRORS = 200  # of one test; a simulation makes thousands that are all alike
_MOST_ALIKE = 3
_LARGEST_FILE = 50_000_000


def canaries_in(text: str, canaries: dict[str, str] = CANARIES) -> list[str]:
    """The canaries in a text.

    Args:
        text: Any text.
        canaries: What to look for, besides the keys of bundled servers.
    """
    found = [name for name, canary in canaries.items() if canary in text]
    if "bu_local_" in text and _KEY_OF_A_SERVER.search(text):
        found.append("the key of a server")
    return found


def canaries_in_bytes(content: bytes) -> list[str]:
    """The canaries in the content of a file.

    Args:
        content: Any bytes.
    """
    found = [name for name, canary in _AS_BYTES.items() if canary in content]
    if b"bu_local_" in content and _KEY_OF_A_SERVER.search(content.decode("latin-1")):
        found.append("the key of a server")
    return found


class _Findings:
    """The findings since the last test, and how much was checked in all.

    Attributes:
        looked: How many log records, errors, warnings and files.
    """

    def __init__(self) -> None:
        self.looked: Counter[str] = Counter()
        self._found: list[tuple[str, str]] = []

    def note(self, place: str, where: str, canaries: Iterable[str]) -> None:
        """Record the findings of a place.

        Args:
            place: The kind of place, as the marker names it.
            where: Which one.
            canaries: Its canaries.
        """
        self._found += [(place, f"{where} shows {name}") for name in canaries]

    def taken(self, allowed: Iterable[str]) -> list[str]:
        """Remove and return the findings, without the places that may show canaries.

        Args:
            allowed: The kinds of places.
        """
        found, self._found = self._found, []
        return list(dict.fromkeys(text for place, text in found if place not in allowed))


class _Listener(logging.Handler):
    """Checks every log record."""

    def __init__(self, findings: _Findings) -> None:
        super().__init__()
        self._findings = findings

    def emit(self, record: logging.LogRecord) -> None:
        """Check the message, and the traceback that a formatter would write below it."""
        self._findings.looked["log records"] += 1
        try:
            text = record.getMessage()
            if record.exc_info and record.exc_info[1]:
                text += "".join(traceback.format_exception(record.exc_info[1]))
        except Exception:  # noqa: BLE001 - a test of a broken record handles it
            return
        self._findings.note("logs", f"the log of {record.name}", canaries_in(text))


class _Errors:
    """Keeps the errors of one test until its end, when their tracebacks are complete."""

    def __init__(self, findings: _Findings) -> None:
        self._findings = findings
        self._kept: list[BrowserUseError] = []
        self._alike: Counter[Any] = Counter()
        self.are_kept = True

    def keep(self, error: BrowserUseError) -> None:
        """Keep an error, unless there are enough like it.

        Args:
            error: One that was just made.
        """
        if not self.are_kept:
            return
        kind = (type(error), str(error.args[:1])[:200])
        self._alike[kind] += 1
        if self._alike[kind] <= _MOST_ALIKE and len(self._kept) < _MOST_ERRORS:
            self._kept.append(error)

    def look(self) -> None:
        """Check the kept errors, and release them."""
        kept, self._kept = self._kept, []
        self._alike.clear()
        frames: set[int] = set()
        for error in kept:
            self._findings.looked["errors"] += 1
            shown = set(_shown_by(error, frames))
            self._findings.note("errors", f"{type(error).__name__}", shown)


def _shown_by(error: BaseException, frames: set[int]) -> Iterator[str]:
    """The texts of an exception that people and tools see."""
    for text in (str(error), repr(error), repr(getattr(error, "__notes__", ""))):
        yield from canaries_in(text)
    if isinstance(error, BrowserUseError):
        with contextlib.suppress(Exception):  # not every object can be pickled
            yield from canaries_in(pickle.dumps(error).decode("latin-1"), _NEVER_PICKLED)
    values: set[int] = set()
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if id(frame) not in frames and not frame.f_code.co_filename.startswith(_TESTS):
            frames.add(id(frame))
            yield from _shown_by_locals(frame, values)
    for link in (error.__cause__, error.__context__):
        if link is not None and id(link) not in frames:
            frames.add(id(link))
            yield from _shown_by(link, frames)


def _shown_by_locals(frame: FrameType, values: set[int]) -> Iterator[str]:
    function = frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else ""
    for name, value in frame.f_locals.items():
        if id(value) not in values:
            values.add(id(value))
            for canary in canaries_in(_text_of(value)):
                yield f"{canary}, as {name} in {function}"


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("latin-1")
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - of an object that is only half made
        return ""


class CanaryScan:
    """The plugin.

    Args:
        config: The configuration of the run.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._findings = _Findings()
        self._errors = _Errors(self._findings)
        self._listener = _Listener(self._findings)
        self._make_error = BrowserUseError.__init__

    def pytest_sessionstart(self) -> None:
        """Observe every log record and every error."""
        root = logging.getLogger()
        root.addHandler(self._listener)
        root.setLevel(logging.DEBUG)
        make, keep = self._make_error, self._errors.keep

        def make_and_keep(error: BrowserUseError, *arguments: Any, **options: Any) -> None:
            make(error, *arguments, **options)
            keep(error)

        BrowserUseError.__init__ = make_and_keep  # type: ignore[method-assign]

    def pytest_sessionfinish(self) -> None:
        """Restore everything, and report the totals to a controlling process."""
        BrowserUseError.__init__ = self._make_error  # type: ignore[method-assign]
        logging.getLogger().removeHandler(self._listener)
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput["canaries"] = dict(self._findings.looked)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the totals of a worker."""
        self._findings.looked.update(getattr(node, "workeroutput", {}).get("canaries", {}))

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, nodeid: str
    ) -> None:
        """Check a warning. pytest reports it after the test, so the next test fails for it."""
        self._findings.looked["warnings"] += 1
        shown = canaries_in(str(warning_message.message))
        self._findings.note("warnings", f"a warning of {nodeid}", shown)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Keep errors, unless the test is marked for canaries in them."""
        self._errors.are_kept = "errors" not in _places(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        """Check the errors before the fixtures end, which wait for objects that errors refer to."""
        try:
            return (yield)
        finally:
            self._errors.look()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Function) -> Generator[None, Any, Any]:
        """Check the files, and fail the test for all findings."""
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        try:
            result = yield
        finally:
            self._errors.look()
            if folder is not None:
                self._look_at_files(folder)
            found = self._findings.taken(_places(item))
            if found:
                item.add_report_section("teardown", "canaries", "\n".join(found))
        if found:
            pytest.fail("canaries: " + "; ".join(found), pytrace=False)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Report a canary in the text of a failure, which ends in logs."""
        report = yield
        if report.failed:
            shown = canaries_in(report.longreprtext)
            if shown:
                text = "the text of this failure shows " + ", ".join(shown)
                report.sections.append(("canaries", text))
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print how much was checked."""
        looked = ", ".join(f"{count} {kind}" for kind, count in self._findings.looked.items())
        terminalreporter.write_line(f"looked for canaries in {looked or 'nothing'}")

    def _look_at_files(self, folder: Path) -> None:
        for place, folders, files in os.walk(folder):
            for name in itertools.chain(folders, files):
                self._findings.note("files", "the name of a file", canaries_in(name))
            for name in files:
                path = Path(place, name)
                if not path.is_file() or path.is_symlink() or path.stat().st_size > _LARGEST_FILE:
                    continue
                self._findings.looked["files"] += 1
                with contextlib.suppress(PermissionError):
                    shown = canaries_in_bytes(path.read_bytes())
                    self._findings.note("files", f"the file {path.name}", shown)


_MARKER = "canaries_by_design"


def _places(item: pytest.Item) -> set[str]:
    return {place for mark in item.iter_markers(_MARKER) for place in mark.args}


def pytest_configure(config: pytest.Config) -> None:
    """Search for canaries in this run."""
    text = "a test that puts canaries into files, logs, errors or warnings on purpose"
    config.addinivalue_line("markers", f"{_MARKER}(*places): {text}")
    config.pluginmanager.register(CanaryScan(config), "canary-scan")
