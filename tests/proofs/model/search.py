"""A search of all states of a model, breadth first, so that a counterexample is a shortest one."""

import time
from array import array
from collections.abc import Hashable, Sequence
from typing import Generic, Protocol, TypeVar

import attrs

StateT = TypeVar("StateT", bound=Hashable)


class Model(Protocol[StateT]):
    """The searched model, which brings its states into one form before it adds them."""

    @property
    def start(self) -> StateT:
        """The state in which it begins."""

    def successors(self, state: StateT) -> Sequence[StateT]:
        """The states after each step that can be taken."""

    def broken(self, state: StateT) -> str | None:
        """The invariant that is broken, in words."""

    def is_good(self, state: StateT) -> bool:
        """Whether a run may end here."""

    def show(self, state: StateT) -> str:
        """The state in words."""

    def trace(self, path: Sequence[StateT]) -> "list[Step]":
        """The steps along states of which each one follows the one before it."""


@attrs.frozen
class Step:
    """A step of a counterexample."""

    label: str
    state: str  # after it, in words


@attrs.frozen(kw_only=True)
class Verdict:
    """The result of a search."""

    states: int
    depth: int
    seconds: float
    is_whole: bool  # whether every state was seen that can be reached
    problem: str | None = None
    trace: tuple[Step, ...] = ()

    @property
    def text(self) -> str:
        """The result in words."""
        if self.problem is not None:
            return f"refuted: {self.problem}"
        return "true" if self.is_whole else "true so far"


class Search(Generic[StateT]):
    """One search: the states that were seen, and the one from which each was reached first."""

    def __init__(self, model: Model[StateT], *, ends: bool) -> None:
        self._model = model
        self._ends = ends  # whether each run must be able to end well
        self._seen: dict[StateT, int] = {model.start: 0}
        self._states = [model.start]
        self._parents = array("q", [-1])
        # Each step, as two numbers of states, if the ends are asked for
        self._sources, self._targets = array("i"), array("i")

    def run(self, most: int | None = None) -> Verdict:
        """Search all states, or the first `most`, up to the first broken invariant."""
        began = time.perf_counter()
        states = self._states
        problem, at = self._model.broken(states[0]), 0
        position = depth = 0
        depth_ends = 1

        while position < len(states) and problem is None and (most is None or len(states) < most):
            if position == depth_ends:
                depth, depth_ends = depth + 1, len(states)
            for state in self._model.successors(states[position]):
                at = self._add(position, state)
                if at == len(states) - 1 and (problem := self._model.broken(state)) is not None:
                    break
            position += 1
        is_whole = problem is None and position == len(states)
        if is_whole and self._ends and (stuck := self._first_without_end()) is not None:
            problem, at = "no good end can be reached", stuck
        return Verdict(
            states=len(states),
            depth=depth,
            seconds=time.perf_counter() - began,
            is_whole=is_whole,
            problem=problem,
            trace=() if problem is None else tuple(self._model.trace(self._path(at))),
        )

    def _add(self, source: int, state: StateT) -> int:
        index = self._seen.get(state)
        if index is None:
            index = self._seen[state] = len(self._states)
            self._states.append(state)
            self._parents.append(source)
        if self._ends:
            self._sources.append(source)
            self._targets.append(index)
        return index

    def _first_without_end(self) -> int | None:
        """The first state from which no good one can be reached."""
        before: list[list[int]] = [[] for _state in self._states]
        for source, target in zip(self._sources, self._targets, strict=True):
            before[target].append(source)
        can_end = bytearray(map(self._model.is_good, self._states))
        reached = [index for index, is_good in enumerate(can_end) if is_good]
        while reached:
            for each in before[reached.pop()]:
                if not can_end[each]:
                    can_end[each] = 1
                    reached.append(each)
        first = can_end.find(0)
        return None if first < 0 else first

    def _path(self, at: int) -> list[StateT]:
        path = list[StateT]()
        while at >= 0:
            path.append(self._states[at])
            at = self._parents[at]
        return path[::-1]
