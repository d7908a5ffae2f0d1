"""Notebooks: a line about the tasks that a cell waits for, and tables."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

from browser_use_async.observing.observers import (
    BatchBegan,
    BatchEnded,
    Observers,
    StatusSeen,
    TaskEnded,
    WaitBegan,
    WaitEnded,
    WatchEnded,
)
from browser_use_async.prices import format_cents
from browser_use_async.short_traceback import ipython_shell
from browser_use_async.types import TaskStatus
from browser_use_async.types.base import Response
from browser_use_async.types.notebook import PRICES, Prices, grid, grid_row, progress_html

VARIABLE = "BROWSER_USE_PROGRESS"
_OFF = frozenset({"off", "0", "no", "false"})
_PATIENCE = 0.5  # seconds; shorter waits show no line
_INTERVAL = 0.5  # seconds between two changes of the line


def attach(observers: Observers, prices: Prices) -> None:
    """Show progress and tables, with costs of tasks, if this program is a notebook."""
    shell = ipython_shell()
    if getattr(shell, "kernel", None) is None:
        return
    shell.display_formatter.formatters["text/html"].for_type(list, list_html)
    PRICES.add(prices)
    CellProgress(observers, shell, sys.modules["IPython"].display.display)


def list_html(values: list[Any]) -> str | None:
    """A table of responses or of results of a batch; None for any other list, shown as text."""
    kinds = {type(each) for each in values}
    kind = kinds.pop() if len(kinds) == 1 else object
    if issubclass(kind, Response):
        rows = [grid_row(each) for each in values]
    elif kind.__module__ == "browser_use_async.batch.result":
        rows = [_result_row(each) for each in values]
    else:
        return None
    return grid(f"{kind.__name__}: {len(values)}", rows)


def _result_row(result: Any) -> dict[str, object]:
    """The main columns of a result; `to_rows` has all of them."""
    row = result.to_row()
    parsed = {name: value for name, value in row.items() if name.startswith("parsed")}
    return {
        "name": result.name,
        "status": row["status"] or row["state"],
        **(parsed or {"output": row["output"]}),
        **{name: row[name] for name in ("error", "reason", "steps")},
        "cost": format_cents(result.cost_cents),
        "task_id": row["task_id"],
    }


class CellProgress:
    """One line for each cell: how many of its tasks have ended, while the cell waits for them."""

    def __init__(self, observers: Observers, shell: Any, display: Callable[..., Any]) -> None:
        self._shell = shell
        self._show = display
        self._cell: object = None
        self._statuses: dict[str, TaskStatus | None] = {}  # of the tasks of the cell
        self._watched: set[str] = set()
        self._batches: dict[Any, bool] = {}  # of the cell, and whether they run
        self._began = 0.0
        self._display: Any = None
        self._timer: asyncio.TimerHandle | None = None
        observers.add(
            {
                WaitBegan: lambda _began, task_id: self._watch(task_id),
                StatusSeen: lambda seen, task_id: self._watch(task_id, seen.status),
                TaskEnded: self._task_ended,
                WatchEnded: self._watch_ended,
                WaitEnded: self._watch_ended,  # of a session that is closed nothing is watched
                BatchBegan: lambda _began, batch: self._set_batch(batch, runs=True),
                BatchEnded: lambda _ended, batch: self._set_batch(batch, runs=False),
            },
            when=_is_wanted,
            name="the progress of a notebook",
        )

    def _watch(self, task_id: str, status: TaskStatus | None = None) -> None:
        self._begin()
        self._watched.add(task_id)
        self._statuses[task_id] = status or self._statuses.get(task_id)

    def _task_ended(self, ended: TaskEnded, task_id: str) -> None:
        if task_id in self._statuses:
            self._statuses[task_id] = ended.task.status

    def _watch_ended(self, _ended: WatchEnded | WaitEnded, task_id: str) -> None:
        self._watched.discard(task_id)
        self._end_if_idle()

    def _set_batch(self, batch: Any, *, runs: bool) -> None:
        if runs:
            self._begin()
        if runs or batch in self._batches:  # it may have ended before it was opened
            self._batches[batch] = runs
        self._end_if_idle()

    @property
    def _is_busy(self) -> bool:
        return bool(self._watched) or any(self._batches.values())

    def _begin(self) -> None:
        """Continue the line of this cell, or begin one in a new cell."""
        if self._is_busy:
            return
        if self._cell != self._shell.execution_count:
            self._cell = self._shell.execution_count
            self._display, self._statuses, self._batches = None, {}, {}
            self._began = asyncio.get_running_loop().time()
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._tick)

    def _tick(self) -> None:
        self._draw()
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._tick)

    def _end_if_idle(self) -> None:
        if self._is_busy or self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        if self._display is not None:
            self._draw()

    def _draw(self) -> None:
        done, failed, total, figures = self._figures()
        seconds = asyncio.get_running_loop().time() - self._began
        text = " · ".join([*figures, f"{seconds:.0f} s"])
        page_url = next(reversed(self._batches)).page_url if self._batches else None
        shown = {
            "text/html": progress_html(done, failed, total, text, page_url),
            "text/plain": text,
        }
        if self._display is None:
            self._display = self._show(shown, raw=True, display_id=True)
        else:
            self._display.update(shown, raw=True)

    def _figures(self) -> tuple[int, int, int | None, list[str]]:
        """How many tasks are done and how many failed, of how many, and notes about them."""
        if self._batches:
            progress = next(reversed(self._batches)).progress
            figures = progress.figures()
            said = [f"{figures.pop('ended')} items have ended"]
            said += [f"{name} {value}" for name, value in figures.items()]
            if progress.seconds_left and self._is_busy:
                said.append(f"about {progress.seconds_left:.0f} s left")
            done = progress.done + progress.duplicates
            return done, progress.ended - done, progress.total, said
        statuses = [*self._statuses.values()]
        ended = [each for each in statuses if each is not None and each.is_terminal]
        done = ended.count(TaskStatus.FINISHED)
        failed = len(ended) - done
        if len(statuses) == 1:
            ((task_id, status),) = self._statuses.items()
            return done, failed, 1, [f"task {task_id}", str(status or "created")]
        counts = {each: statuses.count(each) for each in TaskStatus if each in statuses}
        said = [f"{len(ended)} of {len(statuses)} tasks have ended"]
        said += [f"{n} {each}" for each, n in counts.items()]
        return done, failed, len(statuses), said


def _is_wanted() -> bool:
    return os.environ.get(VARIABLE, "").strip().lower() not in _OFF
