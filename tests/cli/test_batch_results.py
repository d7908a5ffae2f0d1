import csv
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.batch import BatchResult, ItemState, LedgerView, read_ledger
from browser_use_async.cli.batch.input import InputItem
from browser_use_async.cli.batch.results import (
    CsvTable,
    JsonLines,
    ResultFile,
    ledger_records,
    result_record,
)
from browser_use_async.errors import BrowserUseError, ConfigurationError, LedgerError
from browser_use_async.types import TaskStatus
from tests.files.contents import listing
from tests.support.ledgers import item, write_ledger

from .running import run


def test_what_is_written_down():
    """A result is written with its row, its exact figures and its error; JSON only on request."""
    result = BatchResult[object](
        index=3,
        key="a",
        name="a",
        state=ItemState.FAILED,
        task_id="t",
        status=TaskStatus.FINISHED,
        output='{"n": 1}',
        error=BrowserUseError("no good"),
        attempts=2,
        steps=4,
        cost_cents=Decimal("11.5"),
    )
    line = result_record(result, InputItem(5, "a", "Go", {"n": "1"}), has_schema=True)

    assert line["error"] == {"type": "BrowserUseError", "message": "no good"}
    assert (line["index"], line["line"], line["task"]) == (3, 5, "Go")
    assert (line["steps"], line["cost_cents"], line["attempts"]) == (4, 11.5, 2)
    assert (line["state"], line["status"]) == ("failed", "finished")
    assert line["output"] == '{"n": 1}'
    assert line["parsed"] == {"n": 1}
    assert line["row"] == {"n": "1"}
    assert "parsed" not in result_record(result, None, has_schema=False)


def test_an_output_that_is_no_json():
    """Where a schema was given and the output is no JSON, nothing is parsed."""
    result = BatchResult[object](index=0, key="a", state=ItemState.DONE, output="Done.")

    assert result_record(result, None, has_schema=True)["parsed"] is None


def of_input(*names: str, digest: str = "") -> list[tuple[InputItem, str]]:
    """Items of an input with keys, each with its content."""
    return [
        (InputItem(line, name, f"Go to {name}", {"city": name}), digest or "0" * 32)
        for line, name in enumerate(names, 2)
    ]


async def written(
    path: Path, view: LedgerView, items: Iterable[tuple[InputItem, str]] = ()
) -> list[dict[str, Any]]:
    """The records in the file of a ledger."""
    await ResultFile(path, JsonLines()).write(ledger_records(view, items, has_schema=False))
    return read(path)


def read(path: Path) -> list[dict[str, Any]]:
    """All lines of a file."""
    return [json.loads(each) for each in path.read_text().splitlines()]


def ledger(folder: Path, *items: dict[str, Any]) -> LedgerView:
    """A ledger with these items."""
    return read_ledger(write_ledger(folder / "run.db", items))


async def test_the_order_of_the_input(tmp_path):
    """Each ended row once, with its values; then what the ledger knows of other inputs."""
    failed = item("b", "failed", error="TaskFailedError", reason="on fire", cost=6000)
    view = ledger(tmp_path, item("x", task="Else"), failed, item("a"), item("c", "submitted"))
    lines = await written(tmp_path / "out.jsonl", view, of_input("a", "b", "c", "d"))

    shown = [(each["index"], each["key"], each["line"], each["task"]) for each in lines]
    assert shown == [(0, "a", 2, "Go to a"), (1, "b", 3, "Go to b"), (4, "x", None, "Else")]
    assert [each["row"] for each in lines] == [{"city": "a"}, {"city": "b"}, {}]
    assert lines[1]["error"] == {"type": "TaskFailedError", "message": "on fire"}
    assert (lines[1]["cost_cents"], lines[0]["error"]) == (6.0, None)


async def test_a_row_that_is_repeated(tmp_path):
    """A row that is three times in the input has three lines, and was paid for once."""
    view = ledger(tmp_path, item("a", cost=6000))
    lines = await written(tmp_path / "out.jsonl", view, of_input("a", "a", "a"))

    assert [each["cost_cents"] for each in lines] == [6.0, 0.0, 0.0]
    assert [each["line"] for each in lines] == [2, 3, 4]


async def test_a_row_that_has_changed(tmp_path):
    """The result of its former content does not stand beside its new values."""
    view = ledger(tmp_path, item("a", digest=b"\xaa" * 32), item("b", digest=b"\xbb" * 32))
    lines = await written(tmp_path / "out.jsonl", view, of_input("a", "b", digest="bb" * 16))

    assert [(each["key"], each["row"]) for each in lines] == [("b", {"city": "b"}), ("a", {})]


async def test_an_answer_that_a_ledger_does_not_keep(server, tmp_path):
    """It is fetched from the service."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        task = await session.run_and_wait("Look around")
        view = ledger(tmp_path, item("a", task_id=task.id, output_bytes=2_000_000))
        records = ledger_records(view, (), session.tasks, has_schema=False)
        (found,) = [each async for each in records]

    assert found["output"] == task.output == "Done."


@pytest.mark.parametrize("form", [JsonLines(), CsvTable(["city"])], ids=["json", "csv"])
async def test_results_are_for_their_owner(tmp_path, form):
    """A new file is readable for its user only; one that is replaced keeps its permissions."""
    file, modes = ResultFile(tmp_path / "out", form), list[int]()
    umask = os.umask(0o022)
    try:
        for mode in (None, 0o640):
            if mode is not None:
                file.path.chmod(mode)
            await file.write(records_of(record("a")))
            modes.append(stat.S_IMODE(file.path.stat().st_mode))
    finally:
        os.umask(umask)

    assert modes == [0o600, 0o640]
    assert listing(tmp_path) == [file.path]


async def records_of(*records: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
    """Yield records; then raise an error if the last one is empty."""
    for each in records:
        if not each:
            raise LedgerError("the ledger is damaged")
        yield each


async def test_never_half_a_file(tmp_path):
    """Where writing ends in the middle, the former file is untouched and nothing lies beside it."""
    file = ResultFile(tmp_path / "out.jsonl", JsonLines())
    await file.write(records_of(record("a")))
    before = file.path.read_bytes()
    with pytest.raises(LedgerError):
        await file.write(records_of(record("b"), {}))

    assert file.path.read_bytes() == before
    assert listing(tmp_path) == [file.path]


@pytest.mark.parametrize(
    ("form", "content", "is_refused"),
    [
        (JsonLines(), "Dear diary\n", True),
        (JsonLines(), '{"name": "b"}\n', True),
        (CsvTable(["city"]), "key,line\r\n", True),
        (CsvTable(["city"]), "line,id,state\r\n", False),
        (JsonLines(), '{"index": 0, "key": "a"}\n', False),
        (JsonLines(), "", False),
    ],
)
def test_another_file_is_left_alone(tmp_path, form, content, is_refused):
    """Only results of a batch are replaced, and only by a run that resumes it."""
    file = ResultFile(tmp_path / "out", form)
    file.path.write_bytes(content.encode())
    with pytest.raises(ConfigurationError, match="is there already; take another name"):
        file.check(replaces=False)
    refused = pytest.raises(ConfigurationError, match="has no results of a batch and would be")
    with refused if is_refused else nullcontext():
        file.check(replaces=True)


@pytest.mark.parametrize(
    ("place", "why"), [("no/out.jsonl", "No such file"), ("", "Is a directory")]
)
def test_a_file_that_cannot_be(tmp_path, place, why):
    """It is refused with an explanation, before anything is paid for."""
    with pytest.raises(ConfigurationError, match=f"cannot be written: {why}"):
        ResultFile(tmp_path / place, JsonLines()).check(replaces=True)


_FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from browser_use_async.cli.batch.results import JsonLines, ResultFile
from browser_use_async.errors import ConfigurationError

async def records():
    yield {"key": "b" * 200}

resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    asyncio.run(ResultFile(Path(sys.argv[1]), JsonLines()).write(records()))
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.long
def test_no_room(tmp_path):
    """On a full disk the former file stays, and the error says what to do."""
    path = tmp_path / "out.jsonl"
    path.write_text("before")
    result = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )

    assert "the ledger has the results: write them with `batch results`" in result.stdout
    assert path.read_text() == "before"
    assert listing(tmp_path) == [path]


async def test_results_of_a_ledger(tmp_path):
    """`batch results` prints or writes what a ledger knows, as a table with the parsed output."""
    schema = {"structured_output_json": json.dumps(SCHEMA)}
    rows = [item("a", output='{"city": "Oslo"}'), item("b", "submitted")]
    path, out = write_ledger(tmp_path / "run.db", rows, labels=schema), tmp_path / "out.csv"
    printed = await run("batch", "results", str(path))
    wrote = await run("batch", "results", str(path), "-o", str(out))
    again = await run("batch", "results", str(path), "-o", str(out))
    follow = await run("batch", "results", str(path), "--follow")

    assert (printed.json["key"], printed.json["parsed"]) == ("a", {"city": "Oslo"})
    (row,) = csv.DictReader(out.read_text().splitlines())
    assert (row["key"], row["output.city"], wrote.code) == ("a", "Oslo", 0)
    assert (again.code, follow.code) == (2, 2)
    assert "is there already" in again.stderr
    assert "only a queue is waited for" in follow.stderr


# --- CSV ------------------------------------------------------------------------------------


def record(key: str, **more: object) -> dict[str, object]:
    """The record of an item."""
    result = BatchResult[object](index=0, key=key, name=key, state=ItemState.DONE, task_id=key)
    given = {"city": "Oslo", "=note": "n"}
    return {**result_record(result, InputItem(2, key, "Go", given), has_schema=True), **more}


SCHEMA = {
    "properties": {
        "city": {"type": "string"},
        "at": {"properties": {"lat": {"type": "number"}, "tags": {"type": "array"}}},
    }
}


@pytest.mark.parametrize(
    ("column", "head"),
    [("id", "line,id,state"), ("task_id", "line,key,state"), ("gone", "line,key,state")],
)
def test_the_key_stands_once(column, head):
    """The column of the keys keeps its name, and is not written twice."""
    table = CsvTable(["id", "task_id", "city"], key_column=column)
    (first, *_) = csv.DictReader(
        io.StringIO((table.header + table.encode(record("k"))).decode(), newline="")
    )

    assert table.header.decode().startswith(head)
    assert first[head.split(",")[1]] == "k"


async def test_a_table(tmp_path):
    """A header, one record per item, the parsed output flattened, the columns of the input."""
    path = tmp_path / "out.csv"
    parsed = {"city": "Bergen", "at": {"lat": 60.5, "tags": ["a", "b"]}}
    first_record = record("k\n1", parsed=parsed, output='say "hi"\r\n', cost_cents=3.5)
    second_record = record("k2", state="failed", error={"type": "E", "message": "no, good"})
    table = CsvTable(["city", "=note", "key"], json.dumps(SCHEMA))
    await ResultFile(path, table).write(records_of(first_record, second_record))

    content = path.read_bytes().decode()
    first, second = csv.DictReader(io.StringIO(content, newline=""), strict=True)
    assert content.startswith(
        "line,key,state,status,cost_cents,former_cost_cents,joined,task_id,output,error,output.city,"
        "output.at.lat,output.at.tags,city,'=note\r\n"
    )
    assert (first["key"], first["line"], first["cost_cents"]) == ("k\n1", "2", "3.5")
    assert first["output"] == 'say "hi"\r\n'
    assert (first["output.city"], first["output.at.lat"]) == ("Bergen", "60.5")
    assert json.loads(first["output.at.tags"]) == ["a", "b"]
    assert (first["city"], first["'=note"], first["error"]) == ("Oslo", "n", "")
    assert (second["state"], second["error"]) == ("failed", "E: no, good")
    assert second["output.city"] == ""


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20SUM(A1)", "'\uff20SUM(A1)"),
        ("\u200b=1+1", "'\u200b=1+1"),
        ("'\ufeff\u202e@SUM(A1)", "''\ufeff\u202e@SUM(A1)"),
        ("\u200bplain", "\u200bplain"),
        ("-5", "-5"),
        ("+47 1", "'+47 1"),
        ("-1.234,5", "-1.234,5"),
        ("plain", "plain"),
    ],
)
def test_no_cell_is_a_formula(given, written):
    """Text of a page cannot become a formula of a spreadsheet; numbers stay numbers."""
    table = CsvTable([])
    (cells,) = csv.reader([table.encode(record("k", output=given)).decode()])

    assert cells[8] == written
