"""Replays the tasks of a cassette in the bundled server."""

import difflib
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from browser_use_async.server.executors.protocol import (
    Assignment,
    Control,
    Failed,
    Finished,
    Step,
)
from browser_use_async.server.executors.scripted import Scenario, play

if TYPE_CHECKING:
    from browser_use_async.testing.cassette import Cassette, Match, RecordedTask

_LISTED = 5
"""How many tasks of a cassette a message names."""


class CassetteExecutor:
    """Lets each task go as one of a cassette went, and fails those that it does not have."""

    name = "cassette"
    reports_start = True  # tasks wait as long as they did

    def __init__(self, cassette: "Cassette", speed: float, match: "Match") -> None:
        self._cassette = cassette
        self._speed = speed
        self._match = match
        self._played: Counter[str] = Counter()

    def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Play the recording of one task."""
        return play(self._choose(assignment.task), assignment, control)

    async def aclose(self) -> None:
        """There is nothing to release."""

    def _choose(self, text: str) -> Scenario:
        recorded = self._recordings(text)
        if not recorded:
            problem = _unknown(text, self._cassette)
            return Scenario(steps=(), outcome="failed", reason=problem)
        # A recording with a pattern is counted by its own text, whatever text it follows.
        key = "" if self._match == "any" else recorded[0].task
        number = min(self._played[key], len(recorded) - 1)
        self._played[key] += 1
        return recorded[number].scenario(self._speed)

    def _recordings(self, text: str) -> Sequence["RecordedTask"]:
        tasks = self._cassette.tasks
        if self._match == "any":
            return tasks
        exact = [each for each in tasks if each.task == text]
        return exact or [each for each in tasks if _follows_pattern(text, each)]


def _follows_pattern(text: str, recorded: "RecordedTask") -> bool:
    # The whole text: part of one would let a short pattern take every task.
    return recorded.pattern is not None and re.fullmatch(recorded.pattern, text) is not None


def _unknown(text: str, cassette: "Cassette") -> str:
    names = list(dict.fromkeys(each.task for each in cassette.tasks))
    problem = f"{cassette.name} has no task {text!r:.200}"
    if not names:
        return f"{problem}, nor any other; record it"
    listed = "; ".join(f"{name!r:.100}" for name in names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    near = difflib.get_close_matches(text, names, n=1)
    hint = f"did you mean {near[0]!r:.100}? " if near else ""
    return f"{problem}; {hint}It has: {listed}{more}. Record it again, or give one a pattern"
