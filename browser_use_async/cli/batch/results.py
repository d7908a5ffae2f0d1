"""The formats of a results file: lines of JSON, or a CSV table for spreadsheets.

Both are appended to record by record. A record that a crash has cut off is recognized, and each
whole one names its item.
"""

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Collection, Generator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import attrs

from browser_use_async import system
from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.batch import BatchResult, ItemState
from browser_use_async.cli.batch.input import InputItem, short_digest
from browser_use_async.cli.console import json_text
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.answers.cells import cell_of, text_of_cell

_OWN_COLUMNS = (
    *("line", "key", "state", "status", "cost_cents", "former_cost_cents", "joined", "task_id"),
    *("output", "error"),
)
# Of a record that is written below. The module `csv` reads no more than 131,072 characters of a
# cell, and has one limit for the whole process.
_FIELD = re.compile(r'"((?:[^"]++|"")*+)"|([^",\r\n]*+)')


@attrs.frozen
class Entry:
    """One whole record of a results file."""

    raw: bytes  # the bytes in the file
    identity: str  # which item it is of
    state: str  # the state of that item


def identity_of(record: Mapping[str, Any]) -> str:
    """What identifies a result: its task, which is the item's alone, or without one its key."""
    return str(record.get("task_id") or record["key"])


class JsonLines:
    """A line of JSON for each item."""

    header = b""

    def encode(self, record: dict[str, Any]) -> bytes:
        """The line of a record."""
        return f"{json_text(record)}\n".encode()

    def entries(self, path: Path) -> Generator[Entry]:
        """Yield the whole records of a file."""
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    value = read_json(line)
                except JsonRefusedError:
                    value = None
                if not isinstance(value, dict) or not isinstance(value.get("key"), str):
                    raise _foreign(path, number)
                yield Entry(line, identity_of(value), str(value.get("state")))


class CsvTable:
    """A CSV table (RFC 4180), with the parsed output and the columns of the input.

    Args:
        columns: The columns of the input.
        schema: The JSON schema of the output, whose properties get columns of their own.
        key_column: The column of the input that has the keys: it stands for `key`.
    """

    def __init__(
        self, columns: Sequence[str], schema: object = None, key_column: str = "key"
    ) -> None:
        self._key = "key" if key_column in _OWN_COLUMNS else key_column
        if self._key not in columns:
            self._key = "key"
        self._columns = tuple(name for name in columns if name != self._key)
        self._paths = tuple(_leaves(schema))
        parsed = [".".join(("output", *path)) for path in self._paths]
        own = [self._key if name == "key" else name for name in _OWN_COLUMNS]
        taken = {*own, *parsed}
        given = [f"row.{name}" if name in taken else name for name in self._columns]
        self._names = [*own, *parsed, *given]
        self.header = _line([cell_of(name) for name in self._names])

    def encode(self, record: dict[str, Any]) -> bytes:
        """The line of a record."""
        error = record["error"]
        said = None if error is None else f"{error['type']}: {error['message']}"
        own = [*(record[name] for name in _OWN_COLUMNS[:-1]), said]
        parsed = [_at(record.get("parsed"), path) for path in self._paths]
        given = [record["row"].get(name) for name in self._columns]
        return _line([_cell(each) for each in (*own, *parsed, *given)])

    def entries(self, path: Path) -> Generator[Entry]:
        """Yield the whole records of a file."""
        with path.open("rb") as file:
            # A crash may have cut the header, too.
            if not self.header.startswith(file.read(len(self.header))):
                raise ConfigurationError(
                    f"{path} has other columns than these results; take another name, or move the "
                    "file away: with --resume all results are written again"
                )
            for number, raw in enumerate(_whole_records(file), 2):
                cells = _cells(raw)
                if len(cells) != len(self._names):
                    raise _foreign(path, number)
                record = dict(zip(self._names, map(text_of_cell, cells), strict=True))
                record["key"] = record[self._key]
                yield Entry(raw, identity_of(record), record["state"])


def _foreign(path: Path, number: int) -> ConfigurationError:
    return ConfigurationError(
        f"{path}, line {number}: it is no result of a batch; take another name, or move the file "
        "away: with --resume all results are written again"
    )


def _leaves(schema: object, path: tuple[str, ...] = ()) -> Generator[tuple[str, ...]]:
    """The paths to the properties of a schema that are no objects themselves."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if isinstance(properties, dict) and properties:
        for name, each in properties.items():
            yield from _leaves(each, (*path, str(name)))
    elif path:
        yield path


def _at(value: object, path: Sequence[str]) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return cell_of(value)
    if isinstance(value, float):
        return f"{Decimal(str(value)).normalize():f}"
    return json.dumps(value, ensure_ascii=False)


def _line(cells: Sequence[str]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().encode("utf-8", "replace")


def _cells(raw: bytes) -> list[str]:
    """The cells of a record; none if it is no record."""
    text, place = raw.decode("utf-8", "replace").removesuffix("\r\n"), 0
    cells = list[str]()
    while found := _FIELD.match(text, place):
        quoted, plain = found.groups()
        cells.append(plain if quoted is None else quoted.replace('""', '"'))
        if found.end() == len(text):
            return cells
        if text[found.end()] != ",":
            break
        place = found.end() + 1
    return []


def _whole_records(lines: io.BufferedReader) -> Generator[bytes]:
    """Split a table into records; a crash may have cut the last one."""
    record, quotes = list[bytes](), 0
    for line in lines:
        record.append(line)
        quotes += line.count(b'"')
        # Inside of quotes a line end belongs to the cell; every quote in a cell is doubled.
        if quotes % 2 == 0 and line.endswith(b"\r\n"):
            yield b"".join(record)
            record, quotes = [], 0


# --- the file ----------------------------------------------------------------------------------

ResultFormat = JsonLines | CsvTable

_FLAGS = os.O_RDWR | os.O_CREAT | system.BINARY


def result_record(
    result: "BatchResult[Any]",
    item: InputItem | None,
    *,
    has_schema: bool,
    text: str | None = None,
) -> dict[str, Any]:
    """The JSON object for an item that has ended; `text` is that of its task, without an item."""
    written: dict[str, Any] = {
        "index": result.index,
        "key": result.name,
        "line": None if item is None else item.line,
        "task": text if item is None else item.task,
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
    """A results file with one record for each item of the input, used as a context manager."""

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
                f"{path} is there already; take another name, or add to it by `batch run --resume`"
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
        """Add the result of an item, unless an earlier run has done so."""
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
