"""`report`: what became of a batch, as one HTML page that brings everything along."""

import argparse
from contextlib import AsyncExitStack
from pathlib import Path

from browser_use_async.cli.report import Figures, write_report
from browser_use_async.cli.console import Console, Style
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.cli.options import add_target_options
from browser_use_async.cli.target import open_target
from browser_use_async.errors import ConfigurationError

__all__ = ["configure", "execute"]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("ledger", type=Path, metavar="LEDGER", help="the ledger of the batch")
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
        type=_count,
        default=0,
        metavar="N",
        help="embed the last N screenshots of each task, and its steps; large",
    )
    add_target_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Write the page."""
    ledger, output = options.ledger, options.output
    if output.resolve() == ledger.resolve():
        raise ConfigurationError("-o is the ledger itself; take another name")
    try:
        figures = await _write(options, console)
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}") from None
    items = "1 item" if figures.total == 1 else f"{figures.total:,} items"
    console.say(("ok ", Style.GOOD), f"{output}: {items}")
    if not console.results_are_read_by_people:
        console.emit(_summary(output, figures))
    return ExitCode.FINISHED


async def _write(options: argparse.Namespace, console: Console) -> Figures:
    async with AsyncExitStack() as stack:
        session = None
        if options.steps or options.screenshots:
            session = (await stack.enter_async_context(open_target(options, console))).session
        update = stack.enter_context(console.working(f"writing {options.output}"))

        def tell(written: int, total: int) -> None:
            update(f"writing {options.output}: {written:,} of {total:,} items")

        return await write_report(
            options.ledger,
            options.output,
            session=session,
            screenshots=options.screenshots,
            on_progress=tell,
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


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError("at least 0")
    return count
