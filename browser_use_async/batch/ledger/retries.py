"""Rounds in which failed items are tried again, and the tasks that these had before.

A round is recorded before the first item of it is sent, and ends with the run that has read the
whole input. A run that goes on after a crash joins the round that has not ended, so that no item
is tried twice in it.
"""

import sqlite3

from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.schema import VERSION

_FORMER = "task_id, status, steps, cost, error, reason, doubted, token, created_at, finished_at"
_FORGOTTEN = (
    "task_id = NULL, status = NULL, steps = NULL, cost = NULL, error = NULL, reason = NULL, "
    "doubted = 0, mark = NULL, token = NULL, created_at = NULL, finished_at = NULL, "
    "output = NULL, output_bytes = NULL"
)


class RetryRounds:
    """The rounds of one ledger. Commits nothing; the caller decides when."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._round: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether a round has begun and not ended."""
        return self._open_round() is not None

    def begin(self, now: float) -> None:
        """Begin a round, or go on with the one that has not ended."""
        self._round = self._open_round()
        if self._round is not None:
            return
        # Versions that know of no retries would forget what the former tasks cost.
        self._connection.execute(f"PRAGMA user_version = {VERSION}")
        begun = self._connection.execute("INSERT INTO retry_rounds (begun_at) VALUES (?)", (now,))
        self._round = begun.lastrowid

    def end(self, now: float) -> None:
        """End the round, if there is one."""
        self._connection.execute(
            "UPDATE retry_rounds SET ended_at = ? WHERE ended_at IS NULL", (now,)
        )

    def admits(self, position: int) -> bool:
        """Whether a failed item may be tried again in this round."""
        if self._round is None:
            return False
        found = self._connection.execute(
            "SELECT 1 FROM former_tasks WHERE position = ? AND round = ?", (position, self._round)
        )
        return found.fetchone() is None

    def archive(self, position: int) -> None:
        """Move the task of a failed item to the history; without effect on any other item."""
        self._connection.execute(
            f"INSERT INTO former_tasks (position, round, {_FORMER}) "  # noqa: S608
            f"SELECT position, ?, {_FORMER} FROM items WHERE position = ? AND state = ?",
            (self._round, position, ItemState.FAILED),
        )
        self._connection.execute(
            f"UPDATE items SET state = ?, {_FORGOTTEN} WHERE position = ? AND state = ?",  # noqa: S608
            (ItemState.NEW, position, ItemState.FAILED),
        )

    def _open_round(self) -> int | None:
        found = self._connection.execute("SELECT round FROM retry_rounds WHERE ended_at IS NULL")
        row: tuple[int] | None = found.fetchone()
        return None if row is None else row[0]
