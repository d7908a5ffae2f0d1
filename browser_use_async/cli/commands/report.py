"""`report`: the results of a batch as one self-contained HTML page."""

import argparse
from contextlib import AsyncExitStack
from pathlib import Path

from browser_use_async.cli.batch.ledger import ledger_name
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import add_connection_options, whole
from browser_use_async.cli.report import Figures, write_report
from browser_use_async.cli.screen import Style
from browser_use_async.errors import ConfigurationError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "ledger", type=ledger_name, metavar="LEDGER", help="the ledger of the batch"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the page; one that is there already is replaced",
    )
    parser.add_argument(
        "--steps", action="store_true", help="ask the service for the steps of each task, too"
    )
    parser.add_argument(
        "--screenshots",
        type=whole(0),
        default=0,
        metavar="N",
        help="embed the last N screenshots of each task, and its steps; large",
    )
    add_connection_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Write the page."""
    ledger, output = options.ledger, options.output
    if isinstance(ledger, Path) and output.resolve() == ledger.resolve():
        raise ConfigurationError("-o is the ledger itself; take another name")
    try:
        figures = await _write(options, console)
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}") from None
    items = "1 item" if figures.total == 1 else f"{figures.total:,} items"
    console.info(("ok ", Style.GOOD), f"{output}: {items}")
    if not console.stdout_is_tty:
        console.result(_summary(output, figures))
    return ExitCode.FINISHED


async def _write(options: argparse.Namespace, console: Console) -> Figures:
    async with AsyncExitStack() as stack:
        session = None
        # The page alone needs the ledger only: no key and no network.
        if options.steps or options.screenshots:
            session = (await stack.enter_async_context(connect(options, console))).session
        update = stack.enter_context(console.status(f"writing {options.output}"))

        def on_progress(written: int, total: int) -> None:
            update(f"writing {options.output}: {written:,} of {total:,} items")

        return await write_report(
            options.ledger,
            options.output,
            session=session,
            screenshots=options.screenshots,
            on_progress=on_progress,
        )


def _summary(output: Path, figures: Figures) -> dict[str, object]:
    return {
        "path": str(output),
        "items": figures.total,
        "counts": {str(state): count for state, count in figures.counts.items()},
        "steps": figures.steps,
        "cost_cents": float(figures.cost_cents),
        "median_seconds": figures.quantile(0.5),
    }
