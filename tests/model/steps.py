"""What the steps of the parts of the model have in common."""

from collections.abc import Callable

import attrs

from tests.model.layout import ASK, KEY, SEARCH, SENT, SIZE, WORKERS, changed
from tests.model.terms import ALWAYS, Terms

New = Callable[..., None]
"""Is called with a changed state, and with the words of the step's label."""


@attrs.define(eq=False)
class Steps:
    """The steps of one part that can be taken in one state."""

    terms: Terms
    state: bytes
    new: New

    @property
    def workers_at(self) -> int:
        """Where the workers stand in the state."""
        return self.terms.items * SIZE

    def may_happen(self, fault: int) -> bool:
        """Whether a fault may still happen."""
        return self.state[self.workers_at + 2 * WORKERS + fault] > 0

    def after(self, fault: int, *places_and_values: int) -> bytearray:
        """The state after a fault."""
        place = self.workers_at + 2 * WORKERS + fault
        left = self.state[place]
        return changed(self.state, place, left - (left < ALWAYS), *places_and_values)

    def doubt(self, after: bytearray, item: int, progress: int) -> None:
        """Let a worker find out whether a request has created a task."""
        terms = self.terms
        relies_on_keys = terms.has_keys and (
            not terms.strips_keys or terms.compares_echo != "before"
        )
        if relies_on_keys and (after[item + SENT] < terms.sends or after[item + KEY]):
            after[progress], after[progress + 1] = ASK, 0  # with the same key, at once
        else:
            after[progress], after[progress + 1] = SEARCH, terms.window
