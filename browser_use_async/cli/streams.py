"""Output of commands: standard streams that fail."""

import errno
import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO, cast


class OutputError(Exception):
    """Something could not be written to stdout."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(cause.strerror or str(cause))
        self.is_broken_pipe = isinstance(cause, BrokenPipeError)
        self.task_id: str | None = None  # the task whose answer it was


class ClosedStream(io.TextIOBase):
    """Replaces a stream that the shell closed with `>&-`, for which Python has None."""

    def write(self, text: str, /) -> int:
        """Fail like the closed file descriptor."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def open_or_closed(stream: TextIO | None) -> TextIO:
    """A standard stream, or a stream that refuses each write if that one is closed."""
    return cast("TextIO", ClosedStream()) if stream is None else stream


@contextmanager
def output_errors() -> Generator[None]:
    """Turn an error of writing into an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise OutputError(error) from error


@contextmanager
def answer_of(task_id: str | None) -> Generator[None]:
    """Add the task whose answer is written in the block to an `OutputError`."""
    try:
        yield
    except OutputError as error:
        error.task_id = task_id
        raise


def flush_at_exit() -> OutputError | None:
    """Write what is buffered. What cannot be written is dropped; returns the error of stdout."""
    failure = None
    # stderr first, so that an error of stdout, which decides the exit code, is the one that stays.
    streams: tuple[TextIO | None, ...] = (sys.stderr, sys.stdout)
    for stream in filter(None, streams):
        try:
            stream.flush()
        except OSError as error:
            # Python would flush once more when it exits, and print an error of its own.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            failure = OutputError(error) if stream is sys.stdout else None
    return failure
