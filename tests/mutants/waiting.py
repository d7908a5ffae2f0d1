"""Mutants of waiting."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_FOLLOW = (
    "        with self._watcher.follow(task_id, follower, submitted_at=submitted_at) as watch:\n"
)
_ATTACH = (
    "        watch = self._watcher.attach(task_id, follower, submitted_at=submitted_at)\n"
    "        if watch:\n"
)
_FOLLOWER = "        follower = EndFollower(ended=ended, deadline=self._deadline(timeout))\n"
_SEEN = "        seen: TaskStatus | None = None\n"
_LAST = "        last = after\n"

MUTANTS: tuple[Mutant, ...] = (
    # What heals, and what does not.
    Mutant(
        "an error of the server ends a wait as a refusal does",
        "transport/failures.py",
        "errors.InternalServerError if reply.status >= 500 else errors.APIStatusError",
        "errors.APIStatusError",
        ("D1", "D2"),
    ),
    Mutant(
        "an outage of five minutes is too long",
        "waiting/policy.py",
        "    outage_tolerance: float = 600.0\n",
        "    outage_tolerance: float = 60.0\n",
        ("D2",),
    ),
    Mutant(
        "a refused key is an error that passes",
        "transport/failures.py",
        "    401: errors.AuthenticationError,\n",
        "    401: errors.ConflictError,\n",
        ("D9",),
    ),
    Mutant(
        "a new task of our own must be there at once",
        "submission/running.py",
        "TaskHandle(task_id, self.tasks, self.waiting, output_type, now)",
        "TaskHandle(task_id, self.tasks, self.waiting, output_type, now - 3600.0)",
        ("D7",),
    ),
    Mutant(
        "a task that is gone is taken for a service that is gone",
        "transport/failures.py",
        "    404: errors.NotFoundError,\n",
        "    404: errors.InternalServerError,\n",
        ("D8",),
    ),
    # Statuses.
    Mutant(
        "an unknown status is an end",
        "models/open_enum.py",
        "        return self in _TERMINAL\n",
        "        return self in _TERMINAL or not self.is_known\n",
        ("D4", "D6"),
    ),
    Mutant(
        "an unknown status passes for a known one",
        "models/open_enum.py",
        "        return type(self).__members__.get(self.name) is self\n",
        "        return isinstance(self.name, str)\n",
        ("D4", "D5"),
    ),
    Mutant(
        "a paused task has ended",
        "models/open_enum.py",
        "_TERMINAL = frozenset({TaskStatus.FINISHED,",
        "_TERMINAL = frozenset({TaskStatus.PAUSED, TaskStatus.FINISHED,",
        ("D10", "D12"),
    ),
    # Time.
    Mutant(
        "a wait ends a second late",
        "waiting/following.py",
        "        return asyncio.get_running_loop().time() + timeout\n",
        "        return asyncio.get_running_loop().time() + timeout + 1.0\n",
        ("D3", "D6", "D10", "D21"),
    ),
    Mutant(
        "all waits look in step",
        "waiting/policy.py",
        "min(grown, self._ceiling) * (1 - self.jitter * draw.random())",
        "min(grown, self._ceiling) * (1 - self.jitter * 0.5)",
        ("D15",),
    ),
    Mutant(
        "a wait fetches whole tasks",
        "waiting/following.py",
        _FOLLOWER,
        _FOLLOWER.replace("timeout))", "timeout), wants_steps=True)"),
        ("D16",),
    ),
    Mutant(
        "a timer for each wait",
        "waiting/deadlines.py",
        "        if self._queue[0][2] is follower:\n",
        "        if self._queue:\n",
        ("D14",),
    ),
    Mutant(
        "a wait that has left keeps its place among the deadlines",
        "waiting/deadlines.py",
        "        elif len(self._queue) > 2 * self._count + 64:",
        "        elif len(self._queue) > 2000 * self._count + 64:",
        ("D14",),
    ),
    Mutant(
        "a task that has ended is kept for the deadline of its wait",
        "waiting/watcher.py",
        "            del self._watches[watch.task_id]\n",
        "            pass\n",
        ("D14",),
    ),
    Mutant(
        "each page of a sweep wakes the program by itself",
        "waiting/sweeping.py",
        "(pause + TICK) // TOGETHER * TOGETHER",
        "pause",
        ("D15",),
    ),
    Mutant(
        "all pages of a sweep leave at once",
        "waiting/sweeping.py",
        "(pause + TICK) // TOGETHER * TOGETHER",
        "0.0",
        ("D15",),
    ),
    Mutant(
        "requests of a sweep are spread, however long a task has waited",
        "waiting/sweeping.py",
        "min(number * gap, max(turn.due - start, 0.0))",
        "number * gap",
        ("D15",),
    ),
    Mutant(
        "what had to leave together does so for ever",
        "waiting/sweeping.py",
        "        sweep.was_hurried = True\n",
        "        pass\n",
        ("D15",),
    ),
    Mutant(
        "the list is taken to stand still between two pages",
        "waiting/places.py",
        "            grown = round(self._growth * (now - at))\n",
        "            grown = 0\n",
        ("D15",),
    ),
    Mutant(
        "whom a page no longer shows has to wait for the others",
        "waiting/sweeping.py",
        "            below.asks = below.asks.joined_by(",
        "            below.asks.joined_by(",
        ("D15",),
    ),
    # Streams.
    Mutant(
        "a stream of statuses leaves its watch behind",
        "waiting/following.py",
        _SEEN + _FOLLOW,
        _SEEN + _ATTACH,
        ("D12", "D13"),
    ),
    Mutant(
        "a stream of steps leaves its watch behind",
        "waiting/following.py",
        _LAST + _FOLLOW,
        _LAST + _ATTACH,
        ("D13",),
    ),
    Mutant(
        "steps are given as they are listed",
        "waiting/following.py",
        "    return [new[number] for number in sorted(new)]\n",
        "    return [step for step in task.steps if step.step in new]\n",
        ("D22",),
    ),
    # Many at once.
    Mutant(
        "every wait polls for itself",
        "waiting/crowd.py",
        "        return policy.shared and len(self._watches)",
        "        return False and len(self._watches)",
        ("D14",),
    ),
    Mutant(
        "a status that the task does not confirm ends a wait",
        "waiting/learning.py",
        "if task.status.is_terminal or (",
        "if task.status or (",
        ("D11", "D20"),
    ),
    # Events.
    Mutant(
        "nobody hears of events",
        "session.py",
        "        receiver.subscribe(self._hear)\n",
        "        del receiver\n",
        ("D17", "A25"),
    ),
    Mutant(
        "nobody polls for long",
        "waiting/policy.py",
        "        return self.cap if self.latency_target is None else self.latency_target\n",
        "        return 1e6\n",
        ("D18", "D19"),
    ),
)
