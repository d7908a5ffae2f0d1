"""Run a task for each row of a CSV file, within a budget, and get typed answers.

    python examples/batch_from_csv.py

Run it again with the same ledger: it continues where it was, even after a crash. The command
line does the same: `browser-use-async batch run pages.csv --template "…" --ledger run.db`.

Uses BROWSER_USE_API_KEY and BROWSER_USE_BASE_URL; without both, the bundled server.
"""

import asyncio
import csv
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from _target import reachable_api

from browser_use_async import BrowserUseSession
from browser_use_async.batch import BatchItem, BatchProgress

ROWS = """\
key,page
start,index.html
about,about.html
prices,pricing.html
contact,contact.html
about again,about.html
"""


@dataclass
class Page:
    """What the batch finds out about each page."""

    title: str


def write_rows(path: Path) -> Path:
    """Takes the place of your own file."""
    path.write_text(ROWS, encoding="utf-8")
    return path


def items(path: Path, site: str) -> Iterator[BatchItem]:
    """The tasks of the file, made one by one: a million rows need no more memory than ten."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield BatchItem(f"Open {site}{row['page']} and tell me its title", key=row["key"])


def show(progress: BatchProgress) -> None:
    """Print how far the batch is."""
    print(f"{progress.ended} ended, {progress.running} running, {progress.cost_cents:g} cents")


async def main() -> None:
    """Write the file, and run the batch."""
    with tempfile.TemporaryDirectory() as folder:
        source, ledger = write_rows(Path(folder, "pages.csv")), Path(folder, "run.db")
        async with reachable_api() as site, BrowserUseSession() as session:
            batch = session.run_many(
                items(source, site),
                concurrency=3,  # as many tasks at once as your plan allows
                ledger=ledger,
                output_type=Page,
                budget_cents=200,
                max_agent_steps=20,  # bounds the cost of each task, so that more fit the budget
                on_progress=show,
            )
            async with batch:
                async for result in batch:  # a failed row is a result, too
                    answer = result.parsed.title if result.parsed else result.error
                    print(f"{result.key}: {answer}")


if __name__ == "__main__":
    asyncio.run(main())
