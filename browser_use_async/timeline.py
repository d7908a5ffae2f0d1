"""The flight recorder: what happened to one call, submission or wait, in order.

`error.timeline` and `handle.timeline()` give it. It is bounded, it pickles, and it names routes and
statuses only: no URL, no body and no key.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, overload

import attrs

from browser_use_async.types.base import Value

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Timeline", "TimelineEntry", "TimelineKind", "TimelineRecorder", "Timelines"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


_FIRST, _LAST = 10, 40  # entries: how something began says most, and then how it ended
_REMEMBERED = 1000  # tasks of one session


class TimelineKind(StrEnum):
    """What a `TimelineEntry` is about."""

    SENT = "sent"  # a request that costs money is being written
    ANSWERED = "answered"  # the service did what it was asked
    FAILED = "failed"  # a request was refused, or brought no usable answer
    NOT_SENT = "not sent"  # nothing can have happened
    RETRIED = "retried"  # a pause before the same request is made again
    WAITED = "waited"  # for a free slot
    ADOPTED = "adopted"  # the task of a lost answer was found
    NOT_FOUND = "not found"  # a search for the task of a lost answer ended without it
    STATUS = "status seen"
    STOP_ASKED = "stop asked"  # the service accepted to stop or pause the task


@attrs.frozen(eq=False, repr=False)
class TimelineEntry(Value):
    """One thing that happened.

    Attributes:
        time: When, in UTC, by the clock of the machine that recorded it.
        kind: What it was.
        text: More about it, without secrets.
        cents: The money at stake from then on, in US cents: what the task can cost at most;
            None where no money is involved.
        count: How many times in a row it happened; `time` is that of the first.
    """

    time: datetime
    kind: TimelineKind
    text: str
    cents: "Decimal | None" = None
    count: int = 1

    def __str__(self) -> str:
        times = "" if self.count == 1 else f" ({self.count} times)"
        money = "" if self.cents is None else f" [{self.cents.normalize():f} cents]"
        clock = self.time.strftime("%H:%M:%S.%f")[:-3]
        return f"{clock}  {self.kind:<11}  {self.text}{times}{money}"


@attrs.frozen(eq=False, repr=False)
class Timeline(Value, Sequence[TimelineEntry]):
    """What happened, oldest first; `str()` gives one line for each entry.

    Attributes:
        entries: The first ones, and the latest.
        dropped: How many in between are left out.
        polls: How many polls of the task were answered; they are not entries.
    """

    entries: tuple[TimelineEntry, ...] = ()
    dropped: int = 0
    polls: int = 0

    @overload
    def __getitem__(self, index: int) -> TimelineEntry: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[TimelineEntry]: ...

    def __getitem__(self, index: int | slice) -> TimelineEntry | Sequence[TimelineEntry]:
        return self.entries[index]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[TimelineEntry]:
        return iter(self.entries)

    def __str__(self) -> str:
        lines = [str(each) for each in self.entries]
        if self.dropped:
            lines.insert(_FIRST, f"{'':12}  … {self.dropped:,} more …")
        if self.polls:
            lines.append(f"{'':12}  {self.polls:,} polls answered")
        return "\n".join(lines) or "nothing was recorded"


@attrs.define(eq=False)
class _StoredEntry:
    """An entry as it is kept: without its price, since few timelines are ever read."""

    time: datetime
    kind: TimelineKind
    text: str
    stake: tuple[int, str] | None
    count: int = 1

    def entry(self) -> TimelineEntry:
        """The entry."""
        cents = None
        if self.stake is not None:
            # Loaded by those who read a timeline.
            from browser_use_async.prices import task_cents  # noqa: PLC0415

            cents = task_cents(*self.stake)
        return TimelineEntry(self.time, self.kind, self.text, cents, self.count)


class TimelineRecorder:
    """Records entries, and drops the middle ones when there are too many.

    Attributes:
        polls: How many polls of the task were answered.
    """

    __slots__ = ("_dropped", "_now", "_records", "polls")

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._records: list[_StoredEntry] = []
        self._dropped = 0
        self.polls = 0

    def record(self, kind: TimelineKind, text: str, stake: tuple[int, str] | None = None) -> None:
        """Add an entry; one that repeats the last one is counted there."""
        # `stake` is for how many steps of which language model may have to be paid from now on.
        records = self._records
        if records and (records[-1].kind, records[-1].text) == (kind, text):
            records[-1].count += 1
            return
        records.append(_StoredEntry(self._now(), kind, text, stake))
        if len(records) > _FIRST + _LAST:
            self._dropped += records.pop(_FIRST).count

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded."""
        return not self._records

    def timeline(self) -> Timeline:
        """All that was recorded so far."""
        return Timeline(tuple(each.entry() for each in self._records), self._dropped, self.polls)


class Timelines:
    """The recorders of a session, and which tasks the latest of them are about."""

    def __init__(self, now: Callable[[], datetime] = _utc_now) -> None:
        self._now = now
        # Bounded, so that a program that runs for months does not remember every task.
        self._by_task: OrderedDict[str, TimelineRecorder] = OrderedDict()

    def new(self) -> TimelineRecorder:
        """A recorder for something that is not known to be about a task."""
        return TimelineRecorder(self._now)

    def put(self, task_id: str, recorder: TimelineRecorder) -> None:
        """Remember what a recorder is about."""
        self._by_task[task_id] = recorder
        self._by_task.move_to_end(task_id)
        if len(self._by_task) > _REMEMBERED:
            self._by_task.popitem(last=False)

    def find(self, task_id: str) -> TimelineRecorder | None:
        """The recorder of a task, if anything has been worth recording."""
        return self._by_task.get(task_id)

    def of(self, task_id: str) -> TimelineRecorder:
        """The recorder of a task; a new one if there is none."""
        recorder = self._by_task.get(task_id)
        if recorder is None:
            recorder = self.new()
        self.put(task_id, recorder)
        return recorder
