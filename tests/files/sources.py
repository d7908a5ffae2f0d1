"""The same content from every kind of source that can be uploaded."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["CONTENT", "NAME", "SOURCES", "as_file", "as_path", "as_raw_file", "as_text"]

NAME = "data.csv"
CONTENT = bytes(range(256)) * 400


def as_path(directory: Path) -> Path:
    """The content as a file, by its path."""
    (directory / NAME).write_bytes(CONTENT)
    return directory / NAME


def as_text(directory: Path) -> str:
    """The content as a file, by the text of its path."""
    return str(as_path(directory))


def as_file(directory: Path) -> Any:
    """The content as an opened file."""
    return as_path(directory).open("rb")


def as_raw_file(directory: Path) -> Any:
    """The content as an opened file, whose `read` may return less than requested."""
    return as_path(directory).open("rb", buffering=0)


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": as_path,
    "text": as_text,
    "bytes": lambda _directory: CONTENT,
    "bytearray": lambda _directory: bytearray(CONTENT),
    "memoryview": lambda _directory: memoryview(CONTENT),
    "stream": lambda _directory: io.BytesIO(CONTENT),
    "file": as_file,
    "raw-file": as_raw_file,
}
