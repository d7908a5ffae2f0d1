"""Which rules a call meets: counting and drawing, without any input or output."""

import random
from collections import Counter
from collections.abc import Sequence

from browser_use_async.server.faults.fault import Fault, FaultKind

__all__ = ["FaultRules"]


class _Rule:
    """A fault, and how many calls it was for so far."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._calls = 0
        self._random = random.Random(fault.seed)  # noqa: S311 - a sequence to be repeated

    def meets(self, operation: str) -> bool:
        if not self.fault.concerns(operation):
            return False
        self._calls += 1
        # Drawn for every call, so that another choice of calls does not shift the sequence.
        is_drawn = self._random.random() < self.fault.probability
        return is_drawn and self.fault.picks(self._calls)


class FaultRules:
    """Some faults, with the counts since they were set.

    Attributes:
        faults: The same.
        fired: How often each fired, by its label.
    """

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.faults = tuple(faults)
        self.fired: Counter[str] = Counter()
        self._rules = [_Rule(fault) for fault in self.faults]

    def met_by(self, operation: str) -> list[Fault]:
        """Count a call, and draw what goes wrong with it, outermost first."""
        met = [rule.fault for rule in self._rules if rule.meets(operation)]
        # A lag is about the task and not about the answer, so it comes next to the execution.
        return sorted(met, key=lambda fault: fault.kind is FaultKind.LIST_LAG)

    def note_fired(self, fault: Fault) -> None:
        """Count a fault that really happened."""
        self.fired[fault.label] += 1
