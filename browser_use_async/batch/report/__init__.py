"""The import path under which users know the report of a batch; it is in `cli.report`."""

# The names load on first use, so that importing a batch does not import the command line.

from typing import TYPE_CHECKING

from browser_use_async.lazy import load_on_first_use

if TYPE_CHECKING:
    from browser_use_async.cli.report.figures import Figures, add_up
    from browser_use_async.cli.report.writer import write_report

__all__ = ["Figures", "add_up", "write_report"]

_MODULES = {"Figures": "figures", "add_up": "figures", "write_report": "writer"}

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(
        __name__, _MODULES, source="browser_use_async.cli.report"
    )
