"""The common part of the steps of the model's parts: each changes one item."""

from collections.abc import Callable

import attrs

from tests.proofs.model.layout import (
    ASK,
    CLOCK,
    FAULTS,
    HAS_KEY,
    HELD_BY_SERVER,
    KEYED,
    KNOWS,
    LIST,
    MARK,
    NOT_ASKED,
    PLACE,
    REQUESTS,
    ROW,
    SEARCH,
    SENT,
    SIZE,
    TASKS,
    TOKEN,
    UNKNOWN,
    UPGRADES,
    changed,
)
from tests.proofs.model.terms import ALWAYS, Terms

New = Callable[[bytearray, str], None]
"""Is called with a changed state, and with the step's label."""

KNOWN = SIZE + KNOWS
"""The place in the state for the knowledge of the item's process about keys."""


@attrs.frozen
class Others:
    """The facts about the other items on which an item's steps depend."""

    at_work: int  # how many of them the process works on
    used: int  # of the budget
    holders: int  # how many of them are under way and have money
    tasks: tuple[int, ...]  # the ends of their tasks, if the items are the same one


@attrs.define(eq=False)
class Steps:
    """The steps of one part with one item; the state is its block and the common part."""

    terms: Terms
    state: bytes
    others: Others
    new: New

    def left(self, fault: int) -> int:
        """How often a fault may still happen."""
        return self.state[SIZE + FAULTS + fault]

    def after(self, fault: int, *places_and_values: int) -> bytearray:
        """The state after a fault."""
        return self.again(changed(self.state, *places_and_values), fault)

    def again(self, after: bytearray, fault: int) -> bytearray:
        """The state, in which a fault has happened, too."""
        place = SIZE + FAULTS + fault
        after[place] -= after[place] < ALWAYS
        return after

    @property
    def says_supported(self) -> bool:
        """Whether all servers announce that they know keys."""
        return self.knows_keys and (self.terms.says_early or not self.terms.has_old_nodes)

    @property
    def knows_keys(self) -> bool:
        """Whether the server, or some of its nodes, know keys by then."""
        return self.terms.has_keys and not self.left(UPGRADES)

    def has_key(self, state: bytes | bytearray, token: int) -> bool:
        """Whether the server knows the key of a token."""
        if self.terms.is_shared and any(task & HAS_KEY for task in self.others.tasks):
            return True
        return any(state[at] & HAS_KEY and state[at + 1] == token for at in TASKS)

    def unused_token(self) -> int:
        """A token that no row, no request and no task has."""
        if self.terms.is_shared:
            return 1  # it comes from the key
        places = (TOKEN, MARK, *(each + 1 for each in TASKS), *(each + 2 for each in REQUESTS))
        used = {self.state[at] for at in places}
        return next(each for each in range(1, len(used) + 2) if each not in used)

    def look(self, after: bytearray) -> None:
        """Let the run find out whether a request has created a task."""
        terms = self.terms
        # The run that left it unknown has searched for a whole window.
        was_searched = after[ROW] == UNKNOWN and not after[KEYED]
        after[PLACE], after[CLOCK] = SEARCH, 0 if was_searched else terms.window
        if not terms.has_keys:
            return
        if terms.writes_whether_keyed and not after[KEYED]:
            return  # the server's present answer says nothing about an earlier request
        if after[KNOWN] == NOT_ASKED and not terms.writes_whether_keyed:
            after[PLACE], after[CLOCK] = LIST, 0
        elif after[KNOWN] == HELD_BY_SERVER and self._may_repeat(after):
            after[PLACE], after[CLOCK] = ASK, 0  # with the same key, at once

    def _may_repeat(self, after: bytearray) -> bool:
        # A request with a key may be repeated without an end.
        return after[SENT] < self.terms.sends or self.has_key(after, after[MARK])
