"""The contents of the files of these tests, and of a directory."""

import random
from pathlib import Path

__all__ = ["LARGE", "NAME", "OTHER", "SMALL", "listing", "parts"]

NAME = "report.bin"
LARGE = random.Random(1).randbytes(5_000_000)
"""Five megabytes in which no piece repeats."""

SMALL = LARGE[:50_000]
OTHER = LARGE[1_000_000:1_050_000]


def listing(directory: Path) -> list[Path]:
    """Everything in a directory, sorted.

    Args:
        directory: The directory.
    """
    return sorted(directory.iterdir())


def parts(directory: Path) -> list[str]:
    """The names of everything in a directory except the finished file.

    Args:
        directory: The directory.
    """
    return [path.name for path in listing(directory) if path.name != NAME]
