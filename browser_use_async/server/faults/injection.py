"""Fault injection: rules for calls, and the faults as layers around each call."""

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from browser_use_async.server import checks
from browser_use_async.server.faults.call import (
    Call,
    ConnectionLostError,
    Delays,
    close_connection,
)
from browser_use_async.server.faults.fault import WEBHOOK, Fault
from browser_use_async.server.faults.task_lists import LateTaskStore

Proceed = Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]
"""Executes the call."""


class _Rule:
    """A fault, and the number of calls that it has been matched with."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._calls = 0
        self._random = random.Random(fault.seed)  # noqa: S311 - a reproducible sequence

    def matches(self, operation: str) -> bool:
        if not self.fault.concerns(operation):
            return False
        self._calls += 1
        # Drawn for every call, so that another choice of calls does not shift the sequence.
        is_drawn = self._random.random() < self.fault.probability
        return is_drawn and self.fault.picks(self._calls)


class FaultRules:
    """A set of faults, with the counts since it was installed.

    Attributes:
        faults: What goes wrong, the outermost first.
        fired: How often each fired, by its label.
    """

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self.fired: Counter[str] = Counter()
        self._rules = [_Rule(fault) for fault in self.faults]

    def matching(self, operation: str) -> list[Fault]:
        """Count a call, and return the faults that apply to it, outermost first."""
        matching = [rule.fault for rule in self._rules if rule.matches(operation)]
        # One about what the call makes, and not about its answer, is innermost.
        return sorted(matching, key=lambda fault: fault.about is not None)

    def count_fired(self, fault: Fault) -> None:
        """Count a fault that took effect."""
        self.fired[fault.label] += 1


def check_faults(field: str, value: Sequence[object]) -> None:
    """Refuse what is no list of faults."""
    checks.sequence(field, value, "faults")
    for number, each in enumerate(value):
        hint = f"; did you mean Fault({each!r})?" if isinstance(each, str) else ""
        checks.instance(f"{field}[{number}]", each, Fault, hint)


class FaultInjector:
    """The faults of one server.

    Each fault is a layer around the call, the first the outermost, so that what is counted is
    what happened: a fault behind one that answers at once never fires.

    Args:
        tasks: The tasks, which a fault hides from lists.
    """

    def __init__(self, tasks: LateTaskStore) -> None:
        self._rules = FaultRules()
        self._delays = Delays(tasks)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The installed rules."""
        return self._rules.faults

    @property
    def fired(self) -> "Counter[str]":
        """The number of times that each rule fired since they were set, by its label."""
        return self._rules.fired

    def set_faults(self, faults: Sequence[Fault], require_alone: Callable[[str], None]) -> None:
        """Replace the rules from the next call on; all counts restart.

        Work that earlier rules have postponed, such as a late commit, is still done.

        Raises:
            ConfigurationError: One of them is no fault; or other servers share the database, who
                would not know of them.
        """
        check_faults("faults", faults)
        if faults:
            require_alone(
                "faults are for a server with a database of its own, not for one in PostgreSQL"
            )
        self._rules = FaultRules(faults)

    def duplicates(self) -> int:
        """Count a delivered event, and return how many more times to send it."""
        matching = self._rules.matching(WEBHOOK)
        for fault in matching:
            self._rules.count_fired(fault)
        return sum(fault.act() for fault in matching)

    async def answer(self, request: web.Request, proceed: Proceed) -> web.StreamResponse:
        """Answer a call with the faults that apply to it."""
        rules, delays = self._rules, self._delays
        matching = rules.matching(request.match_info.route.name or "")
        if not matching or delays.closing.is_set():
            return await proceed(request)
        # Read first: a late commit cannot read it, and closing with unread data would be a reset.
        await request.read()
        layer = partial(proceed, request)
        # Built from the inside out, so that the first fault becomes the outermost layer.
        for fault in reversed(matching):
            fire = partial(rules.count_fired, fault)
            layer = partial(fault.act, Call(request, delays, layer, fire))
        try:
            return await layer()
        except ConnectionLostError as lost:
            return close_connection(request, lost)

    async def aclose(self) -> None:
        """Cancel late commits, and end all delays."""
        await self._delays.aclose()
