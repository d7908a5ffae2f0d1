"""The model of a budget around single calls, `session.budget`, with a service that may be late."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import attrs

from tests.proofs.model.search import Step

MAXIMUM, COST = 2, 1  # what a task may cost, and does

# Where a call stands
(START, RESERVED, WIRE, SEARCH, FOUND, OVER, UNKNOWN, CANCELLED, REFUSED) = range(9)
PLACES: Final = (
    *("start", "reserved", "wire", "search", "found", "over", "unknown", "cancelled", "refused"),
)
RETURNED: Final = frozenset({OVER, UNKNOWN, CANCELLED, REFUSED})


@attrs.frozen(kw_only=True)
class ScopeTerms:
    """The defaults are the scope as built."""

    calls: int = 2
    budget: int = 3
    losses: int = 1  # of answers
    delays: int = 1  # of requests
    cancels: int = 1  # of calls
    window: int = 2  # of the search, in ticks
    reserves_twice: bool = True  # for a request that is sent again
    refresh_resolves: bool = True  # `refresh` looks for the tasks of calls that were cancelled


@attrs.frozen(cache_hash=True)
class Call:
    """One `submit`."""

    place: int = START
    held: int = 0  # reservations
    requests: int = 0  # under way
    running: int = 0  # tasks
    finished: int = 0
    clock: int = 0  # of the search


@attrs.frozen(cache_hash=True)
class Scope:
    """A state."""

    calls: tuple[Call, ...]
    spent: int
    losses: int
    delays: int
    cancels: int


@attrs.frozen
class BudgetScope:
    """Submissions in one budget, which are sent again as batches do."""

    terms: ScopeTerms

    @property
    def start(self) -> Scope:
        """No call is sent."""
        terms = self.terms
        return Scope((Call(),) * terms.calls, 0, terms.losses, terms.delays, terms.cancels)

    def broken(self, state: Scope) -> str | None:
        """The invariant that is broken."""
        if self._used(state) > self.terms.budget:
            return "spent and reserved exceed the budget"
        most = sum(each.running * MAXIMUM + each.finished * COST for each in state.calls)
        if most > self.terms.budget:
            return "the budget is exceeded"
        return None

    def is_good(self, state: Scope) -> bool:
        """Whether all calls have returned, and money is reserved only for possible costs."""
        return all(
            each.place in RETURNED
            and (
                not each.held
                or each.place == UNKNOWN
                or each.requests + each.running + each.finished > 0
            )
            for each in state.calls
        )

    def successors(self, state: Scope) -> list[Scope]:
        """The states after each step that can be taken."""
        return [after for after, _label in self._steps(state)]

    def _steps(self, state: Scope) -> list[tuple[Scope, str]]:
        found = list[tuple[Scope, str]]()
        for index in range(len(state.calls)):
            _CallSteps(self.terms, state, index, found, self._used(state)).add_all()
        return found

    def _used(self, state: Scope) -> int:
        return state.spent + sum(each.held for each in state.calls) * MAXIMUM

    def show(self, state: Scope) -> str:
        """The state in words."""
        texts = (
            f"[{PLACES[each.place]}; held {each.held}, requests {each.requests}, "
            f"tasks {each.running}+{each.finished}]"
            for each in state.calls
        )
        return f"{' '.join(texts)} spent {state.spent}"

    def trace(self, path: Sequence[Scope]) -> list[Step]:
        """The steps along states of which each one follows the one before it."""
        steps = [Step("start", self.show(path[0]))]
        for before, after in pairwise(path):
            label = next(label for state, label in self._steps(before) if state == after)
            steps.append(Step(label, self.show(after)))
        return steps


@attrs.frozen
class _CallSteps:
    terms: ScopeTerms
    state: Scope
    index: int
    found: list[tuple[Scope, str]]
    used: int

    def add_all(self) -> None:
        call = self.state.calls[self.index]
        has_room = self.used + MAXIMUM <= self.terms.budget
        if call.place == START and has_room:
            self._new("reserves its maximum", place=RESERVED, held=1)
        elif call.place == START:
            self._new("is refused", place=REFUSED)
        elif call.place == RESERVED:
            self._new("sends run-task", place=WIRE, requests=call.requests + 1)
        elif call.place == WIRE:
            self._wire()
        elif call.place == SEARCH:
            self._search(call, has_room=has_room)
        elif call.place == FOUND and call.finished:
            # What a first request may still make has a reservation of its own.
            held = max(call.held - 1, 0)
            self._new("settles", spent=COST, place=OVER, held=held)
        elif call.place == CANCELLED and call.held and self.terms.refresh_resolves:
            self._refresh(call)
        self._service(call)

    def _wire(self) -> None:
        if self.state.losses:
            window = self.terms.window
            self._new("gets no answer, and looks", losses=1, place=SEARCH, clock=window)
        if self.state.cancels:
            self._new("is cancelled", cancels=1, place=CANCELLED)

    def _search(self, call: Call, *, has_room: bool) -> None:
        if call.running or call.finished:
            self._new("finds the task", place=FOUND)
        elif call.clock and not (call.requests and call.clock == 1):
            self._new("time passes", clock=call.clock - 1)
        elif call.clock:
            if self.state.delays:
                self._new("time passes, and run-task is late", delays=1, clock=0)
        elif not self.terms.reserves_twice:
            self._new("sends it again with one reservation", place=RESERVED)
        elif has_room:
            self._new("reserves once more", place=RESERVED, held=call.held + 1)
        else:
            self._new("may not send it again", place=UNKNOWN)

    def _refresh(self, call: Call) -> None:
        if call.running or call.finished:
            self._new("is found by a refresh", place=FOUND)
        elif not call.requests:
            self._new("is not found by a refresh in the window", held=0)

    def _service(self, call: Call) -> None:
        if call.running:
            self._new("has a task that ends", running=call.running - 1, finished=call.finished + 1)
        if call.requests:
            place = FOUND if call.place == WIRE else call.place
            made = {"requests": call.requests - 1, "running": call.running + 1}
            self._new("gets a task", place=place, **made)
            if call.place == CANCELLED:
                self._new("has a request that is lost", requests=call.requests - 1)

    def _new(
        self,
        label: str,
        *,
        spent: int = 0,
        losses: int = 0,
        delays: int = 0,
        cancels: int = 0,
        **call: int,
    ) -> None:
        calls = list(self.state.calls)
        calls[self.index] = attrs.evolve(calls[self.index], **call)
        state = self.state
        after = Scope(
            tuple(calls),
            state.spent + spent,
            state.losses - losses,
            state.delays - delays,
            state.cancels - cancels,
        )
        self.found.append((after, f"call {self.index} {label}"))
