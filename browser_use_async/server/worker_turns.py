"""The order of jobs: owners take turns, and no owner and no kind of job gets all workers."""

from collections import Counter, OrderedDict, deque
from concurrent.futures import Future
from enum import StrEnum
from typing import Any

import attrs

MOST_WORKERS = 4
MOST_WAITING = 64 * 1024**2
"""The limit of an owner's waiting jobs in bytes: a dozen of the longest documents."""

# Two workers keep two cores busy. One more is reserved for another owner, and one for plans of
# tasks, so neither waits for the long pages of others.
_MOST_OF_OWNER = 2
_MOST_READING = MOST_WORKERS - 1


class JobKind(StrEnum):
    """The kind of a job."""

    PLANNING = "planning"  # the text of a task
    READING = "reading"  # the texts of pages and files


@attrs.frozen(eq=False)
class Job:
    """A pickled call of a function in a worker, and its result."""

    owner: str
    kind: JobKind
    message: bytes = attrs.field(repr=False)
    result: "Future[Any]" = attrs.field(factory=Future, repr=False)


class Turns:
    """The waiting and the running jobs of all owners. Not thread-safe: callers lock it."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, dict[JobKind, deque[Job]]] = OrderedDict()
        self._bytes: Counter[str] = Counter()
        self._working: Counter[str] = Counter()  # by owner
        self._busy: Counter[JobKind] = Counter()

    def bytes_of(self, owner: str) -> int:
        """Return the bytes of an owner's waiting and running jobs."""
        return self._bytes[owner]

    def needs_spare(self, kind: JobKind) -> bool:
        """Whether to start a spare worker, because one owner may use all the busy ones."""
        return self._busy[kind] >= _MOST_OF_OWNER

    def add(self, job: Job) -> None:
        """Add a job to the waiting ones."""
        queues = self._waiting.setdefault(job.owner, {kind: deque() for kind in JobKind})
        queues[job.kind].append(job)
        self._bytes[job.owner] += len(job.message)

    def take(self) -> Job | None:
        """Return the next job if a worker is free for one, else None."""
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
        """Note that a running job is done."""
        self._busy[job.kind] -= 1
        self._working[job.owner] -= 1
        self._release(job)

    def give_up(self, job: Job) -> None:
        """Drop a waiting job whose caller is gone; a running job continues."""
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
                del counts[job.owner]  # so that the counts stay small
