"""The flight recorder: makes timelines of what it observes, of errors and of the latest tasks."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import attrs

from browser_use_async.api.endpoint_table import ENDPOINTS, RUN_TASK
from browser_use_async.errors import BrowserUseError
from browser_use_async.events import RetryScheduled, SubmissionAdopted
from browser_use_async.observers import (
    CallTroubled,
    CreationEnded,
    CreationSent,
    ErrorMade,
    Observe,
    Observers,
    PollFailed,
    SearchEnded,
    StatusSeen,
    StopAsked,
    WatchEnded,
)
from browser_use_async.timeline import Timeline, TimelineEntry, TimelineKind
from browser_use_async.types.enums import price_terms

_REMEMBERED = 1000  # tasks of one session
_ROUTES = {each.name: str(each) for each in ENDPOINTS}

Line = tuple[TimelineKind, str]


def _short(error: BaseException) -> str:
    """What went wrong, in a few words without secrets."""
    timeline = error.timeline if isinstance(error, BrowserUseError) else None
    return timeline[-1].text if timeline else type(error).__name__


def _trouble(seen: CallTroubled) -> Line:
    if not seen.problem:
        return TimelineKind.ANSWERED, str(seen.endpoint)
    kind = TimelineKind.FAILED if seen.is_sent else TimelineKind.NOT_SENT
    return kind, f"{seen.endpoint}: {seen.problem}"


# What is one entry, whatever is known before.
_LINES: dict[type, Callable[[Any], Line]] = {
    CallTroubled: _trouble,
    PollFailed: lambda seen: (TimelineKind.FAILED, _short(seen.error)),
    RetryScheduled: lambda seen: (
        TimelineKind.RETRIED,
        f"{_ROUTES.get(seen.operation, seen.operation)} after {seen.pause:.1f} s",
    ),
    StopAsked: lambda seen: (TimelineKind.STOP_ASKED, f"{seen.action} accepted"),
}


# A stored entry, without its price, since few timelines are ever read: when, the kind, the text,
# for how many steps of which model may have to be paid, and how many times in a row. A tuple of
# plain values, which the garbage collector leaves alone: 1,000 tasks have 5,000 entries.
_Stored = tuple[datetime, str, str, tuple[int, str] | None, int]


def _entry(stored: _Stored) -> TimelineEntry:
    time, kind, text, stake, count = stored
    cents = None
    if stake is not None:
        # Loaded by those who read a timeline.
        from browser_use_async.prices import task_cents  # noqa: PLC0415

        cents = task_cents(*stake)
    return TimelineEntry(time, TimelineKind(kind), text, cents, count)


@attrs.define(eq=False)
class _History:
    """What happened to one subject; the middle entries are dropped when there are too many."""

    entries: list[_Stored] = attrs.field(factory=list)
    dropped: int = 0
    polls: int = 0  # that were answered in waits that are over

    def add(
        self, time: datetime, kind: TimelineKind, text: str, stake: tuple[int, str] | None
    ) -> None:
        """Add an entry; one that repeats the last one is counted there."""
        entries, word = self.entries, kind.value
        if entries and entries[-1][1:3] == (word, text):
            entries[-1] = (*entries[-1][:-1], entries[-1][-1] + 1)
            return
        entries.append((time, word, text, stake, 1))
        if len(entries) > Timeline.FIRST + Timeline.LAST:
            self.dropped += entries.pop(Timeline.FIRST)[-1]


class FlightRecorder:
    """The timelines of one session. Bounded: a program may run for months."""

    def __init__(self, observers: Observers, now: Callable[[], datetime]) -> None:
        self._now = now
        self._by_task: OrderedDict[str, _History] = OrderedDict()
        self._terms: OrderedDict[str, tuple[int, str]] = OrderedDict()  # of tasks created here
        self._by_subject: WeakKeyDictionary[object, _History] = WeakKeyDictionary()
        lines: dict[type, Observe] = {
            kind: partial(self._add_line, line) for kind, line in _LINES.items()
        }
        observers.add(
            {
                **lines,
                CreationEnded: self._creation_ended,
                CreationSent: self._creation_sent,
                ErrorMade: self._error_made,
                SearchEnded: self._search_ended,
                StatusSeen: self._status_seen,
                SubmissionAdopted: self._submission_adopted,
                WatchEnded: self._watch_ended,
            }
        )
        observers.timeline_of = self.timeline

    def follow(self, task_id: str) -> None:
        """Record what happens to a task from now on, and not only from its first failure on."""
        self._record_of(task_id)

    def timeline(self, task_id: str, polls: int = 0) -> Timeline:
        """What was recorded about a task, with the polls of the wait that is under way."""
        return _timeline(self._record_of(task_id), polls)

    def terms_of(self, task_id: str) -> tuple[int, str] | None:
        """For how many steps of which model a task was created; None if that is not recorded."""
        return self._terms.get(task_id)

    # --- what is observed -------------------------------------------------------------------

    def _add_line(self, line: Callable[[Any], Line], seen: Any, about: object) -> None:
        if about is None:  # of a file
            return
        self._add(about, *line(seen))
        if isinstance(seen, CallTroubled) and seen.awaits_slot:
            self._add(about, TimelineKind.WAITED, "for a free agent slot")

    def _creation_sent(self, seen: CreationSent, about: object) -> None:
        stake = price_terms(seen.request.max_agent_steps, seen.request.llm_model)
        self._add(about, TimelineKind.SENT, f"{seen.endpoint}, attempt {seen.attempt}", stake)

    def _search_ended(self, seen: SearchEnded, about: object) -> None:
        if seen.task_id is None and seen.seconds is not None:
            text = f"a task with the mark of this submission, in {seen.seconds:.1f} s"
            self._add(about, TimelineKind.NOT_FOUND, text)

    def _submission_adopted(self, event: SubmissionAdopted, about: object) -> None:
        self._add(about, TimelineKind.ADOPTED, f"task {event.task_id}")
        self._put(event.task_id, self._record_of(about))

    def _creation_ended(self, seen: CreationEnded, about: object) -> None:
        if seen.task_id is not None and (request := seen.request) is not None:
            self._terms[seen.task_id] = price_terms(request.max_agent_steps, request.llm_model)
            if len(self._terms) > _REMEMBERED:
                self._terms.popitem(last=False)
        record = self._by_subject.get(about)
        # Without a record nothing was sent, or it was a call of the thin layer, which has none.
        if record is None or seen.task_id is None or self._by_task.get(seen.task_id) is record:
            return
        self._add(about, TimelineKind.ANSWERED, f"{RUN_TASK}: task {seen.task_id}")
        self._put(seen.task_id, record)

    def _status_seen(self, seen: StatusSeen, task_id: Any) -> None:
        if task_id in self._by_task:  # few of ten thousand waits are followed
            self._add(task_id, TimelineKind.STATUS, str(seen.status))

    def _watch_ended(self, seen: WatchEnded, task_id: Any) -> None:
        if task_id in self._by_task:
            self._by_task[task_id].polls += seen.polls

    def _error_made(self, seen: ErrorMade, about: object) -> None:
        if about is None:  # of a call that is no attempt of another
            return
        if isinstance(about, list):  # of a scan: the timelines of its searches have the entries
            seen.error.timeline = Timeline()
            return
        record = self._record_of(about)
        if seen.status is not None and not record.entries:
            self._add(about, TimelineKind.STATUS, str(seen.status))
        seen.error.timeline = _timeline(record, seen.polls)

    # --- where it is kept -------------------------------------------------------------------

    def _add(
        self, about: object, kind: TimelineKind, text: str, stake: tuple[int, str] | None = None
    ) -> None:
        # A list is that of the searches that share a scan: each has a timeline of its own.
        for each in about if isinstance(about, list) else (about,):
            self._record_of(each).add(self._now(), kind, text, stake)

    def _record_of(self, about: object) -> _History:
        """The record of a task or another subject; a new one if there is none."""
        if not isinstance(about, str):
            if (record := self._by_subject.get(about)) is None:
                record = self._by_subject[about] = _History()
            return record
        record = self._by_task.get(about) or _History()
        self._put(about, record)
        return record

    def _put(self, task_id: str, record: _History) -> None:
        self._by_task[task_id] = record
        self._by_task.move_to_end(task_id)
        if len(self._by_task) > _REMEMBERED:
            self._by_task.popitem(last=False)


def _timeline(record: _History, polls: int) -> Timeline:
    entries = tuple(_entry(each) for each in record.entries)
    return Timeline(entries, record.dropped, record.polls + polls)
