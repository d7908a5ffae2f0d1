import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from browser_use_async.types import TaskStatus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from browser_use_async.batch import BatchResult, ItemState
from browser_use_async.cli.batches.items import Item
from browser_use_async.cli.batches.outcomes import OutcomeFile, outcome
from browser_use_async.errors import BrowserUseError, ConfigurationError


def line(key: str, state: str = "done") -> dict[str, object]:
    """What is written down about an item, in short."""
    return {"key": key, "state": state}


def read(path: Path) -> list[dict[str, object]]:
    """All lines of a file."""
    return [json.loads(each) for each in path.read_text().splitlines()]


def test_what_is_written_down() -> None:
    """A result is told with its row, its exact figures and its error; JSON only if asked for."""
    result = BatchResult[object](
        index=3,
        key="a",
        state=ItemState.FAILED,
        task_id="t",
        status=TaskStatus.FINISHED,
        output='{"n": 1}',
        error=BrowserUseError("no good"),
        attempts=2,
        steps=4,
        cost_cents=Decimal("11.5"),
    )
    written = outcome(result, Item(5, "a", "Go"), has_schema=True)

    assert written["error"] == {"type": "BrowserUseError", "message": "no good"}
    assert (written["index"], written["line"], written["task"]) == (3, 5, "Go")
    assert (written["steps"], written["cost_cents"], written["attempts"]) == (4, 11.5, 2)
    assert (written["state"], written["status"]) == ("failed", "finished")
    assert written["output"] == '{"n": 1}'
    assert written["parsed"] == {"n": 1}
    assert "parsed" not in outcome(result, None, has_schema=False)


def test_an_output_that_is_no_json() -> None:
    """Where a schema was asked for and the output is something else, nothing is parsed."""
    result = BatchResult[object](index=0, key="a", state=ItemState.DONE, output="Done.")

    assert outcome(result, None, has_schema=True)["parsed"] is None


def test_each_key_once(tmp_path: Path) -> None:
    """Lines are there as soon as they are added, and a key is not written twice, in two runs."""
    path = tmp_path / "out.jsonl"
    with OutcomeFile(path, resume=False) as file:
        assert file.add(line("a"))
        assert read(path) == [line("a")]
        assert not file.add(line("a", "failed"))
    with OutcomeFile(path, resume=True) as file:
        assert not file.add(line("a"))
        assert file.add(line("ü\u2028"))

    assert read(path) == [line("a"), line("ü\u2028")]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True, max_size=5),
    st.integers(0, 10_000),
)
def test_any_cut(tmp_path: Path, keys: list[str], cut: int) -> None:
    """Wherever a crash cuts the file, the next run has each key exactly once in the end."""
    path = tmp_path / "cut.jsonl"
    path.unlink(missing_ok=True)
    with OutcomeFile(path, resume=False) as file:
        for key in keys:
            file.add(line(key))
    content = path.read_bytes()
    path.write_bytes(content[: min(cut, len(content))])
    with OutcomeFile(path, resume=True) as file:
        for key in keys:
            file.add(line(key))

    lines = [json.loads(each) for each in path.read_bytes().split(b"\n")[:-1]]
    assert sorted(each["key"] for each in lines) == sorted(keys)


def test_rows_that_are_tried_again(tmp_path: Path) -> None:
    """Lines of refused rows make room for what becomes of them, and for nothing else."""
    path = tmp_path / "out.jsonl"
    with OutcomeFile(path, resume=False) as file:
        for key, state in (("a", "done"), ("b", "dead letter"), ("c", "failed")):
            file.add(line(key, state))
    with OutcomeFile(path, resume=True, forget={ItemState.DEAD}) as file:
        assert [file.add(line(key)) for key in "abc"] == [False, True, False]

    assert read(path) == [line("a"), line("c", "failed"), line("b")]
    assert [each.name for each in tmp_path.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("content", ["Dear diary\n", '{"name": "b"}\n', '{"key": 1}\n', "[]\n\n"])
def test_another_file_is_left_alone(tmp_path: Path, content: str) -> None:
    """A file that holds something else is refused by its line, and not changed."""
    path = tmp_path / "diary.jsonl"
    path.write_text(content + "and no end")
    with pytest.raises(ConfigurationError, match="line 1: it is no result of a batch"):
        OutcomeFile(path, resume=True)

    assert path.read_text() == content + "and no end"


def test_a_file_that_cannot_be(tmp_path: Path) -> None:
    """A file that is there, or that cannot be written, is refused in words."""
    (tmp_path / "out.jsonl").write_text("")
    with pytest.raises(ConfigurationError, match="--resume adds to it"):
        OutcomeFile(tmp_path / "out.jsonl", resume=False)
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        OutcomeFile(tmp_path / "no" / "out.jsonl", resume=False)
    with pytest.raises(ConfigurationError, match="cannot be written: Is a directory"):
        OutcomeFile(tmp_path, resume=True)


_FULL_DISK = """
import resource, sys
from pathlib import Path
from browser_use_async.cli.batches.outcomes import OutcomeFile
from browser_use_async.errors import ConfigurationError

resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
with OutcomeFile(Path(sys.argv[1]), resume=False) as file:
    file.add({"key": "a", "state": "done"})
    try:
        file.add({"key": "b" * 200, "state": "done"})
    except ConfigurationError as error:
        print(error)
"""


def test_no_room(tmp_path: Path) -> None:
    """When the disk is full, the file ends with the line before, and the error says what to do."""
    path = tmp_path / "out.jsonl"
    result = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )

    assert "the ledger has the result, and --resume writes it" in result.stdout
    assert read(path) == [line("a")]
