"""The input of a batch: rows of a CSV or JSONL file, a template, and the tasks made of them.

Rows are read one after the other, each with the line that it begins on, and checked before the
first task is sent.
"""

import codecs
import csv
import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from hashlib import blake2b
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

import attrs

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.script_pairs import ScriptPairs, ScriptPairsError
from browser_use_async.api.validation import validate
from browser_use_async.batch import BatchItem
from browser_use_async.errors import ConfigurationError
from browser_use_async.types import RunTaskFields, RunTaskRequest

# Spreadsheets export "Unicode text" as UTF-16, which the error message should say.
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_UNDECODED = re.compile("[\udc80-\udcff]")
_QUOTED = re.compile(r'"[^"]*"')
_DELIMITERS = (",", ";", "\t")

_PIECE = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<name>[^{}]+)\}|(?P<alone>[{}])")
KEY_COLUMN = "key"
_LONGEST_KEY = 1000


@attrs.frozen
class Row:
    """One row of the input."""

    line: int  # the line that it begins on, counted from 1
    values: Mapping[str, str]  # its values by column


@attrs.frozen
class RowFile:
    """A file of rows. It is read twice: once to check it, once to run it."""

    path: Path  # the file. Its name says what it is: .csv, .tsv, .jsonl or .ndjson.
    encoding: str = "utf-8"  # how its text is encoded

    def rows(self) -> Generator[Row]:
        """Yield the rows lazily; empty lines are counted and skipped."""
        read = _READERS.get(self.path.suffix.lower())
        if read is None:
            raise ConfigurationError(
                f"{self.path}: the name of an input ends in {', '.join(_READERS)}"
            )
        with closing(self._lines()) as lines:
            yield from read(self, lines)

    @property
    def unusual_separator(self) -> str | None:
        """What separates the columns of a CSV file, if its first line shows another than ","."""
        if self.path.suffix.lower() != ".csv":
            return None
        with closing(self._lines()) as lines:
            found = _delimiter(next(lines, ""))
        return None if found == "," else found

    def error(self, line: int, problem: str) -> ConfigurationError:
        """The error for an invalid line."""
        return ConfigurationError(f"{self.path}, line {line}: {problem}")

    def _lines(self) -> Generator[str]:
        """Yield the lines with their line ends, without a byte-order mark."""
        encoding = "utf-8-sig" if _is_utf8(self.encoding) else self.encoding
        number = 0
        try:
            with self.path.open("rb") as file:
                found = _BYTE_ORDER_MARKS.get(file.read(2))
            if found is not None and _is_utf8(self.encoding):
                raise ConfigurationError(f"{self.path} is not UTF-8 text; add --encoding {found}")
            # Undecodable bytes become surrogates here, so that the error can name their line.
            with self.path.open(encoding=encoding, errors="surrogateescape", newline="") as text:
                for number, line in enumerate(text, 1):
                    if _UNDECODED.search(line):
                        raise self._undecodable(number)
                    yield line
        except UnicodeError:
            raise self._undecodable(number + 1) from None
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be read: {error.strerror}") from None

    def _undecodable(self, line: int) -> ConfigurationError:
        return self.error(
            line,
            f"it is not {self.encoding.upper()} text; say how it is encoded with --encoding, such "
            "as --encoding cp1252",
        )


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


# --- CSV ------------------------------------------------------------------------------------


def _csv_rows(file: RowFile, lines: Iterator[str]) -> Iterator[Row]:
    """Yield rows of a CSV file, whose first line names the columns and shows the delimiter."""
    first = next(lines, "")
    delimiter = _delimiter(first)
    records = _records(file, chain([first], lines), delimiter)
    head = next(records, None)
    if head is None:
        return
    columns = _columns(file, *head)
    for line, cells in records:
        if len(cells) != len(columns):
            # Whoever reads it may expect another separator.
            by = "" if delimiter == "," else f", separated by {delimiter!r}"
            problem = f"it has {len(cells)} values, and the first line names {len(columns)} columns"
            raise file.error(line, problem + by)
        yield Row(line, dict(zip(columns, cells, strict=True)))


def _delimiter(line: str) -> str:
    """The delimiter: the comma, unless the first line has more of another one."""
    # A delimiter inside quotes does not count.
    unquoted = _QUOTED.sub("", line)
    return max(_DELIMITERS, key=unquoted.count)


def _records(
    file: RowFile, lines: Iterator[str], delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not empty, each with its first line number."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        # A quoted cell may span lines; the error names the line on which its record begins.
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise file.error(line, f"it is no CSV: {error}") from None
        if cells is None:
            return
        if cells:
            yield line, cells


def _columns(file: RowFile, line: int, cells: list[str]) -> list[str]:
    columns = [cell.strip() for cell in cells]
    if len(set(columns)) != len(columns):
        twice = next(each for each in columns if columns.count(each) > 1)
        raise file.error(line, f"two columns have the name {twice!r}")
    return columns


# --- JSONL ----------------------------------------------------------------------------------


def _json_rows(file: RowFile, lines: Iterator[str]) -> Iterator[Row]:
    """Yield rows of a JSON Lines file."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = read_json(line.encode())
        except JsonRefusedError as error:
            raise file.error(number, f"it is no JSON: {error}") from None
        if not isinstance(value, dict):
            raise file.error(number, 'it is no JSON object, {"company": "…"}')
        yield Row(number, {name: _text(each) for name, each in value.items() if each is not None})


def _text(value: Any) -> str:
    """A value as text; one that is not a string is written as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_Reader = Callable[[RowFile, Iterator[str]], Iterator[Row]]
_READERS: dict[str, _Reader] = {
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".jsonl": _json_rows,
    ".ndjson": _json_rows,
}


@attrs.frozen
class Template:
    """A task text with placeholders."""

    text: str  # the text; a literal brace is written twice
    names: tuple[str, ...]  # the columns that it names, each once

    @classmethod
    def read(cls, text: str) -> "Template":
        """Parse a template."""
        pieces = list(_PIECE.finditer(text))
        if any(piece["alone"] for piece in pieces):
            raise ConfigurationError(
                "--template: a brace stands alone; write {column} for the value of a column, and "
                "{{ or }} for a brace"
            )
        names = tuple(dict.fromkeys(piece["name"] for piece in pieces if piece["name"]))
        if not names:
            raise ConfigurationError(
                "--template has no {column} in it, so that every row would be the same task"
            )
        return cls(text, names)

    def render(self, values: Mapping[str, str]) -> str:
        """The text with all placeholders replaced."""
        return _PIECE.sub(
            lambda piece: piece["brace"][0] if piece["brace"] else values[piece["name"]], self.text
        )


_TASK_COLUMN = Template("{task}", ("task",))


@attrs.frozen
class InputItem:
    """One task of the batch, not created yet."""

    line: int  # its line in the input
    key: str | None  # the value of the key column, or None if the input has none
    task: str  # what the agent should do
    values: Mapping[str, str]  # the whole row
    limit_key: str | None = None  # the value of the --limit-by column, if it has one
    # The metadata pairs of the script that it plays, if it plays one
    pairs: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def name(self) -> str:
        """What people are shown."""
        return f"line {self.line}" if self.key is None else self.key

    def to_batch_item(self, task: str, fields: RunTaskFields) -> BatchItem:
        """The item that `run_many` takes, with the text of its task."""
        request = RunTaskRequest(task, metadata=self.metadata(fields)) if self.pairs else task
        return RowItem(request, self.key, self.name if self.key is None else None, self.limit_key)

    def metadata(self, fields: RunTaskFields) -> dict[str, str]:
        """The metadata pairs of its task."""
        return {**(fields.get("metadata") or {}), **self.pairs}


@attrs.frozen
class RowItem(BatchItem):
    """An item of a batch that also knows what it shares a limit by."""

    limit_key: str | None = None


# What a row shares a limit by: the `limit_by` of `run_many`.
limit_key = attrgetter("limit_key")


@attrs.frozen
class InputContents:
    """What is in an input that was read to its end."""

    count: int  # how many rows it has
    items: int  # how many of them are not the same as an earlier one
    columns: tuple[str, ...]  # all columns, in the order in which they appear
    # Digests of what the ledger calls its items, if that was asked for
    identities: AbstractSet[int]


@attrs.frozen
class InputFile:
    """The tasks that an input file and a template give."""

    file: RowFile
    # Makes the task of a row; without one, the column `task` is the task
    template: Template | None = None
    # Values for placeholders that no column fills
    more: Mapping[str, str] = attrs.field(factory=dict)
    key_column: str = KEY_COLUMN  # the column that says what a row is called
    limit_column: str | None = None  # the column whose value rows share a limit by
    script: str | None = None  # the script that the tasks play, whose inputs are columns

    def items(self) -> Generator[InputItem]:
        """Yield the tasks lazily and in order."""
        for row in self.file.rows():
            shared = None if self.limit_column is None else row.values.get(self.limit_column)
            yield InputItem(
                *(row.line, self._key(row), self._task(row), row.values),
                limit_key=shared or None,
                pairs=self._pairs(row),
            )

    def check(self, identify: Callable[[InputItem], str] | None = None) -> InputContents:
        """Read the whole input, before the first task is paid for.

        Args:
            identify: What the ledger calls an item, if that is to be known.
        """
        count = 0
        keys, identities = set[int](), set[int]()  # a million of them take little memory
        columns: dict[str, None] = {}
        for count, item in enumerate(self.items(), 1):  # noqa: B007 - given back below
            columns |= dict.fromkeys(item.values)
            if identify is not None:
                identities.add(short_digest(identify(item)))
            # Two rows with one key or one task would be one item of the ledger.
            digest = short_digest(item.task if item.key is None else item.key)
            if item.key is not None and digest in keys:
                problem = f"the key {item.key!r} is that of an earlier line, too"
                raise self.file.error(item.line, problem)
            keys.add(digest)
        if not count:
            raise ConfigurationError(
                f"{self.file.path} has no rows, so that there is nothing to do"
            )
        if self.limit_column is not None and self.limit_column not in columns:
            raise ConfigurationError(
                f"{self.file.path} has no {self.limit_column!r}, the --limit-by column; it has "
                f"{', '.join(map(repr, columns))}"
            )
        return InputContents(count, len(keys), tuple(columns), identities)

    def _key(self, row: Row) -> str | None:
        key = row.values.get(self.key_column)
        if key is None:
            if self.key_column != KEY_COLUMN:
                raise self._lacks(row, self.key_column, "the --key-column")
            return None
        if not key.strip():
            raise self.file.error(row.line, "its key is empty")
        if len(key) > _LONGEST_KEY:
            raise self.file.error(row.line, f"its key has more than {_LONGEST_KEY} characters")
        return key

    def _task(self, row: Row) -> str:
        template = self.template or _TASK_COLUMN
        task = template.render({name: self._value(row, name) for name in template.names})
        _, problems = validate(RunTaskRequest, {"task": task})
        if problems:
            raise self.file.error(row.line, f"its task is refused: {problems[0].message}")
        return task

    def _pairs(self, row: Row) -> dict[str, str]:
        if self.script is None:
            return {}
        names = () if self.template is None else self.template.names
        values = {name: self._value(row, name) for name in names if name not in self.more}
        try:
            return ScriptPairs(self.script, values).as_metadata()
        except ScriptPairsError as error:
            raise self.file.error(row.line, str(error)) from None

    def _value(self, row: Row, name: str) -> str:
        value = row.values.get(name, self.more.get(name))
        if value is None:
            why = "which the template asks for"
            if self.template is None:
                why = "and without --template that is the task"
            raise self._lacks(row, name, why)
        if not value.strip():
            raise self.file.error(row.line, f"its {name!r} is empty")
        return value

    def _lacks(self, row: Row, name: str, why: str) -> ConfigurationError:
        has = ", ".join(map(repr, row.values)) or "nothing"
        return self.file.error(row.line, f"it has no {name!r}, {why}; it has {has}")


def short_digest(text: str) -> int:
    """A digest of 8 bytes, by which to know a text again."""
    encoded = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(encoded, digest_size=8).digest())
