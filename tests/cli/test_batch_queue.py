"""`batch enqueue`, `work`, `results` and `status`: one queue and several processes."""

import asyncio
import json
import sys

import pytest

from browser_use_async.server import LocalServer

pytestmark = pytest.mark.long

WORDS = [sys.executable, "-m", "browser_use_async"]


async def run(*words: str) -> tuple[int, list[dict[str, object]], str]:
    """An action of `batch`: its code, what it printed and said; lines of text as text."""
    process = await asyncio.create_subprocess_exec(
        *WORDS,
        "batch",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    lines = [json.loads(line) if line[0] == "{" else line for line in out.decode().splitlines()]
    return process.returncode or 0, lines, said.decode()


@pytest.fixture
def rows(tmp_path):
    """A file with three rows."""
    file = tmp_path / "companies.csv"
    file.write_text("company,site\nAcme,a\nBeta,a\nGamma,\n")
    return file


async def test_rows_are_enqueued_worked_on_and_followed(postgres, rows, tmp_path):
    """One command follows the results of another one's work, and a third shows the state."""
    queue, output = f"{postgres}#cli", tmp_path / "results.jsonl"
    given = ("enqueue", str(rows), "--template", "Find {company}", "--on", queue)
    limits = ("--limit-by", "site", "--per-key", "1", "--budget-cents", "2000")
    async with LocalServer(executor="scripted") as server:
        target = ["--base-url", server.base_url, "--api-key", server.api_key]
        enqueued = await run(*given, *limits)
        following = asyncio.ensure_future(run("results", queue, "--follow"))
        worked = await run("work", queue, *target)
        followed = await following
        again = await run(*given, *limits)

    codes = [each[0] for each in (enqueued, worked, followed, again)]
    assert codes == [0] * 4, (enqueued, worked, followed)
    assert "3 of 3 items wait; work on them with browser-use-async batch work" in enqueued[2]
    assert "all 3 items have ended" in again[2]
    assert len(server.store.tasks) == 3
    assert {line["state"] for line in (*worked[1], *followed[1])} == {"done"}
    assert len(worked[1]) == len(followed[1]) == 3
    names = {"Find Acme", "Find Beta", "Find Gamma"}
    assert {line["task"] for line in worked[1]} == names
    assert {line["task"] for line in followed[1]} == names
    assert (await run("results", queue, "-o", str(output)))[0] == 0
    written = [json.loads(line) for line in output.read_text().splitlines()]
    assert [each["task"] for each in written] == sorted(names)
    code, _lines, said = await run("results", queue, "-o", str(output))
    assert (code, len(output.read_text().splitlines())) == (2, 3)
    assert "is there already; take another name" in said
    _code, texts, _said = await run("results", queue, "--plain")
    assert [line.split()[:2] for line in texts] == [["done", "line"]] * 3
    assert all(len(line.split()) > 3 for line in texts)  # the answers are shown, too
    code, (status,), _said = await run("status", queue)
    assert (code, status["total"], status["counts"]["done"]) == (0, 3, 3)  # type: ignore[index]
    assert (status["per_key"], status["budget_cents"], status["reserved_cents"]) == (1, 2000, 0)


async def test_a_budget_that_stops_a_queue_is_said(postgres, rows):
    """The command says how it goes on, and a larger budget does."""
    queue = f"{postgres}#cli"
    given = ("enqueue", str(rows), "--template", "Find {company}", "--on", queue)
    steps = ("--max-agent-steps", "3")
    async with LocalServer(executor="scripted") as server:
        target = ["--base-url", server.base_url, "--api-key", server.api_key]
        await run(*given, *steps, "--budget-cents", "9")
        stopped = await run("work", queue, *target)
        await run(*given, *steps, "--budget-cents", "90")
        worked = await run("work", queue, *target)

    assert (stopped[0], worked[0]) == (1, 0), (stopped, worked)
    assert stopped[2].endswith("with a larger --budget-cents goes on with it\n")
    assert len(server.store.tasks) == 3


@pytest.mark.parametrize("command", ["work", "results", "status"])
async def test_a_queue_that_is_not_there(postgres, command):
    """One sentence says so."""
    target = ["--api-key", "a-key-of-no-account"] if command == "work" else []

    code, lines, said = await run(command, f"{postgres}#cli", *target)

    assert (code, lines) == (2, [])
    assert "nothing was enqueued in" in said


@pytest.mark.parametrize("address", ["run.db", "postgresql://me:hush@host/db"])
async def test_what_is_no_address_of_a_queue(rows, address):
    """It is refused before the file is read, and no password is shown."""
    code, _lines, said = await run("enqueue", str(rows), "--on", address)

    assert code == 2
    assert "postgresql://" in said
    assert "hush" not in said


async def test_a_row_that_is_broken_enqueues_nothing(postgres, tmp_path):
    """The error names the line, and the queue is not made."""
    queue, file = f"{postgres}#cli", tmp_path / "broken.csv"
    file.write_text("company\nAcme\nBeta,too,many\n")

    code, _lines, said = await run("enqueue", str(file), "--template", "{company}", "--on", queue)

    assert code == 2
    assert "line 3" in said
    assert (await run("status", queue))[0] == 2


async def test_semicolons_are_said(postgres, tmp_path):
    """A file of another separator is read, and the command says so."""
    queue, file = f"{postgres}#cli", tmp_path / "companies.csv"
    file.write_text("company;site\nAcme;a\nBeta;b\n")

    code, (state,), said = await run(
        "enqueue", str(file), "--template", "Find {company}", "--on", queue
    )

    assert (code, state["total"]) == (0, 2)
    assert "separated by ';', not by ','" in said
