"""Rows of a CSV or JSONL file, read one after the other, each with the line that it begins on."""

import codecs
import csv
import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import ConfigurationError

__all__ = ["Row", "RowFile"]

_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_UNDECODED = re.compile("[\udc80-\udcff]")
_QUOTED = re.compile(r'"[^"]*"')
_DELIMITERS = (",", ";", "\t")


@attrs.frozen
class Row:
    """One row."""

    line: int  # the line that it begins on, counted from 1
    values: Mapping[str, str]  # its values by column


@attrs.frozen
class RowFile:
    """A file of rows. Every reading begins anew, so that it can be checked before it is used."""

    path: Path  # the file. Its name says what it is: .csv, .tsv, .jsonl or .ndjson.
    encoding: str = "utf-8"  # how its text is encoded

    def rows(self) -> Generator[Row]:
        """Read the rows, lazily; empty lines count and give none.

        Raises:
            ConfigurationError: The file cannot be read, or a line is not what it should be; the
                message names the line.
        """
        read = _READERS.get(self.path.suffix.lower())
        if read is None:
            raise ConfigurationError(
                f"{self.path}: the name of an input ends in {', '.join(_READERS)}"
            )
        with closing(self._lines()) as lines:
            yield from read(self, lines)

    def refused(self, line: int, problem: str) -> ConfigurationError:
        """The error for a line that is no good."""
        return ConfigurationError(f"{self.path}, line {line}: {problem}")

    def _lines(self) -> Generator[str]:
        """The lines with their ends; a byte-order mark is no part of the first one."""
        encoding = "utf-8-sig" if _is_utf8(self.encoding) else self.encoding
        number = 0
        try:
            self._refuse_other_encoding()
            # What cannot be decoded comes as surrogates: only so is it known on which line it is.
            with self.path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
                for number, line in enumerate(file, 1):
                    if _UNDECODED.search(line):
                        raise self._undecodable(number)
                    yield line
        except UnicodeError:
            raise self._undecodable(number + 1) from None
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be read: {error.strerror}") from None

    def _refuse_other_encoding(self) -> None:
        with self.path.open("rb") as file:
            found = _BYTE_ORDER_MARKS.get(file.read(2))
        if found is not None and _is_utf8(self.encoding):
            raise ConfigurationError(f"{self.path} is not UTF-8 text; add --encoding {found}")

    def _undecodable(self, line: int) -> ConfigurationError:
        return self.refused(
            line,
            f"it is not {self.encoding.upper()} text; say how it is encoded with --encoding, such "
            "as --encoding cp1252",
        )


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


# --- CSV ------------------------------------------------------------------------------------


def _csv_rows(file: RowFile, lines: Iterator[str]) -> Iterator[Row]:
    """Rows by the names in the first line, which also shows what parts the columns."""
    first = next(lines, "")
    delimiter = _delimiter(first)
    records = _records(file, _chained(first, lines), delimiter)
    head = next(records, None)
    if head is None:
        return
    columns = _columns(file, *head)
    for line, cells in records:
        if len(cells) != len(columns):
            raise file.refused(
                line, f"it has {len(cells)} values, and the first line names {len(columns)} columns"
            )
        yield Row(line, dict(zip(columns, cells, strict=True)))


def _chained(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _delimiter(line: str) -> str:
    """What parts the columns: the comma, unless the first line has more of another one."""
    unquoted = _QUOTED.sub("", line)
    return max(_DELIMITERS, key=unquoted.count)


def _records(
    file: RowFile, lines: Iterator[str], delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    """The records that are not empty, each with the line that it begins on."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise file.refused(line, f"it is no CSV: {error}") from None
        if cells is None:
            return
        if cells:
            yield line, cells


def _columns(file: RowFile, line: int, cells: list[str]) -> list[str]:
    columns = [cell.strip() for cell in cells]
    if len(set(columns)) != len(columns):
        twice = next(each for each in columns if columns.count(each) > 1)
        raise file.refused(line, f"two columns have the name {twice!r}")
    return columns


# --- JSONL ----------------------------------------------------------------------------------


def _json_rows(file: RowFile, lines: Iterator[str]) -> Iterator[Row]:
    """Rows from lines that are JSON objects."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = read_json(line.encode())
        except JsonRefusedError as error:
            raise file.refused(number, f"it is no JSON: {error}") from None
        if not isinstance(value, dict):
            raise file.refused(number, 'it is no JSON object, {"company": "…"}')
        yield Row(number, {name: _text(each) for name, each in value.items() if each is not None})


def _text(value: Any) -> str:
    """A value as it reads in a sentence; what is no text is written as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_Reader = Callable[[RowFile, Iterator[str]], Iterator[Row]]
_READERS: dict[str, _Reader] = {
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
}
