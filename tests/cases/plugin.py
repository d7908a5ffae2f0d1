"""Ties tests to the cases that they show.

`@pytest.mark.case("A1", "A4")` names what a test shows, `@pytest.mark.control("A26")` a test that
shows that the checks of a case can fail, and the fixture `figure` keeps what was measured.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cases.catalogue import CATALOGUE

__all__ = ["figure"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `make cases` and `make mutants`."""
    group = parser.getgroup("cases")
    group.addoption("--cases", default="", help="run only the tests of these cases: A1,B3")
    group.addoption("--case-report", default="", help="write what the tests showed to this file")


def pytest_configure(config: pytest.Config) -> None:
    """Collect the reports of all workers where they come together."""
    path = config.getoption("--case-report")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(Path(path)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check the names of the cases, and leave out the tests that were not asked for."""
    for item in items:
        shown, controlled = _cases_of(item, "case"), _cases_of(item, "control")
        unknown = {*shown, *controlled} - CATALOGUE.keys()
        if unknown:
            raise pytest.UsageError(f"{item.nodeid}: there is no case {', '.join(unknown)}")
        item.user_properties.append(("cases", shown))
        item.user_properties.append(("controls", controlled))
    wanted = set(filter(None, config.getoption("--cases").split(",")))
    if wanted:
        left = [item for item in items if wanted.isdisjoint(_cases_of(item, "case"))]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not wanted.isdisjoint(_cases_of(item, "case"))]


def _cases_of(item: pytest.Item, marker: str) -> list[str]:
    return sorted({str(name) for mark in item.iter_markers(marker) for name in mark.args})


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Keep a figure that a test measured, for the table of `make cases`, and print it."""

    def keep(text: str) -> None:
        record_property("figure", text)
        print(text)

    return keep


class _Recorder:
    """Writes one row per test that shows something.

    Args:
        path: Where to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how a phase of a test ended; a failure in any phase is the test's."""
        properties = dict(report.user_properties)
        if not (properties.get("cases") or properties.get("controls")):
            return
        row = self._rows.setdefault(report.nodeid, {"outcome": "passed", "figure": ""})
        row["cases"], row["controls"] = properties["cases"], properties["controls"]
        row["figure"] = properties.get("figure", row["figure"])
        if report.outcome != "passed":
            row["outcome"] = report.outcome

    def pytest_sessionfinish(self) -> None:
        """Write the rows."""
        self._path.write_text(json.dumps(self._rows, indent=1), "utf-8")
