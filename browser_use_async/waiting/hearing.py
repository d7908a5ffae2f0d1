"""Whether webhooks arrive, so that looks need be no more than a safety net."""

from browser_use_async.models import TaskStatus
from browser_use_async.waiting.watch import Watch

__all__ = ["Hearing"]

REMEMBERED = 10_000  # ends of which an event told before anybody waited for them
_TOLD = frozenset({TaskStatus.FINISHED, TaskStatus.STOPPED})  # of a failure no event tells


class Hearing:
    """Judges by what has come, and not by what was promised.

    Events are believed to arrive from the first one on, and no more once a look finds an end of
    which no event has told, until the next one comes.

    Attributes:
        arrives: Whether events are believed to arrive.
    """

    def __init__(self) -> None:
        self.arrives = False
        self._ended: dict[str, None] = {}

    def note_event(self, task_id: str, watch: Watch | None, *, has_ended: bool) -> None:
        """Note that an event has come.

        Args:
            task_id: The task that it is about.
            watch: Its watch, if somebody waits for it.
            has_ended: Whether it says that the task has ended.
        """
        self.arrives = True
        if not has_ended:
            return
        if watch is not None:
            watch.told_end = True
            return
        self._ended[task_id] = None
        if len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def note_watch(self, watch: Watch) -> None:
        """Note that somebody begins to wait, perhaps for what an event has told already.

        Args:
            watch: The new watch.
        """
        if watch.task_id in self._ended:
            del self._ended[watch.task_id]
            watch.told_end = True

    def note_end(self, watch: Watch, looks_before: int) -> bool:
        """Note that a task has ended.

        Args:
            watch: Which one.
            looks_before: How many looks found it alive.

        Returns:
            Whether that shows that events do not arrive, although they were believed to.
        """
        was_awaited = looks_before > 0 or watch.submitted_at is not None
        if watch.told_end or not was_awaited or watch.status not in _TOLD:
            return False
        was_believed, self.arrives = self.arrives, False
        return was_believed

    def lets_rest(self, watch: Watch) -> bool:
        """Whether a task need only be looked at now and then, because an event will tell.

        Args:
            watch: Which one.
        """
        return self.arrives and watch.may_rest
