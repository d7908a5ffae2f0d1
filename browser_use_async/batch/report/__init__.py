"""What became of a batch, as one HTML page that brings everything along."""

from browser_use_async.batch.report.figures import Figures, add_up
from browser_use_async.batch.report.writing import write_report

__all__ = ["Figures", "add_up", "write_report"]
