"""Mutants of polling."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    # Outages.
    Mutant(
        "a task counts as told about from the answer to run-task on",
        "lifecycle/run.py",
        "output_type, submission.sent_at)",
        "output_type, asyncio.get_running_loop().time())",
        ("D40",),
    ),
    Mutant(
        "an outage is one failed request",
        "transport/health.py",
        "self._is_due and self._is_certain and self._failures > 1",
        "True",
        ("D30",),
    ),
    Mutant(
        "a task that was never seen is waited for",
        "polling/poller.py",
        "        if not health.is_down or not unknown:\n",
        "        if True:\n",
        ("D31",),
    ),
    Mutant(
        "a timeout does not say what failed",
        "lifecycle/handle.py",
        "    failure = poller.last_failure(first)\n",
        "    failure: BaseException | None = None\n",
        ("D31",),
    ),
    Mutant(
        "what cannot be read is asked for again for long",
        "polling/watched_task.py",
        "MAX_UNDECODABLE = 5  #",
        "MAX_UNDECODABLE = 50  #",
        ("D32",),
    ),
    # What heals, and what does not.
    Mutant(
        "a server error ends a wait",
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
        "a refused key counts as a transient error",
        "transport/error_factory.py",
        "    401: errors.AuthenticationError,\n",
        "    401: errors.ConflictError,\n",
        ("D9",),
    ),
    Mutant(
        "a new task has no grace period",
        "lifecycle/run.py",
        "TaskHandle(task_id, self.tasks, self.poller, output_type, submission.sent_at)",
        "TaskHandle(task_id, self.tasks, self.poller, output_type, -3600.0)",
        ("D7",),
    ),
    Mutant(
        "a missing task counts as an outage",
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
    Mutant(
        "whatever a line of a stream brings is the task that has ended",
        "polling/poller.py",
        "            if task is not None and task.has_ended and task.id == watched.task_id:\n",
        "            if task is not None:\n",
        ("D41",),
    ),
    # Statuses.
    Mutant(
        "an unknown status is terminal",
        "types/enums.py",
        "        return self in _TERMINAL\n",
        "        return self in _TERMINAL or not self.is_known\n",
        ("D4", "D6"),
    ),
    Mutant(
        "an unknown status counts as known",
        "types/enums.py",
        "        return type(self).__members__.get(self.name) is self\n",
        "        return isinstance(self.name, str)\n",
        ("D4", "D5"),
    ),
    Mutant(
        "paused is terminal",
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
        "polls have no jitter",
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
        "an ended task is watched until the deadline of its wait",
        "polling/schedule.py",
        "            del self.watched[watched.task_id]\n",
        "            pass\n",
        ("D14",),
    ),
    Mutant(
        "each list page has a timer of its own",
        "polling/schedule.py",
        "max(earliest, now if self._step_at == now else self._next_step_at)",
        "earliest",
        ("D15",),
    ),
    Mutant(
        "all list pages are requested at once",
        "polling/schedule.py",
        "0.98 * self.interval / needed",
        "0.0",
        ("D15",),
    ),
    Mutant(
        "polls are spread beyond their due time",
        "polling/schedule.py",
        "return min(due_at, max(earliest",
        "return max(due_at, max(earliest",
        ("D15",),
    ),
    Mutant(
        "the growth of the list between two pages is ignored",
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
        "steps are yielded in the order of the response",
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
        "an unconfirmed status ends a wait",
        "polling/poller.py",
        "if task.has_ended:",
        "if task.status:",
        ("D11", "D20"),
    ),
    # Trouble.
    Mutant(
        "a failed list page is replaced by status calls at once",
        "polling/poller.py",
        "PAGE_ATTEMPTS = 3 ",
        "PAGE_ATTEMPTS = 1 ",
        ("D24",),
    ),
    Mutant(
        "a slow list page holds up its tasks",
        "polling/schedule.py",
        "        return max(self.interval, 4 * self.reply_time, 0.5)\n",
        "        return 60.0\n",
        ("D25",),
    ),
    Mutant(
        "a cancelled poll is not rescheduled",
        "polling/poller.py",
        "            again, moment = _unanswered(tasks, started), "
        "max(moment, started + AFTER_CANCEL)\n",
        "            return\n",
        ("D26",),
    ),
    Mutant(
        "an unexpected exception ends a wait at once",
        "polling/watched_task.py",
        "MAX_BROKEN = 5 ",
        "MAX_BROKEN = 1 ",
        ("D26",),
    ),
    Mutant(
        "useless list pages are read without end",
        "polling/task_list.py",
        "            if self._useless >= MAX_USELESS_PAGES:\n",
        "            if self._useless < 0:\n",
        ("D27",),
    ),
    Mutant(
        "statuses of the list are never audited",
        "polling/watched_task.py",
        "FIRST_AUDIT = 300.0 ",
        "FIRST_AUDIT = 1e9 ",
        ("D28",),
    ),
    Mutant(
        "tasks at unknown places are polled one by one",
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
        "the poll interval has no cap",
        "polling/policy.py",
        "        return self.cap if self.latency_target is None else self.latency_target\n",
        "        return 1e6\n",
        ("D18", "D19"),
    ),
)
