"""Mutants of reading at once and of resuming."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_PARALLEL = "paging/parallel.py"
_KNOWN = "paging/known_rows.py"
_SINGLE = "paging/compensation.py"

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a deletion that births hide is not noticed between pages read at once",
        _PARALLEL,
        "if self._idle > MOST_IDLE or not self._fits(page, place, unknown):",
        "if self._idle > MOST_IDLE:",
        ("C14",),
    ),
    Mutant(
        "rows that births push between pages read at once are not read first",
        _PARALLEL,
        "        if place < unknown:\n",
        "        if place < 0:\n",
        ("C14",),
    ),
    Mutant(
        "a list that shrinks is read several pages at once all the same",
        "paging/task_reader.py",
        "            self._parallel, self._depth = None, 1\n",
        "            self._parallel = None\n",
        ("C14",),
    ),
    Mutant(
        "more pages are read at once than asked for",
        _PARALLEL,
        "while len(self._waiting) < self.depth and",
        "while len(self._waiting) <= self.depth and",
        ("C14",),
    ),
    Mutant(
        "a token counts rows that were read and not given",
        _KNOWN,
        "if each not in hidden and _is_beside(date, frontier)",
        "if _is_beside(date, frontier)",
        ("C14",),
    ),
    Mutant(
        "a token stands behind the whole page of its row",
        _SINGLE,
        "                covered = min(covered, self._top + first)\n",
        "                covered = max(covered, self._top + first)\n",
        ("C14",),
    ),
    Mutant(
        "a token forgets the rows of the same moment as its border",
        _KNOWN,
        "    return date is None or date <= frontier\n",
        "    return date is None or date < frontier\n",
        ("C14",),
    ),
    Mutant(
        "a token forgets when the reading began",
        _SINGLE,
        'point.more["ceiling"], border)',
        "None, border)",
        ("C14",),
    ),
    Mutant(
        "a token of a list without dates stands behind the whole page of its row",
        "paging/undirected.py",
        "            covered = min(covered, self._top + first)\n",
        "            covered = max(covered, self._top + first)\n",
        ("C14",),
    ),
)
