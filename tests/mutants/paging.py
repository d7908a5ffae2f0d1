"""Mutants of reading at once and of resuming."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a deletion offset by creations is missed between prefetched pages",
        "paging/positions.py",
        "Positions._continues",
        "count < request.total or not fits or self._idle > MOST_IDLE",
        "count < request.total or self._idle > MOST_IDLE",
        ("paging/test_prefetch.py::test_a_deletion_that_a_birth_hides",),
    ),
    Mutant(
        "more pages are prefetched than asked for",
        "paging/positions.py",
        "Positions.requests",
        "len(self._requests) < self._width",
        "len(self._requests) <= self._width",
        ("paging/test_prefetch.py::test_exact_under_churn",),
    ),
    Mutant(
        "a page token counts rows that were read and not yielded",
        "paging/page_reader.py",
        "PageReader.resume_point",
        "self._left if pending else self._positions.unread",
        "self._positions.unread",
        ("paging/test_tokens.py::test_at_every_place",),
    ),
    Mutant(
        "a page token points behind the whole page of its row",
        "paging/page_reader.py",
        "PageReader.commit",
        "min(self._left, below)",
        "0",
        ("paging/test_tokens.py::test_at_every_place",),
    ),
    Mutant(
        "a page token drops the rows of the same date as its last one",
        "paging/page_reader.py",
        "PageReader.commit",
        "self._tied.append(row.id)",
        "pass",
        ("paging/test_tokens.py::test_tasks_of_the_same_moment",),
    ),
    Mutant(
        "a page token drops the start of the iteration",
        "paging/page_reader.py",
        "PageReader.resume_point",
        "ceiling=self._ceiling",
        "ceiling=None",
        ("paging/test_tokens.py::test_a_resumed_reader_reads_at_once",),
    ),
    # Many tasks of one date.
    Mutant(
        "known tasks of one date keep their places",
        "paging/page_reader.py",
        "PageReader.resume_point",
        "len(tied) > 1",
        "False",
        ("paging/test_ties.py::test_other_tasks_where_the_last_ones_were",),
    ),
)
