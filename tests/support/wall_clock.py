"""A wall clock for servers under test."""

from datetime import UTC, datetime

__all__ = ["WallClock"]


class WallClock:
    """Shows the time that a test sets.

    Attributes:
        time: The time.
    """

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time that it shows."""
        return self.time
