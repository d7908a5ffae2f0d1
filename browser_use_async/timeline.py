"""Timelines: the events of one call, submission or wait, in order.

`error.timeline` and `handle.timeline()` return one. Its size is limited, it can be pickled, and it
has only routes and statuses: no URL, no body and no key.
"""

from collections.abc import Sequence
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
    ANSWERED = "answered"  # the service carried the request out
    FAILED = "failed"  # a request was refused, or had no usable answer
    NOT_SENT = "not sent"  # the request had no effect
    RETRIED = "retried"  # a pause before the same request is repeated
    WAITED = "waited"  # for a free slot
    ADOPTED = "adopted"  # the task of a lost answer was found
    NOT_FOUND = "not found"  # a search for the task of a lost answer ended without it
    STATUS = "status seen"
    STOP_ASKED = "stop asked"  # the service accepted to stop or pause the task


@attrs.frozen
class TimelineEntry:
    """One event.

    Attributes:
        time: When it happened, in UTC, by the clock of the recording machine.
        kind: Its kind.
        text: Its details, without secrets.
        cents: The most that the task can cost from then on, in US cents; None if no money is
            involved.
        count: How many times in a row it happened; `time` is that of the first one.
    """

    time: datetime
    kind: TimelineKind
    text: str
    # Shown by its digits; most programs with timelines load no decimals.
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
    """The events, oldest first; `str()` returns one line for each entry.

    Attributes:
        entries: The first entries, and the latest.
        dropped: How many entries between them are left out.
        polls: How many polls of the task were answered; they are not entries.
    """

    # How many entries are kept: the beginning and the end are most useful.
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

    def __str__(self) -> str:
        lines = [str(each) for each in self.entries]
        if self.dropped:
            lines.insert(self.FIRST, f"{'':12}  … {self.dropped:,} more …")
        if self.polls:
            lines.append(f"{'':12}  {self.polls:,} polls answered")
        return "\n".join(lines) or "nothing was recorded"
