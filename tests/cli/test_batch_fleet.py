"""`batch enqueue` and `batch work`: one batch and several processes."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from browser_use_async.server import LocalServer

WORDS = [sys.executable, "-m", "browser_use_async", "batch"]


async def run(*words: str) -> tuple[int, list[dict[str, object]], str]:
    """Run a command: its code, what it printed, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *WORDS, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, said = await process.communicate()
    lines = [json.loads(line) for line in out.decode().splitlines()]
    return process.returncode or 0, lines, said.decode()


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file with three rows."""
    file = tmp_path / "companies.csv"
    file.write_text("company\nAcme\nBeta\nGamma\n")
    return file


@pytest.mark.long
async def test_rows_are_enqueued_worked_on_and_waited_for(postgres: str, rows: Path) -> None:
    """One command waits for the work of another, and a third one reads the results."""
    ledger, template = f"{postgres}#cli", ["--template", "Find {company}"]
    async with LocalServer(executor="scripted") as server:
        target = ["--base-url", server.base_url, "--api-key", server.api_key]
        waiting = asyncio.ensure_future(
            run("enqueue", str(rows), *template, "--ledger", ledger, "--resume", "--wait")
        )
        enqueued = await run("enqueue", str(rows), *template, "--ledger", ledger, "--resume")
        worked = await run("work", ledger, *target)
        waited = await waiting

    assert enqueued[0] == worked[0] == waited[0] == 0, (enqueued, worked, waited)
    assert sorted(str(line["key"]) for line in worked[1]) == ["line 2", "line 3", "line 4"]
    assert len(waited[1]) == 3
    assert {line["state"] for line in waited[1]} == {"done"}
    code, (status,), _said = await run("status", ledger)
    assert (code, status["total"], status["labels"]) == (
        0,
        3,
        {"input": "companies.csv", "template": "Find {company}"},
    )


@pytest.mark.long
async def test_a_file_is_no_ledger_of_many(rows: Path, tmp_path: Path) -> None:
    """The error says what an address looks like."""
    code, _lines, said = await run("enqueue", str(rows), "--ledger", str(tmp_path / "run.db"))

    assert code == 2
    assert "postgresql://user@host/database#name" in said


@pytest.mark.long
async def test_a_lease_that_is_too_long_for_the_search_is_refused() -> None:
    """A task of a silent process must be listed before its item is sent again."""
    ledger = "postgresql://127.0.0.1:9/work#batch"  # is not read
    times = ("--lease", "130", "--attempt-timeout", "20")

    code, _lines, said = await run("work", ledger, *times, "--api-key", "a-key-of-no-account")

    assert code == 2
    assert "130 s are too long. A process that was silent for its lease may still be" in said
    assert "a lease of less than 130 s" in said


@pytest.mark.long
async def test_a_batch_that_is_there_is_not_begun_again(postgres: str, rows: Path) -> None:
    """Without --resume the same ledger is refused; the password of its address is not shown."""
    words = ["enqueue", str(rows), "--template", "Find {company}", "--ledger"]
    ledger = postgres.replace("tester@", "tester:hush@") + "#again"
    assert (await run(*words, ledger))[0] == 0

    code, _lines, said = await run(*words, ledger)

    assert code == 2
    assert "--resume" in said
    assert "hush" not in said
