"""Progress of one transfer, and of several as one."""

from collections.abc import Callable

__all__ = ["OnProgress", "SharedProgress"]

OnProgress = Callable[[int, int | None], object]
"""Called with the bytes received and the bytes in all, None while that is not known."""


class SharedProgress:
    """Adds up several downloads for one callback.

    Args:
        count: How many downloads there are.
        callback: Told the sums; the total is None until the size of each file is known.
    """

    def __init__(self, count: int, callback: OnProgress) -> None:
        self._received = [0] * count
        self._totals: list[int | None] = [None] * count
        self._callback = callback

    def of(self, index: int) -> OnProgress:
        """The callback for one of the downloads.

        Args:
            index: Which one.
        """

        def tell(received: int, total: int | None) -> None:
            self._received[index] = received
            self._totals[index] = total
            known = [each for each in self._totals if each is not None]
            complete = len(known) == len(self._totals)
            self._callback(sum(self._received), sum(known) if complete else None)

        return tell
