"""Results of a batch: what is written of each item, and a file that survives interruptions."""

import os
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any, Self

from browser_use_async import system
from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.batch import BatchResult, ItemState
from browser_use_async.cli.batch.formats import CsvTable, JsonLines, identity_of
from browser_use_async.cli.batch.input import InputItem, short_digest
from browser_use_async.errors import ConfigurationError

ResultFormat = JsonLines | CsvTable

_FLAGS = os.O_RDWR | os.O_CREAT | system.BINARY


def result_record(
    result: "BatchResult[Any]", item: InputItem | None, *, has_schema: bool
) -> dict[str, Any]:
    """The JSON object for an item that has ended."""
    written: dict[str, Any] = {
        "index": result.index,
        "key": result.name,
        "line": None if item is None else item.line,
        "task": None if item is None else item.task,
        "state": str(result.state),
        "status": None if result.status is None else str(result.status),
        "task_id": result.task_id,
        "output": result.output,
        "steps": result.steps,
        "cost_cents": float(result.cost_cents),
        "former_cost_cents": float(result.former_cost_cents),
        "joined": result.joined,
        "attempts": result.attempts,
        "error": None,
        "row": {} if item is None else dict(item.values),
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
    """A results file with one record for each item of the input, used as a context manager.

    Raises:
        ConfigurationError: It is there and `resume` is not set, or it cannot be written, or it
            has something else in it.
    """

    # Each record is written at once. What a crash left of a line is cut off when the file is opened
    # again. An item that is in it already is not written again: items that stand in the input
    # more than once have the same task, so their records are counted.

    def __init__(
        self,
        path: Path,
        form: ResultFormat,
        *,
        resume: bool,
        drop: Collection[ItemState] = frozenset(),
    ) -> None:
        self.path = path
        self._format = form
        # How many records of earlier runs have this identity and were not given again yet; by
        # digests of 8 bytes, so that a million results take little memory.
        self._written = Counter[int]()
        try:
            if resume and path.exists():
                _drop_entries(path, form, drop)
            # O_EXCL: without --resume an existing file is never overwritten.
            self._descriptor = os.open(path, _FLAGS | (0 if resume else os.O_EXCL), 0o600)
        except FileExistsError:
            raise ConfigurationError(
                f"{path} is there already; --resume adds to it, or take another name"
            ) from None
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
        self._size = 0
        try:
            self._read_entries()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _read_entries(self) -> None:
        """Read which results are there, and cut off what a crash left of the last one."""
        has_header = os.fstat(self._descriptor).st_size >= len(self._format.header)
        for entry in self._format.entries(self.path):
            self._written[short_digest(entry.identity)] += 1
            self._size += len(entry.raw)
        if has_header:
            self._size += len(self._format.header)
        os.ftruncate(self._descriptor, self._size)
        if not has_header:
            self._append(self._format.header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._descriptor)

    def add(self, written: dict[str, Any]) -> bool:
        """Add the result of an item, unless an earlier run has done so.

        Raises:
            ConfigurationError: It cannot be written, and the file ends with the line before.
        """
        digest = short_digest(identity_of(written))
        if self._written[digest]:
            self._written[digest] -= 1
            return False
        self._append(self._format.encode(written))
        return True

    def _append(self, line: bytes) -> None:
        try:
            written = 0
            while written < len(line):  # a write is short only when the disk fills up
                # At a known offset, so that a failed write can be repeated or cut off.
                written += system.write_at(self._descriptor, line[written:], self._size + written)
        except OSError as error:
            # Half a line would make the file unreadable for the run that resumes.
            os.ftruncate(self._descriptor, self._size)
            raise ConfigurationError(
                f"{self.path} cannot be written: {error.strerror}; the ledger has the result, and "
                "--resume writes it"
            ) from None
        self._size += len(line)


def _drop_entries(path: Path, form: ResultFormat, states: Collection[ItemState]) -> None:
    """Remove the results of items in the given states."""
    if not any(entry.state in states for entry in form.entries(path)):
        return
    # Beside the file and moved over it, so that a crash loses no result.
    with system.replaced_file(path) as part:
        system.copy_mode(part, path)  # it may have been shared since
        with os.fdopen(part, "wb", closefd=False) as file:
            file.write(form.header)
            file.writelines(entry.raw for entry in form.entries(path) if entry.state not in states)
