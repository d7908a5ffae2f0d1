"""Whose job is done next: owners take turns, and neither an owner nor pages have all workers."""

from collections import Counter, OrderedDict, deque
from concurrent.futures import Future
from enum import StrEnum
from typing import Any

import attrs

MOST_WORKERS = 4
MOST_WAITING = 64 * 1024**2
"""The bytes of an owner's jobs that may wait: a dozen of the longest documents."""

# Two keep two cores busy. Of the others one is at once there for another owner, and one for tasks
# that are to be understood, however long the pages are that others read.
_MOST_OF_OWNER = 2
_MOST_READING = MOST_WORKERS - 1


class JobKind(StrEnum):
    """What a job is about."""

    PLANNING = "planning"  # the text of a task
    READING = "reading"  # what pages and files say


@attrs.frozen(eq=False)
class Job:
    """A call of a function in a worker, as bytes, and what comes of it."""

    owner: str
    kind: JobKind
    message: bytes = attrs.field(repr=False)
    result: "Future[Any]" = attrs.field(factory=Future, repr=False)


class Turns:
    """The jobs of all owners that wait or are being done. Its users lock it."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, dict[JobKind, deque[Job]]] = OrderedDict()
        self._bytes: Counter[str] = Counter()
        self._working: Counter[str] = Counter()  # by owner
        self._busy: Counter[JobKind] = Counter()

    def bytes_of(self, owner: str) -> int:
        """How much of an owner waits or is being done."""
        return self._bytes[owner]

    def needs_spare(self, kind: JobKind) -> bool:
        """Whether one owner may have all that are at work: another waits for a new one to start."""
        return self._busy[kind] >= _MOST_OF_OWNER

    def add(self, job: Job) -> None:
        """Let a job wait."""
        queues = self._waiting.setdefault(job.owner, {kind: deque() for kind in JobKind})
        queues[job.kind].append(job)
        self._bytes[job.owner] += len(job.message)

    def take(self) -> Job | None:
        """The job that is next, if there is a worker for one that waits."""
        if self._working.total() >= MOST_WORKERS:
            return None
        for owner in self._waiting:
            job = self._next_of(owner)
            if job is not None:
                self._waiting.move_to_end(owner)
                self._leave(job)
                self._working[owner] += 1
                self._busy[job.kind] += 1
                return job
        return None

    def end(self, job: Job) -> None:
        """A job that was taken is done."""
        self._busy[job.kind] -= 1
        self._working[job.owner] -= 1
        self._release(job)

    def give_up(self, job: Job) -> None:
        """A job is not wanted any more; one that was taken is finished."""
        queues = self._waiting.get(job.owner)
        if queues is not None and job in queues[job.kind]:
            self._leave(job)
            self._release(job)

    def _next_of(self, owner: str) -> Job | None:
        if self._working[owner] >= _MOST_OF_OWNER:
            return None
        planning, reading = (self._waiting[owner][kind] for kind in JobKind)
        if planning:
            return planning[0]
        is_free = self._busy[JobKind.READING] < _MOST_READING
        return reading[0] if reading and is_free else None

    def _leave(self, job: Job) -> None:
        queues = self._waiting[job.owner]
        queues[job.kind].remove(job)
        if not any(queues.values()):
            del self._waiting[job.owner]

    def _release(self, job: Job) -> None:
        self._bytes[job.owner] -= len(job.message)
        for counts in (self._bytes, self._working):
            if not counts[job.owner]:
                del counts[job.owner]  # owners come and go
