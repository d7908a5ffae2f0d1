"""Ledgers of batches, written row by row."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from browser_use_async.batch.ledger.row import MILLICENTS
from browser_use_async.batch.ledger.schema import SCHEMA

__all__ = ["BEGAN", "item", "write_ledger"]

BEGAN = 1_772_366_400.0
"""When these batches began: 2026-03-01 12:00 UTC."""


def item(
    key: str, state: str = "done", *, seconds: float | None = 40.0, **more: Any
) -> dict[str, Any]:
    """One item, which took some seconds if it has ended.

    Args:
        key: Its key.
        state: How far it has come.
        seconds: How long its task took, or None if it has not ended.
        more: Other columns.
    """
    has_task = state in {"done", "failed", "submitted"}
    return {
        "key": key,
        "state": state,
        "attempts": 1,
        "task_id": f"task-of-{key}"[:80] if has_task else None,
        "status": {"done": "finished", "failed": "failed", "submitted": "running"}.get(state),
        "created_at": BEGAN if has_task else None,
        "finished_at": BEGAN + seconds if has_task and seconds is not None else None,
        **more,
    }


def write_ledger(
    path: Path,
    items: Iterable[Mapping[str, Any]],
    *,
    labels: Mapping[str, str] | None = None,
    budget_cents: int | None = None,
) -> Path:
    """Write a ledger.

    Args:
        path: The file.
        items: The items, in order.
        labels: What the caller wrote down about the batch.
        budget_cents: The budget.
    """
    budget = None if budget_cents is None else budget_cents * MILLICENTS
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # no power fails here
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        batch = ("b-1", BEGAN, 2, budget, json.dumps(labels or {}), "b-1/")
        connection.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, NULL)", batch)
        for position, each in enumerate(items):
            row = {"position": position, "digest": b"", "run": 1, "entered_at": BEGAN, **each}
            names = ", ".join(row)
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO items ({names}) VALUES ({marks})", tuple(row.values()))
        connection.execute("COMMIT")
    return path
