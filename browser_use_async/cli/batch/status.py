"""`batch status`: the state of a batch, read from its ledger."""

import asyncio
from itertools import islice
from pathlib import Path
from typing import Any

from browser_use_async import BrowserUseSession
from browser_use_async.batch import Forecast, ItemState, LedgerRow, LedgerView, read_ledger
from browser_use_async.batch.forecast import LEAST_ENDS
from browser_use_async.batch.result import page_of
from browser_use_async.cli.batch.failures import FAILED_STATES, Failures
from browser_use_async.cli.batch.progress import (
    STATE_STYLES,
    about_record,
    joined_words,
    plain_cents,
)
from browser_use_async.cli.batch.settings import LIMIT_BY, items_of_input
from browser_use_async.cli.console import Console, counted
from browser_use_async.cli.screen import Style
from browser_use_async.cli.tables import Head
from browser_use_async.cli.times import local_time
from browser_use_async.errors import BrowserUseError
from browser_use_async.prices import format_cents

# At most so many running tasks are looked up, one request each.
_MOST_RUNNING = 50


async def show_status(path: Path, console: Console, session: BrowserUseSession | None) -> None:
    """Print the state of a batch, which may be running."""
    view = read_ledger(path)
    about = await asyncio.to_thread(view.about, items_of_input(view))
    failures = Failures()
    if any(view.counts[state] for state in FAILED_STATES):
        failures = await asyncio.to_thread(lambda: Failures.of(view.rows()))
    running = page_url = None
    if session is not None:
        rows = (row for row in view.rows() if row.state is ItemState.SUBMITTED)
        shown = islice(rows, _MOST_RUNNING)
        running = await asyncio.gather(*(_with_live_page(row, session) for row in shown))
        page_url = await _page_url(view, session)
    if console.shows_text:
        _show(view, about, failures, console, page_url)
        if running is not None:
            _show_running(running, console)
    else:
        report = _report(view, about, running)
        if running is not None:
            report["page_url"] = page_url
        console.result({**report, "failures": failures.record()})


async def _with_live_page(row: LedgerRow, session: BrowserUseSession) -> dict[str, Any]:
    found: dict[str, Any] = {"key": row.title, "task_id": row.task_id}
    try:
        task = await session.tasks.get(str(row.task_id))
    except BrowserUseError as error:
        return {**found, "status": None, "live_url": None, "error": str(error)}
    return {**found, "status": str(task.status), "live_url": task.live_url}


async def _page_url(view: LedgerView, session: BrowserUseSession) -> str | None:
    """The page of the batch, as its first task shows that the server has one."""
    first = next((row.task_id for row in view.rows() if row.task_id is not None), None)
    try:
        return None if first is None else page_of(await session.tasks.get(first), view.key_prefix)
    except BrowserUseError:  # what runs says why
        return None


def _show(
    view: LedgerView,
    rest: Forecast | None,
    failures: Failures,
    console: Console,
    page_url: str | None,
) -> None:
    """How far it is and what went wrong first, what the batch is last."""
    about = _about(view)
    width = max(16, *(len(name) + 1 for name in about))

    def say(name: str, text: str, style: Style = Style.PLAIN) -> None:
        console.report([(f"{name:<{width}}", style)], text)

    for state, count in view.counts.items():
        if count:
            say(str(state), f"{count:,}", STATE_STYLES.get(state, Style.PLAIN))
    if view.joined:
        text = joined_words(view.joined, view.total, view.joined_failed)
        say("joined", text, Style.WAITING)
    budget = "" if view.budget_cents is None else f" of {format_cents(view.budget_cents)}"
    say("cost", f"{format_cents(view.cost_cents)}{budget}")
    coming = f"not known before {LEAST_ENDS} items have ended"
    say("to come", coming if rest is None else str(rest))
    failures.show(console)
    begun = local_time(view.created_at, with_zone=True)
    say("begun", f"{begun}, {counted(view.runs, 'run')} so far")
    for name, value in sorted(about.items()):
        say(name, value)
    if page_url is not None:
        say("page", page_url)


def _about(view: LedgerView) -> dict[str, str]:
    """What the batch is: its labels and its terms."""
    about = {**view.labels, "id": view.id, "key_prefix": view.key_prefix}
    if view.per_key is None:  # the last run had no limit
        about.pop(LIMIT_BY, None)
    else:
        about["per_key"] = f"{view.per_key:,}"
    return about


def _show_running(running: list[dict[str, Any]], console: Console) -> None:
    if not running:
        console.info("nothing runs")
        return
    console.table(
        (Head("RUNNING", is_text=True), Head("STATUS"), Head("WATCH LIVE AT")),
        [
            (each["key"], each["status"] or "?", each["live_url"] or each.get("error") or "not yet")
            for each in running
        ],
    )


def _report(
    view: LedgerView, about: Forecast | None, running: list[dict[str, Any]] | None
) -> dict[str, Any]:
    report: dict[str, Any] = {
        "id": view.id,
        "created_at": view.created_at.isoformat(),
        "runs": view.runs,
        "labels": dict(view.labels),
        "key_prefix": view.key_prefix,
        "per_key": view.per_key,
        "total": view.total,
        "counts": {str(state): count for state, count in view.counts.items()},
        "joined": view.joined,
        "joined_failed": view.joined_failed,
        "cost_cents": float(view.cost_cents),
        "budget_cents": plain_cents(view.budget_cents),
        "about": about_record(about),
    }
    return report if running is None else {**report, "running": running}
