"""The report of a batch: one HTML page with everything embedded."""

from browser_use_async.cli.report.figures import Figures, add_up
from browser_use_async.cli.report.writer import write_report

__all__ = ["Figures", "add_up", "write_report"]
