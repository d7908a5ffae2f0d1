"""The failures of a batch, counted by their reasons."""

import csv
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from browser_use_async import Task, TaskStatus
from browser_use_async.batch import BatchResult, ItemState, read_ledger
from browser_use_async.cli.batch.failures import Failures
from browser_use_async.errors import BrowserUseError, TaskStoppedError
from tests.support.ledgers import item, write_ledger

from .running import environment, run

_ROWS = "key,task\n" + "".join(
    f"k{place},{'Fail' if place % 2 else 'Look'} at page {place}\n" for place in range(8)
)
_WHY = "the task failed: The page is on fire"


async def test_a_run_counts_them(server, tmp_path):
    """`batch run` prints the first failure of a reason, and at the end their number."""
    source, ledger, output = (tmp_path / name for name in ("in.csv", "run.db", "out.csv"))
    source.write_text(_ROWS)
    words = ("--ledger", str(ledger), "-o", str(output))
    result = await run("batch", "run", str(source), *words, env=environment(server))
    status = await run("batch", "status", str(ledger))
    plain = await run("batch", "status", str(ledger), "--plain")
    again = await run("batch", "run", str(source), *words, "--resume", env=environment(server))
    rows = list(csv.DictReader(output.read_text().splitlines()))

    assert result.code == 1
    assert result.stderr.count("failed      k") == 1
    (line,) = [each for each in result.stderr.splitlines() if _WHY in each]
    assert line.split()[:2] == ["4", "failed"]
    assert line.endswith(" and 1 more)")
    (reason,) = result.json["failures"]
    assert (reason["state"], reason["reason"], reason["count"]) == ("failed", _WHY, 4)
    assert len(reason["first"]) == 3
    assert status.json["failures"][0]["count"] == 4
    assert again.json["failures"][0]["count"] == 4
    assert [each.split()[:2] for each in plain.stdout.splitlines()[:3]] == [
        ["done", "4"],
        ["failed", "4"],
        ["cost", plain.stdout.split("cost")[1].split()[0]],
    ]
    assert f"failed  {_WHY} (k1, k3, k5 and 1 more)" in plain.stdout
    assert "dead letter" not in plain.stdout
    assert list(rows[0])[:3] == ["line", "key", "state"]
    assert min(rows, key=lambda row: int(row["line"]))["key"] == "k0"
    assert f"results are in {output}, in the order of the input" in result.stderr


def test_details_of_a_task_are_no_part_of_a_reason():
    """Ids, addresses and numbers of steps are left out, so that each reason is reported once."""
    failures = Failures()
    first = []
    for place in range(3):
        task = str(uuid4())
        text = f"task {task} failed after {place} steps: https://shop.example/{place} is {task}"
        first.append(
            failures.add(
                BatchResult[str](
                    index=place,
                    key=f"k{place}",
                    state=ItemState.FAILED,
                    task_id=task,
                    error=BrowserUseError(text),
                )
            )
        )
    done = BatchResult[str](index=9, key="k9", state=ItemState.DONE)

    assert failures.add(done) is None
    assert [each is not None for each in first] == [True, False, False]
    assert failures.record() == [
        {
            "state": "failed",
            "reason": "the task failed: … is …",
            "count": 3,
            "first": ["k0", "k1", "k2"],
        }
    ]


def test_tasks_that_were_stopped_have_one_reason():
    """The hint for programs, `error.task`, is not in it."""
    failures = Failures()
    for place in range(2):
        task = Task(str(uuid4()), "Look", TaskStatus.STOPPED, None, finished_at=datetime.now(UTC))
        with pytest.raises(TaskStoppedError) as caught:
            task.raise_for_status()
        failures.add(
            BatchResult[str](
                index=place, key=f"k{place}", state=ItemState.FAILED, error=caught.value
            )
        )

    (reason,) = failures.record()
    assert (reason["reason"], reason["count"]) == ("the task was stopped", 2)


def test_many_reasons(tmp_path):
    """The most frequent come first, and memory stays bounded however many there are."""
    rows = [item(f"k{n}", "failed", reason=f"reason {'abc'[n % 3]}") for n in range(9)]
    rows += [item("open", "unknown", reason="reason a"), item("fine")]
    rows += [item(f"x{n}", "failed", reason=f"only {n}") for n in range(1_500)]
    failures = Failures.of(read_ledger(write_ledger(tmp_path / "run.db", rows)).rows())
    counted = {(each.state, each.text): each.count for each in failures}

    assert sum(counted.values()) == len(rows) - 1
    assert len(counted) <= 1_002
    assert counted[ItemState.FAILED, "reason a"] == 3
    assert counted[ItemState.UNKNOWN, "reason a"] == 1
    assert next(iter(failures)).text == "other reasons"
    assert json.dumps(failures.record())
