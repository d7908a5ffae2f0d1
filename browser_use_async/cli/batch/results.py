"""Results as JSON lines, in a file that survives interruptions or on stdout."""

import os
from collections.abc import Collection, Generator
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.batch import BatchResult, ItemState
from browser_use_async.cli.batch.input import InputItem
from browser_use_async.cli.console import json_text
from browser_use_async.errors import ConfigurationError

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


def result_record(
    result: "BatchResult[Any]", item: InputItem | None, *, has_schema: bool
) -> dict[str, Any]:
    """The JSON object for an item that has ended."""
    written: dict[str, Any] = {
        "index": result.index,
        "key": result.key,
        "line": None if item is None else item.line,
        "task": None if item is None else item.task,
        "state": str(result.state),
        "status": None if result.status is None else str(result.status),
        "task_id": result.task_id,
        "output": result.output,
        "steps": result.steps,
        "cost_cents": float(result.cost_cents),
        "former_cost_cents": float(result.former_cost_cents),
        "attempts": result.attempts,
        "error": None,
    }
    if has_schema:
        written["parsed"] = _parsed(result.output)
    if result.error is not None:
        written["error"] = {"type": type(result.error).__name__, "message": str(result.error)}
    return written


def _parsed(output: str | None) -> Any:
    try:
        return None if output is None else read_json(output.encode("utf-8", "surrogatepass"))
    except JsonRefusedError:
        return None


class ResultFile:
    """A results file with one JSON line for each item, used as a context manager.

    Each line is written at once. What a crash left of a line is cut off when the file is opened
    again, and an item that is in it already is not written again.

    Raises:
        ConfigurationError: It is there and `resume` is not set, or it cannot be written, or it
            holds something else.
    """

    def __init__(
        self, path: Path, *, resume: bool, drop: Collection[ItemState] = frozenset()
    ) -> None:
        self.path = path
        self._keys = set[int]()  # digests of 8 bytes: a million keys take little memory
        try:
            if resume and path.exists():
                _drop_lines(path, drop)
            # O_EXCL: without --resume an existing file is never overwritten.
            self._descriptor = os.open(path, _FLAGS | (0 if resume else os.O_EXCL), 0o666)
        except FileExistsError:
            raise ConfigurationError(
                f"{path} is there already; --resume adds to it, or take another name"
            ) from None
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
        self._size = 0
        try:
            for line, value in _whole_lines(path):
                self._keys.add(_digest(value["key"]))
                self._size += len(line)
            os.ftruncate(self._descriptor, self._size)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def add(self, written: dict[str, Any]) -> bool:
        """Add an item, unless it is there.

        Raises:
            ConfigurationError: It cannot be written, and the file ends with the line before.
        """
        digest = _digest(written["key"])
        if digest in self._keys:
            return False
        line = f"{json_text(written)}\n".encode()
        try:
            self._write(line)
        except OSError as error:
            # Half a line would make the file unreadable for the run that resumes.
            os.ftruncate(self._descriptor, self._size)
            raise ConfigurationError(
                f"{self.path} cannot be written: {error.strerror}; the ledger has the result, and "
                "--resume writes it"
            ) from None
        self._size += len(line)
        self._keys.add(digest)
        return True

    def _write(self, line: bytes) -> None:
        written = 0
        while written < len(line):  # a write is short only when the disk fills up
            # At a known offset, so that a failed write can be repeated or cut off.
            written += os.pwrite(self._descriptor, line[written:], self._size + written)


def _whole_lines(path: Path) -> Generator[tuple[bytes, dict[str, Any]]]:
    """Yield the complete lines with their values; a crash may have cut the last one."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                value = read_json(line)
            except JsonRefusedError:
                value = None
            if not isinstance(value, dict) or not isinstance(value.get("key"), str):
                raise ConfigurationError(
                    f"{path}, line {number}: it is no result of a batch; take another name, or "
                    "move the file away: with --resume all results are written again"
                )
            yield line, value


def _drop_lines(path: Path, states: Collection[ItemState]) -> None:
    """Remove the lines of items in the given states."""
    if not any(value.get("state") in states for _, value in _whole_lines(path)):
        return
    # Written beside the file and moved over it, so that a crash loses no result.
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.writelines(
            line for line, value in _whole_lines(path) if value.get("state") not in states
        )
    part.replace(path)


def _digest(key: str) -> int:
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest())
