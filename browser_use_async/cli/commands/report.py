"""`report`: the results of a batch as one self-contained HTML page."""

from contextlib import AsyncExitStack
from pathlib import Path

import click

from browser_use_async.cli.batch.settings import ledger_or_queue
from browser_use_async.cli.command import command
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console, counted
from browser_use_async.cli.options import Argument, ServerOptions, complete_files, option, whole
from browser_use_async.cli.report import write_report
from browser_use_async.cli.screen import Style
from browser_use_async.errors import ConfigurationError


@command(
    "report",
    Argument(
        "ledger",
        "LEDGER|ADDRESS",
        "the ledger of the batch, or the address of a queue",
        type=ledger_or_queue,
        shell_complete=complete_files,
    ),
    option(
        "-o --output FILE",
        "the page to write; an existing file is replaced",
        required=True,
        type=click.Path(path_type=Path),
    ),
    option("--steps", "also ask the service for the steps of each task"),
    option(
        "--screenshots N",
        "also embed the last N screenshots of each task, and its steps; the file becomes large",
        type=whole(0),
        default=0,
    ),
    examples=("report run.db -o report.html",),
)
async def report(
    console: Console,
    server: ServerOptions,
    ledger: Path | str,
    output: Path,
    steps: bool,
    screenshots: int,
) -> None:
    """Write the results of a batch as one HTML page."""
    if isinstance(ledger, Path) and _is_same(output, ledger):
        raise ConfigurationError("-o is the ledger itself; take another name")
    try:
        async with AsyncExitStack() as stack:
            session = None
            # The page needs only the ledger: no key and no network.
            if steps or screenshots:
                session = (await stack.enter_async_context(connect(server, console))).session
            update = stack.enter_context(console.status(f"writing {output}"))

            def on_progress(written: int, total: int) -> None:
                update(f"writing {output}: {written:,} of {total:,} items")

            figures = await write_report(
                ledger, output, session=session, screenshots=screenshots, on_progress=on_progress
            )
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}") from None
    console.info(("ok ", Style.GOOD), f"{output}: {counted(figures.total, 'item')}")
    if not console.shows_text:
        console.result(
            {
                "path": str(output),
                "items": figures.total,
                "counts": {str(state): count for state, count in figures.counts.items()},
                "steps": figures.steps,
                "cost_cents": float(figures.cost_cents),
                "median_seconds": figures.quantile(0.5),
            }
        )


def _is_same(output: Path, ledger: Path) -> bool:
    return output.resolve() == ledger.resolve()
