"""Changes of tasks that are not watched, or not yet, reported by a stream. No I/O."""

import math

from browser_use_async.api.long_poll import Change

MAX_CHANGES = 10_000
MAX_BYTES = 4 * 1024 * 1024  # of lines; some contain a whole task


class RecentChanges:
    """The latest change of each task, up to a limit.

    Attributes:
        since: The loop time from which on no change is missing; infinite without a stream.
    """

    def __init__(self) -> None:
        self.since = math.inf
        self._by_task: dict[str, tuple[Change, float]] = {}  # and when; the oldest first
        self._bytes = 0

    def start(self, since: float) -> None:
        """Forget all changes, and record those from now on."""
        self.since = since
        self._by_task.clear()
        self._bytes = 0

    def record(self, change: Change, now: float) -> None:
        """Record the change of a task; it replaces an earlier one."""
        assert change.task_id is not None
        self.take(change.task_id)  # so that it is the newest
        self._by_task[change.task_id] = (change, now)
        self._bytes += change.size
        while len(self._by_task) > MAX_CHANGES or self._bytes > MAX_BYTES:
            oldest = next(iter(self._by_task))
            self.since = math.nextafter(self._by_task[oldest][1], math.inf)
            self.take(oldest)

    def take(self, task_id: str) -> Change | None:
        """Return the latest change of a task, and forget it."""
        change, _at = self._by_task.pop(task_id, (None, 0.0))
        if change is not None:
            self._bytes -= change.size
        return change
