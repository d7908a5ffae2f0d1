"""The results of a batch, and the file of them: lines of JSON, or a CSV table for spreadsheets."""

import asyncio
import csv
import io
import json
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import attrs

from browser_use_async import system
from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.batch import BatchResult, ItemState, LedgerRow, LedgerView
from browser_use_async.batch.ledger.records import FINAL_STATES
from browser_use_async.cli.batch.input import InputItem, short_digest
from browser_use_async.cli.console import json_text
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.answers.cells import cell_of
from browser_use_async.types import TaskStatus

_OWN_COLUMNS = (
    *("line", "key", "state", "status", "cost_cents", "former_cost_cents", "joined", "task_id"),
    *("output", "error"),
)
_ROWS_AT_ONCE = 500
_IN_LEDGER = "the ledger has the results: write them with `batch results`"

Record = dict[str, Any]


class JsonLines:
    """A line of JSON for each item."""

    header = b""
    mark = b'{"index": '  # the beginning of each file with results

    def encode(self, record: Record) -> bytes:
        """The line of a record."""
        return f"{json_text(record)}\n".encode()


class CsvTable:
    """A CSV table (RFC 4180), with the parsed output and the columns of the input.

    Args:
        columns: The columns of the input.
        schema: The JSON schema of the output as text, whose properties get columns of their own.
        key_column: The column of the input that has the keys: it stands for `key`.
    """

    mark = b"line,"

    def __init__(
        self, columns: Sequence[str], schema: str | None = None, key_column: str = "key"
    ) -> None:
        key = "key" if key_column in _OWN_COLUMNS or key_column not in columns else key_column
        self._columns = tuple(name for name in columns if name != key)
        self._paths = tuple(_leaves(json.loads(schema) if schema else None))
        parsed = [".".join(("output", *path)) for path in self._paths]
        own = [key if name == "key" else name for name in _OWN_COLUMNS]
        taken = {*own, *parsed}
        given = [f"row.{name}" if name in taken else name for name in self._columns]
        self.header = _line([cell_of(name) for name in (*own, *parsed, *given)])

    def encode(self, record: Record) -> bytes:
        """The line of a record."""
        error = record["error"]
        said = None if error is None else f"{error['type']}: {error['message']}"
        own = [*(record[name] for name in _OWN_COLUMNS[:-1]), said]
        parsed = [_at(record.get("parsed"), path) for path in self._paths]
        given = [record["row"].get(name) for name in self._columns]
        return _line([_cell(each) for each in (*own, *parsed, *given)])


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


# --- the file ----------------------------------------------------------------------------------


@attrs.frozen
class ResultFile:
    """A file of results. It is written beside and moved into its place, so it is never half."""

    path: Path
    form: JsonLines | CsvTable

    @staticmethod
    def is_table(path: Path) -> bool:
        """Whether a file is a CSV table, by its name."""
        return path.suffix.lower() == ".csv"

    def check(self, *, replaces: bool) -> None:
        """Refuse a place that cannot be written, and a file that must not be replaced."""
        try:
            with tempfile.TemporaryFile(dir=self.path.parent):
                pass
            if not self.path.exists():
                return
            with self.path.open("rb") as file:
                beginning = file.read(len(self.form.mark))
        except OSError as error:
            raise ConfigurationError(f"{self.path} cannot be written: {error.strerror}") from None
        if not replaces:
            raise ConfigurationError(
                f"{self.path} is there already; take another name, or `batch run --resume`, which "
                "replaces results of the same batch"
            )
        if not self.form.mark.startswith(beginning):
            raise ConfigurationError(
                f"{self.path} has no results of a batch and would be replaced; take another name, "
                "or move the file away"
            )

    async def write(self, records: AsyncIterable[Record], kept: str = _IN_LEDGER) -> None:
        """Write all records, or change nothing; `kept` says where they are then."""
        try:
            with system.replaced_file(self.path) as part:
                if self.path.exists():
                    system.copy_mode(part, self.path)  # it may have been shared since
                with os.fdopen(part, "wb", closefd=False) as file:
                    file.write(self.form.header)
                    async for record in records:
                        file.write(self.form.encode(record))
                os.fsync(part)
        except OSError as error:
            raise ConfigurationError(
                f"{self.path} cannot be written: {error.strerror}; {kept}"
            ) from None


# --- the records -------------------------------------------------------------------------------


def result_record(
    result: "BatchResult[Any]",
    item: InputItem | None,
    *,
    has_schema: bool,
    text: str | None = None,
) -> Record:
    """The JSON object for an item that has ended; `text` is that of its task, without an item."""
    written: Record = {
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


async def ledger_records(
    view: LedgerView,
    items: Iterable[tuple[InputItem, str]] = (),
    tasks: TaskEndpoints | None = None,
    *,
    has_schema: bool,
) -> AsyncGenerator[Record, None]:
    """The records of all items of a ledger that have ended: first those of an input, in its order.

    Args:
        view: The ledger.
        items: The items of the input, each with its content: what identifies it without a key.
        tasks: Where an answer is fetched that is too large for a ledger.
        has_schema: Whether the outputs are parsed.
    """
    index, remaining = 0, iter(items)
    seen = set[int]()  # by digests of 8 bytes, so that a million take little memory
    while some := list(islice(remaining, _ROWS_AT_ONCE)):
        rows = view.find([item.key or content for item, content in some])
        for item, content in some:
            row = rows.get(item.key or content)
            # Another digest: the content has changed, and the result is not that of this row.
            if row is not None and (not row.digest or row.digest.hex().startswith(content)):
                digest = short_digest(row.key)
                if row.state in FINAL_STATES:
                    result = await _result(row, index, item.name, tasks, digest in seen)
                    yield _with_reason(result_record(result, item, has_schema=has_schema), row)
                seen.add(digest)
            index += 1
        await asyncio.sleep(0)  # let Ctrl-C work
    for place, row in enumerate(view.rows() if len(seen) < view.total else ()):
        if row.state in FINAL_STATES and short_digest(row.key) not in seen:
            result = await _result(row, index, row.title, tasks, False)
            record = result_record(result, None, has_schema=has_schema, text=row.task)
            yield _with_reason(record, row)
            index += 1
        if place % _ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)


async def _result(
    row: LedgerRow, index: int, name: str, tasks: TaskEndpoints | None, is_repeated: bool
) -> BatchResult[Any]:
    output = row.output
    if output is None and row.output_bytes and row.task_id is not None and tasks is not None:
        output = (await tasks.get(row.task_id)).output
    nothing = Decimal(0)
    return BatchResult(
        index=index,
        key=row.key,
        name=name,
        state=row.state,
        task_id=row.task_id,
        status=None if row.status is None else TaskStatus(row.status),
        output=output,
        attempts=row.attempts,
        steps=row.steps,
        cost_cents=nothing if is_repeated else row.cost_cents or nothing,
        former_cost_cents=nothing if is_repeated else row.former_cents,
        joined=row.joined,
    )


def _with_reason(record: Record, row: LedgerRow) -> Record:
    if row.state is not ItemState.DONE:
        record["error"] = {"type": row.error, "message": row.reason}
    return record
