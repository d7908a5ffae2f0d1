"""Mutants of reading at once and of resuming."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_PREFETCH = "paging/prefetch.py"
_SEEN = "paging/seen.py"
_CURSOR = "paging/cursor.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a deletion that births hide is not noticed between pages read at once",
        _PREFETCH,
        "if self._idle > MOST_IDLE or not self._fits(page, position, unread):",
        "if self._idle > MOST_IDLE:",
        ("C14",),
    ),
    Mutant(
        "rows that births push between pages read at once are not read first",
        _PREFETCH,
        "        if position < unread:\n",
        "        if position < 0:\n",
        ("C14",),
    ),
    Mutant(
        "a list that shrinks is read several pages at once all the same",
        "paging/iterators.py",
        "            self._parallel, self._depth = None, 1\n",
        "            self._parallel = None\n",
        ("C14",),
    ),
    Mutant(
        "more pages are read at once than asked for",
        _PREFETCH,
        "while len(self._requests) < self.depth and",
        "while len(self._requests) <= self.depth and",
        ("C14",),
    ),
    Mutant(
        "a token counts rows that were read and not given",
        _SEEN,
        "if each not in hidden and _is_undecided(date, frontier)",
        "if _is_undecided(date, frontier)",
        ("C14",),
    ),
    Mutant(
        "a token stands behind the whole page of its row",
        _CURSOR,
        "                covered = min(covered, self._top + first)\n",
        "                covered = max(covered, self._top + first)\n",
        ("C14",),
    ),
    Mutant(
        "a token forgets the rows of the same moment as its border",
        _SEEN,
        "    return date is None or date <= frontier\n",
        "    return date is None or date < frontier\n",
        ("C14",),
    ),
    Mutant(
        "a token forgets when the reading began",
        _CURSOR,
        'point.more["ceiling"], border)',
        "None, border)",
        ("C14",),
    ),
    Mutant(
        "a token of a list without dates stands behind the whole page of its row",
        "paging/unordered.py",
        "            covered = min(covered, self._top + first)\n",
        "            covered = max(covered, self._top + first)\n",
        ("C14",),
    ),
    # Many tasks of one date.
    Mutant(
        "a token of many tasks of one date stands behind them",
        "paging/tokens.py",
        "        above = max(point.covered - len(digests), 0)\n",
        "        above = point.covered\n",
        ("C14",),
    ),
    Mutant(
        "a token of many tasks of one date holds the first of them",
        "paging/tokens.py",
        "digests[-max(room, _FEWEST) :])",
        "digests[: max(room, _FEWEST)])",
        ("C14",),
    ),
    Mutant(
        "a token may be as long as its ids make it",
        "paging/tokens.py",
        "    if len(text) <= _LONGEST_SHORT:\n",
        "    if text:\n",
        ("C14",),
    ),
    Mutant(
        "what stands above the last task that was given is not known by that",
        _SEEN,
        "[: found[-1][0] + 1] if self._is_block(found) else []",
        "[:0]",
        ("C14",),
    ),
    Mutant(
        "the order of tasks of one date is relied on without a look",
        _SEEN,
        "            len(found) >= min(FEWEST, len(self.anchors))\n            and in_order\n"
        "            and found[-1][0] - first == len(found) - 1\n",
        "            len(found) >= min(FEWEST, len(self.anchors))\n",
        ("C14",),
    ),
    Mutant(
        "rows below unknown ones count as given before those",
        _CURSOR,
        "                self.deferred.update((row.id, row) for row in rows)\n",
        "                return self._add_seen(rows, at_end=True)\n",
        ("C14",),
    ),
)
