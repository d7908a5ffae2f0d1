"""The formats of a results file: lines of JSON, or a CSV table for spreadsheets.

Both are appended to record by record. A record that a crash has cut off is recognized, and each
whole one names its item.
"""

import csv
import io
import json
import re
from collections.abc import Generator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.scalars import cell_of, text_of_cell
from browser_use_async.cli.console import json_text
from browser_use_async.errors import ConfigurationError

_OWN_COLUMNS = (
    *("line", "key", "state", "status", "cost_cents", "former_cost_cents", "task_id"),
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
        """Yield the whole records of a file.

        Raises:
            ConfigurationError: It has something else in it.
        """
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                value = _object(line)
                if value is None or not isinstance(value.get("key"), str):
                    raise _foreign(path, number)
                yield Entry(line, identity_of(value), str(value.get("state")))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = read_json(line)
    except JsonRefusedError:
        return None
    return value if isinstance(value, dict) else None


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
        """Yield the whole records of a file.

        Raises:
            ConfigurationError: It has something else in it, or its columns are others.
        """
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
