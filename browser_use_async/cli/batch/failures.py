"""The failures of a batch by their reasons: how many, why, and which rows. Pure."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from browser_use_async.batch import BatchResult, ItemState, LedgerRow
from browser_use_async.cli.console import Console
from browser_use_async.cli.screen import Style, cut_at

FAILED_STATES = (ItemState.FAILED, ItemState.DEAD, ItemState.UNKNOWN)
_STYLES = {ItemState.UNKNOWN: Style.WAITING}

# What differs from task to task though the reason is the same.
_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_OF_ONE_TASK = (
    # Of a conflict of submission keys, each row of a batch has its own
    (re.compile(r"""\bthe key (?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*") names\b"""), "its key names"),
    (re.compile(rf"\btask {_ID}\b"), "the task"),
    (re.compile(rf"\b{_ID}\b"), "…"),
    (re.compile(r" after [\d,]+ steps?\b"), ""),
    (re.compile(r"\bhttps?://[^\s'\"]+"), "…"),
    (re.compile(r"; error\.task has the steps"), ""),
)
_FIRST = 3  # so many rows of a reason are named
_SHOWN = 10  # reasons that are shown
_MOST = 1_000  # reasons that are kept apart, so that memory stays bounded
_LONGEST = 300
_LONGEST_TITLE = 40
_OTHERS = "other reasons"


@attrs.define
class Reason:
    """One reason, and the rows that failed for it."""

    state: ItemState
    text: str
    count: int = 0
    rows: list[str] = attrs.field(factory=list)  # the titles of the first ones

    def where(self) -> str:
        """The first rows in words: `paris, rome, oslo and 9 more`."""
        names = ", ".join(cut_at(" ".join(title.split()), _LONGEST_TITLE) for title in self.rows)
        more = self.count - len(self.rows)
        return f"{names} and {more:,} more" if more else names


class Failures:
    """Counts failures by their reasons."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[ItemState, str], Reason] = {}

    @classmethod
    def of(cls, rows: Iterable[LedgerRow]) -> "Failures":
        """The failures among the rows of a ledger."""
        found = cls()
        for row in rows:
            if row.state in FAILED_STATES:
                found._add(row.state, row.reason or row.error, row.title, row.task_id)
        return found

    def add(self, result: "BatchResult[Any]") -> Reason | None:
        """Count a result; the reason if it is the first result with it."""
        if result.state not in FAILED_STATES or result.repeated:
            return None
        text = None if result.error is None else str(result.error)
        reason = self._add(result.state, text, result.name, result.task_id)
        return reason if reason.count == 1 else None

    def _add(self, state: ItemState, text: str | None, row: str, task_id: str | None) -> Reason:
        text = _common(text or "no reason is known", task_id)
        if (state, text) not in self._reasons and len(self._reasons) >= _MOST:
            text = _OTHERS
        reason = self._reasons.setdefault((state, text), Reason(state, text))
        reason.count += 1
        if len(reason.rows) < _FIRST:
            reason.rows.append(row)
        return reason

    def __iter__(self) -> Iterator[Reason]:
        """The reasons, the most frequent first."""
        return iter(sorted(self._reasons.values(), key=lambda each: -each.count))

    def show(self, console: Console) -> None:
        """Show the most frequent reasons."""
        reasons = list(self)
        for each in reasons[:_SHOWN]:
            style = _STYLES.get(each.state, Style.BAD)
            prefix = [(f"{each.count:>6,} ", Style.STRONG), (f"{each.state}  ", style)]
            console.report(prefix, f"{each.text} ({each.where()})")
        if others := reasons[_SHOWN:]:
            rows = sum(each.count for each in others)
            console.report([], f"{rows:,} more, for {len(others):,} other reasons")

    def record(self) -> list[dict[str, Any]]:
        """The most frequent reasons as JSON."""
        return [
            {
                "state": str(each.state),
                "reason": each.text,
                "count": each.count,
                "first": each.rows,
            }
            for each in list(self)[:_SHOWN]
        ]


def _common(text: str, task_id: str | None) -> str:
    """What a reason says that is not about one task alone."""
    if task_id:
        text = text.replace(f"task {task_id}", "the task").replace(task_id, "…")
    for pattern, replacement in _OF_ONE_TASK:
        text = pattern.sub(replacement, text)
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"
