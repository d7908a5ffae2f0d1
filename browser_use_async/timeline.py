"""A timeline: what happened to one call, submission or wait, in order.

`error.timeline` and `handle.timeline()` give it. It is bounded, it pickles, and it names routes and
statuses only: no URL, no body and no key.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, overload

import attrs

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Timeline", "TimelineEntry", "TimelineKind"]


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


@attrs.frozen
class TimelineEntry:
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
    # By its digits, as other amounts; most programs with timelines load no exact amounts.
    cents: "Decimal | None" = attrs.field(
        default=None, repr=lambda cents: "None" if cents is None else f"{cents.normalize():f}"
    )
    count: int = 1

    def __str__(self) -> str:
        times = "" if self.count == 1 else f" ({self.count} times)"
        money = ""
        if self.cents is not None:  # a call that costs nothing loads no decimals
            from browser_use_async.prices import format_cents  # noqa: PLC0415

            money = f" [{format_cents(self.cents)}]"
        clock = self.time.strftime("%H:%M:%S.%f")[:-3]
        return f"{clock}  {self.kind:<11}  {self.text}{times}{money}"


@attrs.frozen
class Timeline(Sequence[TimelineEntry]):
    """What happened, oldest first; `str()` gives one line for each entry.

    Attributes:
        entries: The first ones, and the latest.
        dropped: How many in between are left out.
        polls: How many polls of the task were answered; they are not entries.
    """

    # How many entries are kept: how something began says most, and then how it ended.
    FIRST: ClassVar[int] = 10
    LAST: ClassVar[int] = 40

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
            lines.insert(self.FIRST, f"{'':12}  … {self.dropped:,} more …")
        if self.polls:
            lines.append(f"{'':12}  {self.polls:,} polls answered")
        return "\n".join(lines) or "nothing was recorded"
