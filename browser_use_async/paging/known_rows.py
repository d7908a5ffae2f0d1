"""Which rows a reader has met, and how little of that another process must be told. Pure.

In a newest-first list the rows that are not known all lie below those that are. So the date of
the lowest known row tells most of the two apart, and only ids at or below that date are needed
besides: few, however long the list is. Where dates are missing or out of order, every id is kept.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import pairwise

import attrs

from browser_use_async.types import TaskSummary

__all__ = ["ROUGH", "KnownRows", "digest_of", "lowest"]

ROUGH = 6  # bytes of a digest that tell few ids apart


def digest_of(text: str) -> bytes:
    """Eight bytes that stand for an id."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def lowest(frontier: datetime | None, rows: Iterable[TaskSummary]) -> datetime | None:
    """The oldest date of these rows and the one before."""
    dates = [row.created_at for row in rows if row.created_at is not None]
    return min(dates if frontier is None else [*dates, frontier], default=None)


@attrs.define
class KnownRows:
    """What one reader has met."""

    met: set[str] = attrs.field(factory=set)  # the ids met in this process
    # Those of them that no date tells: at or below the frontier, or without a date. They
    # stand in the order of the list, as far as it was read in order.
    near: dict[str, datetime | None] = attrs.field(factory=dict)
    border: datetime | None = None  # rows younger than this were met before this process took over
    # Digests of other rows that were met before, and their dates
    told: dict[bytes, datetime | None] = attrs.field(factory=dict)
    in_order: bool = True  # whether they stand in the order of the list
    earlier: int = 0  # how many rows were met before
    ordered: bool = True  # whether the list runs from new to old, as far as it was read

    def __len__(self) -> int:
        return self.earlier + len(self.met)

    def __contains__(self, row: TaskSummary) -> bool:
        if row.id in self.met:
            return True
        if self.border is not None and row.created_at is not None and row.created_at > self.border:
            return True
        if not self.told:
            return False
        digest = digest_of(row.id)
        return digest in self.told or digest[:ROUGH] in self.told

    def meet(self, rows: Sequence[TaskSummary], *, lowest: bool = True) -> list[TaskSummary]:
        """Remember these rows."""
        dates = [row.created_at for row in rows if row.created_at is not None]
        self.ordered = self.ordered and all(upper >= lower for upper, lower in pairwise(dates))
        fresh = {row.id: row for row in rows if row not in self}
        self.met.update(row.id for row in rows)
        near = {row.id: row.created_at for row in rows}
        if lowest:  # they stand in the order of the list
            others = {each: date for each, date in self.near.items() if each not in near}
            self.near = {**others, **near}
        else:
            others = {each: date for each, date in near.items() if each not in self.near}
            self.near = {**others, **self.near}
        return list(fresh.values())

    def recall(self, rows: Sequence[TaskSummary]) -> None:
        """Remember rows that were met before this process took over."""
        self.near.update((row.id, row.created_at) for row in rows)
        self.met.update(row.id for row in rows)
        self.earlier -= len(rows)
        for row in rows:
            self.told.pop(digest_of(row.id)[:ROUGH], None)

    def settle(self, frontier: datetime | None) -> None:
        """Forget what the date of the lowest known row tells."""
        if frontier is not None:
            self.near = {
                each: date for each, date in self.near.items() if _is_beside(date, frontier)
            }

    def told_beside(
        self, frontier: datetime | None, untold: Collection[str]
    ) -> tuple[datetime | None, dict[bytes, datetime | None]]:
        """What another process must know: a date, and digests of rows that it does not tell."""
        hidden = set(untold)
        if not self.ordered or frontier is None:
            # No date tells anything that it did not tell before this process took over.
            met = {digest_of(each): None for each in self.met if each not in hidden}
            return self.border, {**self.told, **met}
        told = {each: date for each, date in self.told.items() if _is_beside(date, frontier)}
        known = {each[:ROUGH] for each in told}
        near = {
            digest: date
            for each, date in self.near.items()
            if each not in hidden and _is_beside(date, frontier)
            if (digest := digest_of(each))[:ROUGH] not in known
        }
        return frontier, {**told, **near}


def _is_beside(date: datetime | None, frontier: datetime) -> bool:
    return date is None or date <= frontier
