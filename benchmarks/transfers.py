"""Downloads, against httpx."""

from statistics import median

from benchmarks.file_transfer import MEGABYTE, measure, render
from benchmarks.harness import Effort, Report, Row, compare, judge


def report(effort: Effort) -> Report:
    """Measure, and compare with the goals."""
    size = effort.megabytes
    results = measure(size, effort.rounds)
    ours, httpx = results["browser-use-async"], results["httpx, bare loop"]
    speed = (
        "httpx, bare loop",
        [size / run["seconds"] for run in ours],
        [size / run["seconds"] for run in httpx],
    )
    growth = median(run["growth"] for run in ours) / MEGABYTE
    theirs = median(run["growth"] for run in httpx) / MEGABYTE
    rows = [
        compare(f"download of {size} MB", "MB/s", speed, at_least=1.7),
        Row(
            f"download of {size} MB: growth of resident memory",
            f"{growth:.1f} MB",
            f"httpx, bare loop: {theirs:.1f} MB",
            f"{growth:.1f} MB",
            "≤ 8 MB",
            judge(growth, at_most=8),
        ),
        Row("upload: resident memory", "-", "-", "-", "≤ 2x the file, ≤ 24 MB", None),
    ]
    return Report(rows, render(results, size, effort.rounds))
