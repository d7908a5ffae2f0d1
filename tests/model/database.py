"""The steps of the row of an item besides those of its workers."""

import attrs

from tests.model.layout import (
    A_REFUSAL,
    A_TASK,
    AN_INTENT,
    AT_REST,
    DONE,
    FAILED,
    INTENT,
    LATE_STATEMENT,
    NEW,
    OWNER,
    QUEUE,
    ROUND,
    ROW,
    STATEMENTS,
    SUBMITTED,
    TOKEN,
    UNDONE,
    UNKNOWN,
    WAITING,
    changed,
)
from tests.model.steps import Steps


@attrs.define(eq=False)
class RowSteps(Steps):
    """The steps of the database."""

    def add(self) -> None:
        """Add the possible steps of the row."""
        state = self.state
        if state[LATE_STATEMENT]:
            self._arrive_late()
        is_failed = state[ROW] == FAILED and state[QUEUE] == AT_REST
        if is_failed and state[ROUND] < self.terms.rounds:
            self.new(changed(state, QUEUE, WAITING), "item {}: `retry_failed` lets it wait again")

    def _arrive_late(self) -> None:
        """A statement is executed whose connection broke, or whose run was cancelled."""
        state, statement = self.state, self.state[LATE_STATEMENT]
        after = changed(state)
        if state[OWNER] == state[LATE_STATEMENT + 1] or not self.terms.asks_for_owner:
            self._write(after, statement)
        self.without_statement(after)
        self.new(after, f"item {{}}: {STATEMENTS[statement]} arrives late at the database")

    def _write(self, after: bytearray, statement: int) -> None:
        terms, row = self.terms, after[ROW]
        if row in {DONE, FAILED}:
            goes_over = (
                not terms.asks_for_claim
                or (statement == A_TASK and not terms.asks_for_end)
                or (statement == A_REFUSAL and not terms.asks_for_intent)
            )
            after[ROW] = UNDONE if goes_over else row
        elif statement == AN_INTENT and row in {NEW, INTENT, UNKNOWN}:
            after[ROW], after[TOKEN] = INTENT, after[LATE_STATEMENT + 2]
        elif statement == A_TASK:
            after[ROW] = SUBMITTED
        elif statement == A_REFUSAL and not terms.asks_for_intent:
            after[ROW] = NEW  # although another request is in progress by then
