"""The log level of the blocks, and how many of them were executed."""

import logging
import re
from collections import Counter

import pytest

KINDS = {
    "test_a_page_prints_what_it_says": "pages",
    "test_tests_pass_as_pasted": "files of tests",
    "test_commands_exist": "commands",
    "test_json_is_json": "JSON",
}


@pytest.fixture
def log_level(caplog):
    """The level of the package, which is restored afterwards."""
    name = "browser_use_async"
    caplog.set_level(logging.getLogger(name).level, name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the passed ones, also those of other processes."""
    counted = Counter[str]()
    for report in terminalreporter.getreports("passed"):
        found = re.search(r"test_blocks\.py::(\w+)", report.nodeid)
        if found and found[1] in KINDS:
            counted[KINDS[found[1]]] += 1
    if counted:
        blocks = ", ".join(f"{count} {kind}" for kind, count in counted.items())
        terminalreporter.write_line(f"executed of the documentation: {blocks}")
