"""Limits for things that cost memory while they last, for each owner, link or address."""

import math
from collections import Counter
from collections.abc import Generator, Hashable
from contextlib import contextmanager

import attrs


@attrs.define(eq=False, repr=False)
class Places:
    """Limits how many of something there may be at once."""

    _of_each: int  # how many with one key, such as an owner
    _each: str  # what these are and do, in words
    _of_all: float = math.inf  # how many with all keys together
    _all_of_them: str = ""  # what these are and do, in words
    # The key for which `of_all` alone counts
    _favoured: Hashable = attrs.field(default=None, alias="favoured")
    _taken: Counter[Hashable] = attrs.field(factory=Counter, init=False)

    def refusal(self, key: Hashable, count: int = 1) -> str | None:
        """Why there is no place for so many more with a key, or None."""
        if self._taken.total() + count > self._of_all:
            return f"{self._of_all} {self._all_of_them} already, which are the most"
        if self._taken[key] + count > self._of_each and key != self._favoured:
            return f"{self._of_each} {self._each} already, which are the most"
        return None

    @contextmanager
    def taken(self, key: Hashable, count: int = 1) -> Generator[None]:
        """Count so many until the end of the block, after `refusal` has found places for them."""
        self._taken[key] += count
        try:
            yield
        finally:
            self._taken[key] -= count
            if not self._taken[key]:
                del self._taken[key]
