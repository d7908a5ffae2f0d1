"""Places for what costs memory while it lasts, of which each owner, link or address has few."""

import math
from collections import Counter
from collections.abc import Generator, Hashable
from contextlib import contextmanager


class Places:
    """How many of something there may be at once.

    Args:
        of_each: How many with one key, such as an owner.
        of_all: How many with all keys together.
    """

    def __init__(self, of_each: int, of_all: float = math.inf) -> None:
        self.of_each = of_each
        self._of_all = of_all
        self._taken: Counter[Hashable] = Counter()

    def has_one(self, key: Hashable) -> bool:
        """Whether another one with a key may begin."""
        return self._taken[key] < self.of_each and self._taken.total() < self._of_all

    @contextmanager
    def taken(self, key: Hashable) -> Generator[None]:
        """Count one until the end of the block; `has_one` has said before that there is room."""
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
