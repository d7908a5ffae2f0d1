"""Records the timelines of errors and of a session's latest tasks."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import attrs

from browser_use_async.events import Recorded, SubmissionAdopted, Timeline, TimelineEntry
from browser_use_async.observing.observers import (
    CreationEnded,
    ErrorMade,
    Observers,
    StatusSeen,
    WatchEnded,
)
from browser_use_async.types.enums import price_terms

ValueT = TypeVar("ValueT")
_REMEMBERED = 1000  # tasks of one session


@attrs.define(eq=False)
class _Record:
    """What happened to one subject; the middle entries are dropped when there are too many."""

    entries: list[TimelineEntry] = attrs.field(factory=list)
    dropped: int = 0
    polls: int = 0  # that were answered in waits that are over

    def add(self, entry: TimelineEntry) -> None:
        self.entries.append(entry)
        if len(self.entries) > Timeline.FIRST + Timeline.LAST:
            del self.entries[Timeline.FIRST]
            self.dropped += 1

    def timeline(self, polls: int) -> Timeline:
        return Timeline(tuple(self.entries), self.dropped, self.polls + polls)


class TimelineRecorder:
    """The timelines of one session. Bounded: a program may run for months."""

    def __init__(self, observers: Observers, now: Callable[[], datetime]) -> None:
        self._now = now
        self._by_task: OrderedDict[str, _Record] = OrderedDict()
        self._terms: OrderedDict[str, tuple[int, str]] = OrderedDict()  # of tasks created here
        self._by_subject: WeakKeyDictionary[object, _Record] = WeakKeyDictionary()
        observers.add(
            {
                Recorded: self._record,
                CreationEnded: self._creation_ended,
                ErrorMade: self._error_made,
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
        return self._record_of(task_id).timeline(polls)

    def terms_of(self, task_id: str) -> tuple[int, str] | None:
        """For how many steps of which model a task was created; None if that is not recorded."""
        return self._terms.get(task_id)

    # --- what is observed -------------------------------------------------------------------

    def _record(self, seen: Recorded, about: object) -> None:
        if about is not None and seen.entry is not None:  # without a subject it is of a file
            self._add(about, *seen.entry)

    def _status_seen(self, seen: StatusSeen, task_id: Any) -> None:
        if task_id in self._by_task:  # few of ten thousand waits are followed
            self._add(task_id, *seen.entry)

    def _submission_adopted(self, event: SubmissionAdopted, about: object) -> None:
        _put(self._by_task, event.task_id, self._record_of(about))

    def _creation_ended(self, seen: CreationEnded, about: object) -> None:
        if seen.task_id is not None and (request := seen.request) is not None:
            terms = price_terms(request.max_agent_steps, request.llm_model)
            _put(self._terms, seen.task_id, terms)
        record = self._by_subject.get(about)
        # Without a record nothing was sent, or it was a call of the thin layer, which has none.
        if record is None or seen.task_id is None or self._by_task.get(seen.task_id) is record:
            return
        self._add(about, *seen.entry)
        _put(self._by_task, seen.task_id, record)

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
            self._add(about, *StatusSeen(seen.status).entry)
        seen.error.timeline = record.timeline(seen.polls)

    # --- where it is kept -------------------------------------------------------------------

    def _add(self, about: object, kind: str, text: str) -> None:
        # A list is that of the searches that share a scan: each has a timeline of its own.
        for each in about if isinstance(about, list) else (about,):
            self._record_of(each).add(TimelineEntry(self._now(), kind, text))

    def _record_of(self, about: object) -> _Record:
        """The record of a task or another subject; a new one if there is none."""
        if not isinstance(about, str):
            if (record := self._by_subject.get(about)) is None:
                record = self._by_subject[about] = _Record()
            return record
        record = self._by_task.get(about) or _Record()
        _put(self._by_task, about, record)
        return record


def _put(memory: OrderedDict[str, ValueT], task_id: str, value: ValueT) -> None:
    memory[task_id] = value
    memory.move_to_end(task_id)
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
