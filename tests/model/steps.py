"""The common part of the steps of the model's parts: each changes one item."""

from collections.abc import Callable

import attrs

from tests.model.layout import (
    ABOUT,
    ASK,
    CUTS,
    FAULTS,
    HAS_KEY,
    HELD_BY_SERVER,
    KEYED,
    KNOWS,
    LATE_STATEMENT,
    LIST,
    NO_OWNER,
    NOT_ASKED,
    PROGRESS,
    REQUESTS,
    SEARCH,
    SENT,
    SIZE,
    STRIDE,
    TASKS,
    TOKEN,
    UPGRADES,
    WORKERS,
    changed,
)
from tests.model.terms import ALWAYS, Terms

New = Callable[[bytearray, str], None]
"""Is called with a changed state, and with the step's label."""


@attrs.frozen
class Others:
    """The facts about the other items on which an item's steps depend."""

    at_work: tuple[int, ...]  # how many of them each worker works on
    claims: tuple[bool, ...]  # whether an answer to a claim is on its way to each worker
    used: int  # of the budget
    holders: frozenset[int]  # whether those with money are handed out
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

    def knows_at(self, worker: int) -> int:
        """The place in the state for a worker's knowledge of keys."""
        return SIZE + ABOUT * worker + KNOWS

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
        progress = (PROGRESS + STRIDE * worker + 3 for worker in range(WORKERS))
        places = (TOKEN, LATE_STATEMENT + 2, *(each + 1 for each in TASKS), *progress)
        used = {self.state[at] for at in (*places, *(each + 2 for each in REQUESTS))}
        return next(each for each in range(1, len(used) + 2) if each not in used)

    def doubt(self, after: bytearray, worker: int) -> None:
        """Let a worker find out whether a request has created a task."""
        terms, progress = self.terms, PROGRESS + STRIDE * worker
        after[progress], after[progress + 1] = SEARCH, terms.window
        if not terms.has_keys:
            return
        knows = after[self.knows_at(worker)]
        if terms.writes_whether_keyed and not after[KEYED]:
            return  # the server's present answer says nothing about an earlier request
        if knows == NOT_ASKED and not terms.writes_whether_keyed:
            after[progress], after[progress + 1] = LIST, 0
        elif knows == HELD_BY_SERVER and self._may_repeat(after, progress):
            after[progress], after[progress + 1] = ASK, 0  # with the same key, at once

    def _may_repeat(self, after: bytearray, progress: int) -> bool:
        # A request with a key may be repeated without an end.
        return after[SENT] < self.terms.sends or self.has_key(after, after[progress + 3])

    def write(self, after: bytearray, label: str, statement: int, worker: int, token: int) -> None:
        """Add a statement, and that its connection breaks, so that it is executed once more."""
        self.new(after, label)
        if self.left(CUTS) and not after[LATE_STATEMENT]:
            at = LATE_STATEMENT
            twice = changed(after, at, statement, at + 1, worker, at + 2, token)
            self.new(self.again(twice, CUTS), f"{label}, and once more later")

    def without_statement(self, after: bytearray) -> bytearray:
        """The state without a statement that is late."""
        at = LATE_STATEMENT
        after[at], after[at + 1], after[at + 2] = 0, NO_OWNER, 0
        return after
