"""A server in a process of its own, so that its work is not counted as the clients'."""

import multiprocessing
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

__all__ = ["ServerProcess"]


class ServerProcess:
    """Use as a context manager.

    Args:
        serve: The function that runs in the process; it gets its end of the pipe, then the
            arguments.
        arguments: Its further arguments.

    Attributes:
        pipe: This side's end of the pipe.
    """

    def __init__(self, serve: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self._process = context.Process(target=serve, args=(there, *arguments), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.join()
