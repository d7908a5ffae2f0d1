"""Mutants of polling."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    # What heals, and what does not.
    Mutant(
        "an error of the server ends a wait as a refusal does",
        "transport/response.py",
        "    if isinstance(error, errors.APIStatusError) and error.status in TRANSIENT_STATUSES:\n",
        "    if isinstance(error, errors.APIStatusError):\n        return False\n    if False:\n",
        ("D1", "D2"),
    ),
    Mutant(
        "an outage of five minutes is too long",
        "polling/policy.py",
        "    outage_tolerance: float = 600.0\n",
        "    outage_tolerance: float = 60.0\n",
        ("D2",),
    ),
    Mutant(
        "a refused key is an error that passes",
        "transport/error_factory.py",
        "    401: errors.AuthenticationError,\n",
        "    401: errors.ConflictError,\n",
        ("D9",),
    ),
    Mutant(
        "a new task of our own must be there at once",
        "lifecycle/run.py",
        "TaskHandle(task_id, self.tasks, self.poller, output_type, now)",
        "TaskHandle(task_id, self.tasks, self.poller, output_type, now - 3600.0)",
        ("D7",),
    ),
    Mutant(
        "a task that is gone is taken for a service that is gone",
        "transport/error_factory.py",
        "    404: errors.NotFoundError,\n",
        "    404: errors.InternalServerError,\n",
        ("D8",),
    ),
    # Held calls.
    Mutant(
        "a held call is the only one to ask",
        "polling/long_poll.py",
        "        self._coverage.since = math.inf\n        self._remembered.clear()\n",
        "        return\n",
        ("D40",),
    ),
    Mutant(
        "a stream that goes on has missed nothing",
        "polling/long_poll.py",
        "        if place.is_reset or self._cursor is None:\n",
        "        if self._cursor is None:\n",
        ("D40",),
    ),
    Mutant(
        "held calls that are answered at once are made again at once",
        "polling/coverage.py",
        "        if self._useless >= USELESS:\n",
        "        if self._useless >= 1000 * USELESS:\n",
        ("D41",),
    ),
    Mutant(
        "a stream is believed whatever it keeps to itself",
        "polling/long_poll.py",
        "            self._unreported[watched.task_id] = now\n",
        "            pass\n",
        ("D41",),
    ),
    # Statuses.
    Mutant(
        "an unknown status is an end",
        "types/enums.py",
        "        return self in _TERMINAL\n",
        "        return self in _TERMINAL or not self.is_known\n",
        ("D4", "D6"),
    ),
    Mutant(
        "an unknown status passes for a known one",
        "types/enums.py",
        "        return type(self).__members__.get(self.name) is self\n",
        "        return isinstance(self.name, str)\n",
        ("D4", "D5"),
    ),
    Mutant(
        "a paused task has ended",
        "types/enums.py",
        "_TERMINAL = frozenset({TaskStatus.FINISHED,",
        "_TERMINAL = frozenset({TaskStatus.PAUSED, TaskStatus.FINISHED,",
        ("D10", "D12"),
    ),
    # Time.
    Mutant(
        "a wait ends a second late",
        "lifecycle/handle.py",
        "    return asyncio.get_running_loop().time() + seconds\n",
        "    return asyncio.get_running_loop().time() + seconds + 1.0\n",
        ("D3", "D6", "D10", "D21"),
    ),
    Mutant(
        "all waits poll in step",
        "polling/policy.py",
        "1 - self.jitter * rng.random()",
        "1 - self.jitter * 0.5",
        ("D15",),
    ),
    Mutant(
        "a wait fetches whole tasks",
        "lifecycle/handle.py",
        "(_resolve, settled, _deadline(poller, timeout))\n",
        "(_resolve, settled, _deadline(poller, timeout), Interest.STEPS)\n",
        ("D16",),
    ),
    Mutant(
        "a task that has ended is kept for the deadline of its wait",
        "polling/schedule.py",
        "            del self.watched[watched.task_id]\n",
        "            pass\n",
        ("D14",),
    ),
    Mutant(
        "each page wakes the program by itself",
        "polling/schedule.py",
        "max(earliest, now if self._step_at == now else self._next_step_at)",
        "earliest",
        ("D15",),
    ),
    Mutant(
        "all pages leave at once",
        "polling/schedule.py",
        "0.98 * self.interval / needed",
        "0.0",
        ("D15",),
    ),
    Mutant(
        "polls are spread, however late that makes them",
        "polling/schedule.py",
        "return min(due_at, max(earliest",
        "return max(due_at, max(earliest",
        ("D15",),
    ),
    Mutant(
        "the list is taken to stand still between two pages",
        "polling/task_list.py",
        "self._newest + round(self._growth * (now - self._told_at))",
        "self._newest",
        ("D15",),
    ),
    # Streams.
    Mutant(
        "a stream leaves its subscription behind",
        "lifecycle/handle.py",
        "            yield watched, news\n"
        "        finally:\n            self._poller.unsubscribe(watched, subscriber)\n",
        "            yield watched, news\n        finally:\n            pass\n",
        ("D12", "D13"),
    ),
    Mutant(
        "steps are given as they are listed",
        "lifecycle/handle.py",
        "    return [new[number] for number in sorted(new)]\n",
        "    return list(new.values())\n",
        ("D22",),
    ),
    # Many at once.
    Mutant(
        "every wait polls for itself",
        "polling/schedule.py",
        "        self.is_sharing = policy.shared and len(self.rotation)",
        "        self.is_sharing = False and len(self.rotation)",
        ("D14", "D29"),
    ),
    Mutant(
        "a status that the task does not confirm ends a wait",
        "polling/poller.py",
        "if task.status.is_terminal or (",
        "if task.status or (",
        ("D11", "D20"),
    ),
    # Trouble.
    Mutant(
        "a page that is not answered is dissolved into status calls at once",
        "polling/poller.py",
        "PAGE_ATTEMPTS = 3 ",
        "PAGE_ATTEMPTS = 1 ",
        ("D24",),
    ),
    Mutant(
        "a slow reply is waited for",
        "polling/schedule.py",
        "        return max(self.interval, 4 * self.reply_time, 0.5)\n",
        "        return 60.0\n",
        ("D25",),
    ),
    Mutant(
        "a poll that somebody cancels is lost",
        "polling/poller.py",
        "            again, moment = _unanswered(tasks, started), "
        "max(moment, started + AFTER_CANCEL)\n",
        "            return\n",
        ("D26",),
    ),
    Mutant(
        "what no call should raise ends a wait at once",
        "polling/watched_task.py",
        "MAX_BROKEN = 5 ",
        "MAX_BROKEN = 1 ",
        ("D26",),
    ),
    Mutant(
        "pages that show nothing are read for ever",
        "polling/task_list.py",
        "            if self._useless >= MAX_USELESS_PAGES:\n",
        "            if self._useless < 0:\n",
        ("D27",),
    ),
    Mutant(
        "what the list says is never checked",
        "polling/watched_task.py",
        "FIRST_AUDIT = 300.0 ",
        "FIRST_AUDIT = 1e9 ",
        ("D28",),
    ),
    Mutant(
        "tasks whose place is unknown are asked for one by one",
        "polling/poller.py",
        "        if len(unknown) >= threshold:\n",
        "        unknown = []\n        if unknown:\n",
        ("D29",),
    ),
    # Webhooks.
    Mutant(
        "no webhook reaches the poller",
        "session.py",
        "        receiver.subscribe(self._on_event)\n",
        "        del receiver\n",
        ("D17", "A25"),
    ),
    Mutant(
        "nothing is polled for long",
        "polling/policy.py",
        "        return self.cap if self.latency_target is None else self.latency_target\n",
        "        return 1e6\n",
        ("D18", "D19"),
    ),
)
