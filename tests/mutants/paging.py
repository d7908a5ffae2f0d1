"""Mutants of reading at once and of resuming."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_PREFETCH = "paging/prefetch.py"
_SEEN = "paging/seen.py"
_CURSOR = "paging/cursor.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a deletion offset by creations is missed between prefetched pages",
        _PREFETCH,
        "if self._idle > MOST_IDLE or not self._fits(page, position, unread):",
        "if self._idle > MOST_IDLE:",
        ("paging/test_prefetch.py::test_exact_under_churn",),
    ),
    Mutant(
        "rows that creations push between prefetched pages are not read first",
        _PREFETCH,
        "        if position < unread:\n",
        "        if position < 0:\n",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "a shrinking list is still prefetched",
        "paging/iterators.py",
        "            self._parallel, self._depth = None, 1\n",
        "            self._parallel = None\n",
        ("paging/test_prefetch.py::test_back_to_one_at_a_time_when_the_count_shrinks",),
    ),
    Mutant(
        "more pages are prefetched than asked for",
        _PREFETCH,
        "while len(self._requests) < self.depth and",
        "while len(self._requests) <= self.depth and",
        ("paging/test_prefetch.py::test_exact_under_churn",),
    ),
    Mutant(
        "a page token counts rows that were read and not yielded",
        _SEEN,
        "if each not in hidden and _is_undecided(date, frontier)",
        "if _is_undecided(date, frontier)",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "a page token points behind the whole page of its row",
        _CURSOR,
        "                covered = min(covered, self._top + first)\n",
        "                covered = max(covered, self._top + first)\n",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "a page token drops the rows of the same date as its last one",
        _SEEN,
        "    return date is None or date <= frontier\n",
        "    return date is None or date < frontier\n",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "a page token drops the start of the iteration",
        _CURSOR,
        'point.more["ceiling"], border',
        "None, border",
        ("paging/test_tokens.py::test_a_resumed_reader_reads_at_once",),
    ),
    Mutant(
        "a page token of a list without dates points behind the whole page of its row",
        "paging/cursor.py",
        "self._top is not None:\n            covered = min(covered, self._top + first)\n",
        "self._top is not None:\n            covered = max(covered, self._top + first)\n",
        ("paging/test_tokens.py::test_lists_of_unknown_direction",),
    ),
    # Many tasks of one date.
    Mutant(
        "a page token within many tasks of one date points behind them",
        "paging/tokens.py",
        "        above = max(point.covered - len(digests), 0)\n",
        "        above = point.covered\n",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "a page token within many tasks of one date holds the first of them",
        "paging/tokens.py",
        "digests[-max(room, _FEWEST) :])",
        "digests[: max(room, _FEWEST)])",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "the length of a page token has no limit",
        "paging/tokens.py",
        "    if len(text) <= _LONGEST_SHORT:\n",
        "    if text:\n",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "rows above the last yielded task are not known by their place",
        _SEEN,
        "[: found[-1][0] + 1] if self._is_block(found) else []",
        "[:0]",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "the order of tasks of one date is trusted unchecked",
        _SEEN,
        "            len(found) >= min(FEWEST, len(self.anchors))\n            and in_order\n"
        "            and found[-1][0] - first == len(found) - 1\n",
        "            len(found) >= min(FEWEST, len(self.anchors))\n",
        ("paging/test_ties.py::test_the_place_is_gone",),
    ),
    Mutant(
        "rows below unknown ones count as yielded",
        _CURSOR,
        "                self.deferred.update((row.id, row) for row in rows)\n",
        "                return self._add_seen(rows, at_end=True)\n",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
)
