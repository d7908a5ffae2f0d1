"""Limits for things that cost memory while they last, for each owner, link or address."""

import math
from collections import Counter
from collections.abc import Generator, Hashable
from contextlib import contextmanager


class Places:
    """Limits how many of something there may be at once.

    Args:
        of_each: How many with one key, such as an owner.
        each: What these are and do, in words.
        of_all: How many with all keys together.
        all_of_them: What these are and do, in words.
        favoured: The key for which `of_all` alone counts.
    """

    def __init__(
        self,
        of_each: int,
        each: str,
        of_all: float = math.inf,
        all_of_them: str = "",
        favoured: Hashable = None,
    ) -> None:
        self._of_each = of_each
        self._each = each
        self._of_all = of_all
        self._all_of_them = all_of_them
        self._favoured = favoured
        self._taken: Counter[Hashable] = Counter()

    def refusal(self, key: Hashable) -> str | None:
        """Why there is no place for another one with a key, or None."""
        if self._taken.total() >= self._of_all:
            return f"{self._of_all} {self._all_of_them} already, which are the most"
        if self._taken[key] >= self._of_each and key != self._favoured:
            return f"{self._of_each} {self._each} already, which are the most"
        return None

    @contextmanager
    def taken(self, key: Hashable) -> Generator[None]:
        """Count one until the end of the block, after `refusal` has found a place for it."""
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
