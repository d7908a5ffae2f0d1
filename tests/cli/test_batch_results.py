import csv
import io
import json
import os
import stat
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from browser_use_async.batch import BatchResult, ItemState
from browser_use_async.cli.batch.input import InputItem
from browser_use_async.cli.batch.results import CsvTable, JsonLines, ResultFile, result_record
from browser_use_async.errors import BrowserUseError, ConfigurationError
from browser_use_async.types import TaskStatus
from tests.files.contents import listing


def line(key: str, state: str = "done") -> dict[str, object]:
    """The record of an item, in short."""
    return {"key": key, "state": state}


def read(path: Path) -> list[dict[str, object]]:
    """All lines of a file."""
    return [json.loads(each) for each in path.read_text().splitlines()]


def test_what_is_written_down() -> None:
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
    written = result_record(result, InputItem(5, "a", "Go", {"n": "1"}), has_schema=True)

    assert written["error"] == {"type": "BrowserUseError", "message": "no good"}
    assert (written["index"], written["line"], written["task"]) == (3, 5, "Go")
    assert (written["steps"], written["cost_cents"], written["attempts"]) == (4, 11.5, 2)
    assert (written["state"], written["status"]) == ("failed", "finished")
    assert written["output"] == '{"n": 1}'
    assert written["parsed"] == {"n": 1}
    assert written["row"] == {"n": "1"}
    assert "parsed" not in result_record(result, None, has_schema=False)


def test_an_output_that_is_no_json() -> None:
    """Where a schema was given and the output is no JSON, nothing is parsed."""
    result = BatchResult[object](index=0, key="a", state=ItemState.DONE, output="Done.")

    assert result_record(result, None, has_schema=True)["parsed"] is None


def test_each_item_once(tmp_path: Path) -> None:
    """A line is written as soon as it is added, and a later run does not write it again."""
    path = tmp_path / "out.jsonl"
    with ResultFile(path, JsonLines(), resume=False) as file:
        assert file.add(line("a"))
        assert read(path) == [line("a")]
    with ResultFile(path, JsonLines(), resume=True) as file:
        assert not file.add(line("a"))
        assert file.add(line("ü\u2028"))

    assert read(path) == [line("a"), line("ü\u2028")]


def test_an_item_that_is_repeated(tmp_path: Path) -> None:
    """An item that is three times in the input has three lines, also after an interruption."""
    path = tmp_path / "out.jsonl"
    with ResultFile(path, JsonLines(), resume=False) as file:
        assert file.add(line("a"))
        assert file.add(line("a"))
    with ResultFile(path, JsonLines(), resume=True) as file:
        assert [file.add(line("a")) for _place in range(3)] == [False, False, True]

    assert read(path) == [line("a")] * 3


@pytest.mark.parametrize("form", [JsonLines(), CsvTable(["city"])], ids=["json", "csv"])
def test_results_are_for_their_owner(tmp_path: Path, form: JsonLines | CsvTable) -> None:
    """A new file is readable for its user only; an existing file keeps its permissions."""
    path = tmp_path / "out"
    umask = os.umask(0o022)
    try:
        with ResultFile(path, form, resume=False) as file:
            file.add(record("a", state="failed"))
        made = stat.S_IMODE(path.stat().st_mode)
        with ResultFile(path, form, resume=True, drop={ItemState.FAILED}):
            dropped = stat.S_IMODE(path.stat().st_mode)
        path.chmod(0o640)
        with ResultFile(path, form, resume=True) as file:
            file.add(record("a", state="failed"))
        with ResultFile(path, form, resume=True, drop={ItemState.FAILED}):
            given_away = stat.S_IMODE(path.stat().st_mode)
    finally:
        os.umask(umask)

    assert (made, dropped, given_away) == (0o600, 0o600, 0o640)
    assert listing(tmp_path) == [path]


def test_a_link_in_the_place_of_a_left_over(tmp_path: Path) -> None:
    """The file beside the results, in which rows are replaced, never follows a link."""
    path, outside = tmp_path / "out.jsonl", tmp_path / "outside"
    outside.write_text("untouched")
    with ResultFile(path, JsonLines(), resume=False) as file:
        file.add(line("a", "failed"))
    (tmp_path / ".out.jsonl.part").symlink_to(outside)
    with ResultFile(path, JsonLines(), resume=True, drop={ItemState.FAILED}):
        pass

    assert outside.read_text() == "untouched"
    assert path.read_text() == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True, max_size=5),
    st.integers(0, 10_000),
)
def test_any_cut(tmp_path: Path, keys: list[str], cut: int) -> None:
    """Wherever a crash cuts the file, after the next run each key is there exactly once."""
    path = tmp_path / "cut.jsonl"
    path.unlink(missing_ok=True)
    with ResultFile(path, JsonLines(), resume=False) as file:
        for key in keys:
            file.add(line(key))
    content = path.read_bytes()
    path.write_bytes(content[: min(cut, len(content))])
    with ResultFile(path, JsonLines(), resume=True) as file:
        for key in keys:
            file.add(line(key))

    lines = [json.loads(each) for each in path.read_bytes().split(b"\n")[:-1]]
    assert sorted(each["key"] for each in lines) == sorted(keys)


def test_rows_that_are_tried_again(tmp_path: Path) -> None:
    """Only the lines of refused rows are replaced by their new results."""
    path = tmp_path / "out.jsonl"
    with ResultFile(path, JsonLines(), resume=False) as file:
        for key, state in (("a", "done"), ("b", "dead letter"), ("c", "failed")):
            file.add(line(key, state))
    with ResultFile(path, JsonLines(), resume=True, drop={ItemState.DEAD}) as file:
        assert [file.add(line(key)) for key in "abc"] == [False, True, False]

    assert read(path) == [line("a"), line("c", "failed"), line("b")]
    assert [each.name for each in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("content", ["Dear diary\n", '{"name": "b"}\n', '{"key": 1}\n', "[]\n\n"])
def test_another_file_is_left_alone(tmp_path: Path, content: str) -> None:
    """A file with other content is refused, the error names the line, and it is unchanged."""
    path = tmp_path / "diary.jsonl"
    path.write_text(content + "and no end")
    with pytest.raises(ConfigurationError, match="line 1: it is no result of a batch"):
        ResultFile(path, JsonLines(), resume=True)

    assert path.read_text() == content + "and no end"


def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    """A file that exists, or that cannot be written, is refused with an explanation."""
    (tmp_path / "out.jsonl").write_text("")
    with pytest.raises(ConfigurationError, match="is there already; take another name"):
        ResultFile(tmp_path / "out.jsonl", JsonLines(), resume=False)
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        ResultFile(tmp_path / "no" / "out.jsonl", JsonLines(), resume=False)
    with pytest.raises(ConfigurationError, match="cannot be written: Is a directory"):
        ResultFile(tmp_path, JsonLines(), resume=True)


_FULL_DISK = """
import resource, sys
from pathlib import Path
from browser_use_async.cli.batch.results import JsonLines
from browser_use_async.cli.batch.results import ResultFile
from browser_use_async.errors import ConfigurationError

resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
with ResultFile(Path(sys.argv[1]), JsonLines(), resume=False) as file:
    file.add({"key": "a", "state": "done"})
    try:
        file.add({"key": "b" * 200, "state": "done"})
    except ConfigurationError as error:
        print(error)
"""


@pytest.mark.long
def test_no_room(tmp_path: Path) -> None:
    """On a full disk the file ends with the line before, and the error says what to do."""
    path = tmp_path / "out.jsonl"
    result = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )

    assert "the ledger has the result, and --resume writes it" in result.stdout
    assert read(path) == [line("a")]


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
def test_the_key_stands_once(column: str, head: str) -> None:
    """The column of the keys keeps its name, and is not written twice."""
    table = CsvTable(["id", "task_id", "city"], key_column=column)
    (first, *_) = csv.DictReader(
        io.StringIO((table.header + table.encode(record("k"))).decode(), newline="")
    )

    assert table.header.decode().startswith(head)
    assert first[head.split(",")[1]] == "k"


def test_a_table(tmp_path: Path) -> None:
    """A header, one record per item, the parsed output flattened, the columns of the input."""
    path = tmp_path / "out.csv"
    with ResultFile(path, CsvTable(["city", "=note", "key"], SCHEMA), resume=False) as file:
        parsed = {"city": "Bergen", "at": {"lat": 60.5, "tags": ["a", "b"]}}
        file.add(record("k\n1", parsed=parsed, output='say "hi"\r\n', cost_cents=3.5))
        file.add(record("k2", state="failed", error={"type": "E", "message": "no, good"}))

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
def test_no_cell_is_a_formula(given: str, written: str) -> None:
    """Text of a page cannot become a formula of a spreadsheet; numbers stay numbers."""
    table = CsvTable([])
    (cells,) = csv.reader([table.encode(record("k", output=given)).decode()])

    assert cells[8] == written


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(st.text('a"\r\n,=ü', min_size=1, max_size=6), unique=True, max_size=4),
    st.integers(0, 600),
)
def test_any_cut_of_a_table(tmp_path: Path, keys: list[str], cut: int) -> None:
    """Wherever a crash cuts it, also in its header, after the next run each item is there once."""
    path, form = tmp_path / "cut.csv", CsvTable(["city"])
    path.unlink(missing_ok=True)
    with ResultFile(path, form, resume=False) as file:
        for key in keys:
            file.add(record(key, task_id=key.encode().hex()))
    content = path.read_bytes()
    path.write_bytes(content[: min(cut, len(content))])
    with ResultFile(path, form, resume=True) as file:
        for key in keys:
            file.add(record(key, task_id=key.encode().hex()))

    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline=""), strict=True))
    assert sorted(each["task_id"] for each in rows) == sorted(key.encode().hex() for key in keys)


def test_a_long_output_is_read_again(tmp_path: Path) -> None:
    """An output beyond the 131,072 characters that `csv` reads by default does not end a resume."""
    path, form = tmp_path / "out.csv", CsvTable(["city"])
    long = 'one "line"\r\n' * 30_000
    limit = csv.field_size_limit()
    with ResultFile(path, form, resume=False) as file:
        file.add(record("k", output=long))
    with ResultFile(path, form, resume=True) as file:
        assert not file.add(record("k", output=long))
        assert file.add(record("k2"))

    assert csv.field_size_limit() == limit
    assert [entry.identity for entry in form.entries(path)] == ["k", "k2"]


@pytest.mark.parametrize("foreign", ["\r\n", "a\r\n", '"a"b,c\r\n', "a" * 200_000 + "\r\n"])
def test_a_line_that_is_no_record(tmp_path: Path, foreign: str) -> None:
    """A line that is no record is refused, the error names it, and the file is unchanged."""
    path, form = tmp_path / "out.csv", CsvTable(["city"])
    content = form.header + foreign.encode()
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="line 2: it is no result of a batch"):
        ResultFile(path, form, resume=True)

    assert path.read_bytes() == content


@pytest.mark.parametrize("key", ["=1+1", "'=1+1", "\u200b=1+1", "'\u200b=1+1", "-", "plain"])
def test_a_row_whose_key_looks_like_a_formula(tmp_path: Path, key: str) -> None:
    """Without a task the row is found by its key, without the mark against formulas."""
    path, form = tmp_path / "out.csv", CsvTable(["city"])
    with ResultFile(path, form, resume=False) as file:
        assert file.add(record(key, task_id=None))
    with ResultFile(path, form, resume=True) as file:
        assert not file.add(record(key, task_id=None))


@pytest.mark.parametrize("content", ["Dear diary", "key,line\r\n", "a" * 500])
def test_another_table_is_left_alone(tmp_path: Path, content: str) -> None:
    """A file with other columns is refused, and not changed."""
    path = tmp_path / "out.csv"
    path.write_bytes(content.encode())
    with pytest.raises(ConfigurationError, match="has other columns than these results"):
        ResultFile(path, CsvTable(["city"]), resume=True)

    assert path.read_bytes() == content.encode()


def test_failed_items_leave_a_table_when_they_are_tried_again(tmp_path: Path) -> None:
    """The header and all other rows stay."""
    path, form = tmp_path / "out.csv", CsvTable(["city"])
    with ResultFile(path, form, resume=False) as file:
        for key, state in (("a", "done"), ("b", "failed")):
            file.add(record(key, state=state))
    with ResultFile(path, form, resume=True, drop={ItemState.FAILED}) as file:
        assert [file.add(record(key)) for key in "ab"] == [False, True]

    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [(row["key"], row["state"]) for row in rows] == [("a", "done"), ("b", "done")]
