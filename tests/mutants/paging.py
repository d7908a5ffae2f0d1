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
        "ParallelReader.feed",
        "self._idle > MOST_IDLE or not self._fits(page, position, unread)",
        "self._idle > MOST_IDLE",
        ("paging/test_prefetch.py::test_exact_under_churn",),
    ),
    Mutant(
        "rows that creations push between prefetched pages are not read first",
        _PREFETCH,
        "ParallelReader.feed",
        "position < unread",
        "position < 0",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "a shrinking list is still prefetched",
        "paging/iterators.py",
        "_TaskReader._choose_mode",
        "self._parallel, self._depth = None, 1",
        "self._parallel = None",
        ("paging/test_prefetch.py::test_back_to_one_at_a_time_when_the_count_shrinks",),
    ),
    Mutant(
        "more pages are prefetched than asked for",
        _PREFETCH,
        "ParallelReader.requests",
        "len(self._requests) < self.depth",
        "len(self._requests) <= self.depth",
        ("paging/test_prefetch.py::test_exact_under_churn",),
    ),
    Mutant(
        "a page token counts rows that were read and not yielded",
        _SEEN,
        "SeenRows.snapshot",
        "each not in hidden and _is_undecided(date, frontier)",
        "_is_undecided(date, frontier)",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "a page token points behind the whole page of its row",
        _CURSOR,
        "NewestFirstCursor.resume_point",
        "min(covered, self._top + first)",
        "max(covered, self._top + first)",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "a page token drops the rows of the same date as its last one",
        _SEEN,
        "_is_undecided",
        "date <= frontier",
        "date < frontier",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "a page token drops the start of the iteration",
        _CURSOR,
        "NewestFirstCursor.resumed",
        'point.more["ceiling"]',
        "None",
        ("paging/test_tokens.py::test_a_resumed_reader_reads_at_once",),
    ),
    Mutant(
        "a page token of a list without dates points behind the whole page of its row",
        "paging/cursor.py",
        "UnorderedCursor.resume_point",
        "min(covered, self._top + first)",
        "max(covered, self._top + first)",
        ("paging/test_tokens.py::test_lists_of_unknown_direction",),
    ),
    # Many tasks of one date.
    Mutant(
        "a page token within many tasks of one date points behind them",
        "paging/tokens.py",
        "_encode_short",
        "max(point.covered - len(digests), 0)",
        "point.covered",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "a page token within many tasks of one date holds the first of them",
        "paging/tokens.py",
        "_encode_short",
        "digests[-max(room, _FEWEST) :]",
        "digests[: max(room, _FEWEST)]",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "the length of a page token has no limit",
        "paging/tokens.py",
        "_encode_short",
        "len(text) <= _LONGEST_SHORT",
        "text",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "rows above the last yielded task are not known by their place",
        _SEEN,
        "TieSearch.seen",
        "list(self.held.values())[: found[-1][0] + 1] if self._is_block(found) else []",
        "list(self.held.values())[:0]",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
    Mutant(
        "the order of tasks of one date is trusted unchecked",
        _SEEN,
        "TieSearch._is_block",
        """
            len(found) >= min(FEWEST, len(self.anchors))
            and in_order
            and found[-1][0] - first == len(found) - 1
        """,
        "len(found) >= min(FEWEST, len(self.anchors))",
        ("paging/test_ties.py::test_the_place_is_gone",),
    ),
    Mutant(
        "rows below unknown ones count as yielded",
        _CURSOR,
        "NewestFirstCursor._add",
        "self.deferred.update((row.id, row) for row in rows)",
        "return self._add_seen(rows, at_end=True)",
        ("paging/test_ties.py::test_exact_among_tasks_of_one_date",),
    ),
)
