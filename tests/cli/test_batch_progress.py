import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import attrs
import pytest

from browser_use_async.batch import BatchProgress, BatchResult, Forecast, ItemState, StopReason
from browser_use_async.cli.batch.progress import (
    BatchDisplay,
    exit_code_for,
    live_lines,
    remaining,
    summary,
    summary_line,
)
from browser_use_async.cli.console import Console
from browser_use_async.errors import BrowserUseError

from .test_console import Pipe, Terminal

HALF_WAY = BatchProgress(
    total=200,
    new=10,
    running=50,
    done=90,
    failed=4,
    dead_letters=2,
    unknown=1,
    duplicates=3,
    rate=2.5,
    cost_cents=Decimal("825.25"),
    budget_cents=Decimal(2000),
    seconds=40.0,
    seconds_left=41.2,
)
OVER = BatchProgress(total=3, done=3, cost_cents=Decimal(12), seconds=2.0)


def text_of(spans: list[object]) -> str:
    """Spans as plain text."""
    return "".join(each if isinstance(each, str) else each[0] for each in spans)  # type: ignore[index]


def test_the_board():
    """A person sees how far the batch is, the results, the pace, the rest and the cost."""
    lines = [text_of(list(line)) for line in live_lines(HALF_WAY)]

    assert lines == [
        "━" * 40 + "  50%  100 of 200",
        "90 done  50 running  4 failed  2 refused  1 unknown",
        "2.5 per second, 40 s so far, about 41 s left, $8.25 spent of $20.00",
    ]


def test_the_rest_is_foretold():
    """The line says what the rest costs, and whether the budget suffices."""
    about = Forecast(
        items=100,
        ends=100,
        cents=Decimal("412.4"),
        seconds=41.2,
        budget_left_cents=Decimal("1174.75"),
    )
    said = text_of(list(live_lines(attrs.evolve(HALF_WAY, about=about))[-1]))
    short = attrs.evolve(about, budget_left_cents=Decimal(300))
    left_out = text_of(list(live_lines(attrs.evolve(HALF_WAY, about=short))[-1]))

    assert said.endswith("$8.25 spent of $20.00, about $4.12 more")
    assert left_out.endswith("about $4.12 more, which the budget does not pay for")
    assert summary(attrs.evolve(HALF_WAY, about=about))["about"] == {
        "items": 100,
        "ends": 100,
        "cents": 412.4,
        "seconds": 41.2,
        "budget_left_cents": 1174.75,
    }


@pytest.mark.parametrize(
    "progress",
    [
        BatchProgress(),
        BatchProgress(total=0),
        BatchProgress(total=1, done=5),
        BatchProgress(done=7, rate=0.01, seconds=1e6),
    ],
)
def test_any_progress_has_a_board(progress):
    """It is shown also for an input of unknown size, and a ledger with more items."""
    assert all(len(text_of(list(line))) < 80 for line in live_lines(progress))


@contextmanager
def at(*stages: BatchProgress) -> Iterator[object]:
    """Returns the stages one after the other, and then the last one again."""
    stages_left = iter(stages)
    last = stages[-1]
    yield lambda: next(stages_left, last)


@pytest.mark.looptime
async def test_a_log():
    """Where lines cannot be changed, a line is printed now and then, and only for changes."""
    pipe = Pipe()
    later = attrs.evolve(HALF_WAY, done=91, seconds=41.0)
    with at(HALF_WAY, attrs.evolve(HALF_WAY, seconds=45.0), later) as look:
        async with BatchDisplay(Console(stdout=pipe, stderr=pipe), look):  # type: ignore[arg-type]
            await asyncio.sleep(60)
    lines = pipe.getvalue().splitlines()

    assert len(lines) == 2
    assert lines[0].startswith("100 of 200 ended: 90 done, 4 failed, 2 refused, 1 unknown; 50 runn")
    assert lines[1].startswith("101 of 200 ended: 91 done")


@pytest.mark.looptime
async def test_a_log_begins_when_something_is_known():
    """Before the ledger is read the done items and the cost are unknown; zeros would be wrong."""
    pipe = Pipe()
    with at(BatchProgress(total=200), HALF_WAY) as look:
        async with BatchDisplay(Console(stdout=pipe, stderr=pipe), look):  # type: ignore[arg-type]
            await asyncio.sleep(1)

    (line,) = pipe.getvalue().splitlines()
    assert line.startswith("100 of 200 ended")


@pytest.mark.parametrize(
    ("reason", "word"), [(StopReason.BUDGET, "budget"), (StopReason.BALANCE, "balance")]
)
async def test_why_it_stops(reason, word):
    """The reason to stop submitting is printed once, even if it is known only at the end."""
    pipe = Pipe()
    with at(HALF_WAY, attrs.evolve(HALF_WAY, stopped_by=reason)) as look:
        async with BatchDisplay(Console(stdout=pipe, stderr=pipe), look):  # type: ignore[arg-type]
            await asyncio.sleep(0)

    assert pipe.getvalue().count("no more tasks are created") == 1
    assert word in pipe.getvalue()


async def test_items_left_out_are_reported_with_the_figures():
    """The most that the next task may cost, and how many are left."""
    pipe = Pipe()
    note = "the next task may cost up to $11.89"
    stages_left = {"stopped_by": StopReason.BUDGET, "next_cents": Decimal("1188.5"), "left_out": 97}
    stages_left["budget_note"] = note
    short = attrs.evolve(HALF_WAY, **stages_left)
    with at(HALF_WAY, short) as look:
        async with BatchDisplay(Console(stdout=pipe, stderr=pipe), look):  # type: ignore[arg-type]
            await asyncio.sleep(0)

    said = " ".join(pipe.getvalue().split())
    assert f"note: {note}; no more tasks are created" in said
    assert "1 unknown, 97 left out by the budget, 3 left, " in text_of(list(summary_line(short)))
    assert summary(short)["next_cents"] == 1188.5


@pytest.mark.parametrize("shows_results", [False, True])
async def test_lines_about_results(shows_results):
    """Failures are printed when they come, good results only on request.

    Restored results never are.
    """
    terminal = Terminal()
    console = Console(plain=True, stdout=terminal, stderr=terminal)
    display = BatchDisplay(console, lambda: OVER, shows_results=shows_results)
    steering = "no\x1b[2J\ngood"
    for result in (
        BatchResult[object](index=0, key="a" * 99, state=ItemState.DONE, output="It is so"),
        BatchResult[object](
            index=1, key="b", state=ItemState.FAILED, error=BrowserUseError(steering)
        ),
        BatchResult[object](index=2, key="c", state=ItemState.FAILED, restored=True),
    ):
        display.report_result(result)
    said = terminal.getvalue()

    assert ("It is so" in said) is shows_results
    assert "failed      b  no" in said
    assert "\x1b" not in said
    assert "a" * 50 not in said
    assert "c" not in said.split()


# --- the end --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"done": 2, "duplicates": 1}, 0),
        ({"total": None}, 0),
        ({"done": 2, "failed": 1}, 1),
        ({"done": 2, "dead_letters": 1}, 1),
        ({"done": 2, "unknown": 1}, 1),
        ({"done": 2, "new": 1, "stopped_by": StopReason.BUDGET}, 1),
        ({"done": 2, "new": 1, "stopped_by": StopReason.BALANCE}, 3),
        ({"done": 2, "stopped_by": StopReason.DRAINED}, 130),
        ({"stopped_by": StopReason.DRAINED}, 0),
    ],
)
def test_exit_codes(changes, code):
    """The exit code follows from the states of the items."""
    assert exit_code_for(attrs.evolve(OVER, **changes)) == code


def test_the_end():
    """The end is printed with all figures, in words and as JSON."""
    assert remaining(HALF_WAY) == 100
    assert text_of(list(summary_line(HALF_WAY))) == (
        "90 done, 4 failed, 2 refused, 1 unknown, 100 left, 3 repeated in the input; $8.25, 40 s"
    )
    assert text_of(list(summary_line(OVER))) == "3 done; $0.12, 2.0 s"
    assert summary(HALF_WAY) == {
        "total": 200,
        "done": 90,
        "failed": 4,
        "dead_letters": 2,
        "unknown": 1,
        "left": 100,
        "left_out": 0,
        "duplicates": 3,
        "joined": 0,
        "joined_failed": 0,
        "cost_cents": 825.25,
        "budget_cents": 2000.0,
        "next_cents": None,
        "seconds": 40.0,
        "about": None,
        "stopped_by": None,
    }
