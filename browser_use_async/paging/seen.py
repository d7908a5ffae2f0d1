"""Which rows were read already, and how little of that a resume token must hold. No I/O."""

# In a newest-first list all rows that were not read are below those that were. So the date of the
# oldest row that was read separates most of the two sets, and only the ids at or below that date
# are needed besides: few, however long the list is. Where dates are missing or out of order, every
# id is needed.
#
# Many tasks can share one date, more than a token has room for. The token then holds the last ones
# that were yielded, the anchors, and how many of that date were. The next process reads the tasks
# of that date again from the first one and holds them back until it finds the anchors: those above
# were yielded before, those below were not. That is exact as long as the service lists these tasks
# in the same order as before. If the anchors are gone or are in another order, all tasks of that
# date are yielded: some twice, but none is missed.

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import pairwise

import attrs

from browser_use_async.types import TaskSummary

# Bytes of a digest in a short token: enough to tell apart the few ids that no date decides.
SHORT_DIGEST = 6
FEWEST = 2  # anchors: the position of a single one says nothing about the order


def digest_of(text: str) -> bytes:
    """Eight bytes that identify an id."""
    # An id comes from a server and may hold a lone surrogate, which plain UTF-8 refuses.
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def oldest_date(frontier: datetime | None, rows: Iterable[TaskSummary]) -> datetime | None:
    """The oldest date of these rows and the one before."""
    dates = [row.created_at for row in rows if row.created_at is not None]
    return min(dates if frontier is None else [*dates, frontier], default=None)


@attrs.define
class SeenRows:
    """The rows that one cursor has read."""

    ids: set[str] = attrs.field(factory=set)  # those read in this process
    # Those of them that the date does not decide: at or below the frontier, or without a date.
    # In the order of the list, as far as it was read in order.
    undecided: dict[str, datetime | None] = attrs.field(factory=dict)
    border: datetime | None = None  # rows younger than this were read before the resume
    # Digests of the other rows that were read before the resume, and their dates
    resumed: dict[bytes, datetime | None] = attrs.field(factory=dict)
    in_order: bool = True  # whether `resumed` is in the order of the list
    resumed_count: int = 0  # how many rows were read before the resume
    ordered: bool = True  # whether the list runs from new to old, as far as it was read

    def __len__(self) -> int:
        return self.resumed_count + len(self.ids)

    def __contains__(self, row: TaskSummary) -> bool:
        if row.id in self.ids:
            return True
        if self.border is not None and row.created_at is not None and row.created_at > self.border:
            return True
        if not self.resumed:
            return False
        digest = digest_of(row.id)
        # Tokens of the long form hold whole digests, those of the short form the beginning.
        return digest in self.resumed or digest[:SHORT_DIGEST] in self.resumed

    def add(self, rows: Sequence[TaskSummary], *, at_end: bool = True) -> list[TaskSummary]:
        """Add rows, the lowest so far or not, and return those that were not seen before."""
        dates = [row.created_at for row in rows if row.created_at is not None]
        self.ordered = self.ordered and all(upper >= lower for upper, lower in pairwise(dates))
        # A dict, because a page of a faulty server can hold one row twice.
        fresh = {row.id: row for row in rows if row not in self}
        self.ids.update(row.id for row in rows)
        added = {row.id: row.created_at for row in rows}
        # The order counts: a token with no room for all ids of one date holds the last ones.
        if at_end:
            others = {each: date for each, date in self.undecided.items() if each not in added}
            self.undecided = {**others, **added}
        else:
            others = {each: date for each, date in added.items() if each not in self.undecided}
            self.undecided = {**others, **self.undecided}
        return list(fresh.values())

    def add_resumed(self, rows: Sequence[TaskSummary]) -> None:
        """Add rows that were read before the resume and have been found again."""
        self.undecided.update((row.id, row.created_at) for row in rows)
        self.ids.update(row.id for row in rows)
        self.resumed_count -= len(rows)  # now counted by `ids`
        for row in rows:
            self.resumed.pop(digest_of(row.id)[:SHORT_DIGEST], None)

    def expire(self, frontier: datetime | None) -> None:
        """Drop the ids that the date of the oldest row now decides."""
        if frontier is not None:
            self.undecided = {
                each: date for each, date in self.undecided.items() if _is_undecided(date, frontier)
            }

    def snapshot(
        self, frontier: datetime | None, pending: Collection[str]
    ) -> tuple[datetime | None, dict[bytes, datetime | None]]:
        """What a token must hold: a date, and digests of the rows that it does not decide."""
        hidden = set(pending)
        if not self.ordered or frontier is None:
            # Then no date decides anything but the one that this process was resumed with.
            seen = {digest_of(each): None for each in self.ids if each not in hidden}
            return self.border, {**self.resumed, **seen}
        resumed = {
            each: date for each, date in self.resumed.items() if _is_undecided(date, frontier)
        }
        known = {each[:SHORT_DIGEST] for each in resumed}
        undecided = {
            digest: date
            for each, date in self.undecided.items()
            if each not in hidden and _is_undecided(date, frontier)
            if (digest := digest_of(each))[:SHORT_DIGEST] not in known
        }
        return frontier, {**resumed, **undecided}


def _is_undecided(date: datetime | None, frontier: datetime) -> bool:
    # Equal dates count: rows of the same microsecond can be on both sides of the frontier.
    return date is None or date <= frontier


@attrs.define
class TieSearch:
    """The search for the anchors among the tasks of one date."""

    date: datetime  # the date that the tasks share
    yielded: int  # how many of them were yielded before the resume
    anchors: Sequence[bytes]  # digests of the last ones, in the order of the list
    top: int  # how many rows from the top of the list are above them, or fewer
    slack: int  # how many more of them than were yielded may be read
    # Those read so far and held back, in the order of the list
    held: dict[str, TaskSummary] = attrs.field(factory=dict)

    def feed(self, rows: Sequence[TaskSummary]) -> bool:
        """Process the next page, and return whether the search is over."""
        self.held.update((row.id, row) for row in rows if row.created_at == self.date)
        if any(self.is_below(row) for row in rows) or len(self.held) > self.yielded + self.slack:
            return True
        found = self._found()
        # Some anchors may have been deleted. With fewer than half of them, read on for more.
        if not self._is_block(found) or len(found) * 2 < len(self.anchors):
            return False
        last, anchor = found[-1]
        return last + 1 < len(self.held) or anchor == len(self.anchors) - 1

    def is_below(self, row: TaskSummary) -> bool:
        """Whether a row has another date and was not yielded either."""
        return row.created_at is None or row.created_at < self.date

    def is_above(self, row: TaskSummary) -> bool:
        """Whether a row was yielded before, by its date."""
        return row.created_at is not None and row.created_at > self.date

    def seen(self) -> list[TaskSummary]:
        """The held rows that were yielded before; none if the anchors do not show which."""
        found = self._found()
        return list(self.held.values())[: found[-1][0] + 1] if self._is_block(found) else []

    def _found(self) -> list[tuple[int, int]]:
        """The anchors among the held rows: position there, and number of the anchor."""
        numbers = {each: number for number, each in enumerate(self.anchors)}
        found: list[tuple[int, int]] = []
        for position, name in enumerate(self.held):
            number = numbers.get(digest_of(name)[:SHORT_DIGEST])
            if number is not None:
                found.append((position, number))
        return found

    def _is_block(self, found: Sequence[tuple[int, int]]) -> bool:
        """Whether the anchors are as they were: in order, and with nothing in between."""
        first = found[0][0] if found else 0
        in_order = all(upper[1] < lower[1] for upper, lower in pairwise(found))
        return (
            len(found) >= min(FEWEST, len(self.anchors))
            and in_order
            and found[-1][0] - first == len(found) - 1
        )
