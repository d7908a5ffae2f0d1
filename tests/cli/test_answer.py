import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.records import Finished
from tests.server.steering import FromQueue
from tests.support.patience import until
from tests.support.wall_clock import WallClock

from .running import Result, environment, run, run_on_terminal


async def _shell(command: str, env: Mapping[str, str]) -> Result:
    """Run a line of the shell in which `PROGRAM` is replaced by the program."""
    line = command.replace("PROGRAM", f"{sys.executable} -m browser_use_async")

    def finished() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", line], env=env, capture_output=True, text=True, check=False
        )

    done = await asyncio.get_running_loop().run_in_executor(None, finished)
    assert "Traceback" not in done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
async def answering():
    """A server whose tasks answer with text, with JSON, with files, or fail."""
    scenarios = {
        "Text": Scenario(output="Tea is 3.50\x1b[2J\nCoffee is 4.00"),
        "Data": Scenario(output='{"tea": [350]}', files={"tea.csv": b"350"}),
        "Fail": Scenario(outcome="failed", reason="The page is on fire"),
    }
    return LocalServer(executor=ScriptedExecutor(scenarios))


async def _submit(server: LocalServer, task: str) -> str:
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        handle = await session.submit(task)
        await handle.wait()
    return handle.id


@pytest.mark.long
async def test_text_on_a_terminal(answering):
    """The answer comes first, with its lines, then one line about the task; no JSON."""
    async with answering:
        written = await run_on_terminal("run", "Text", "--plain", env=environment(answering))
        task_id = answering.store.tasks[0].id
    answer = written[written.index("Answer") :].splitlines()

    assert answer[:4] == ["Answer", "Tea is 3.50 [2J", "Coffee is 4.00", ""]
    assert answer[4].startswith("finished · 2 steps · about $0.06 · ")
    assert answer[5] == f"task {task_id}"
    assert '"output"' not in written
    assert "finished after" not in written


@pytest.mark.long
async def test_the_cost_of_a_task_that_fails_at_its_limit(answering):
    """The step that reports the limit is free, for the account as well."""
    async with answering:
        words = ("run", "Text", "--max-agent-steps", "1", "--plain")
        written = await run_on_terminal(*words, env=environment(answering))
        cost = answering.store.tasks[0].cost_cents

    assert cost == Decimal("3.5")
    assert "failed · 2 steps · about $0.035 · " in written


async def test_data_and_files_on_a_terminal(answering):
    """JSON is indented, and files are named with the command that fetches them."""
    async with answering:
        task_id = await _submit(answering, "Data")
        env = environment(answering)
        written = await run_on_terminal("tasks", "show", task_id, "--plain", env=env)
        whole = await run_on_terminal("tasks", "show", task_id, "--json", env=env)
        watched = await run_on_terminal("watch", task_id, "--plain", env=env)

    assert json.loads(written[written.index("{") : written.index("}") + 1]) == {"tea": [350]}
    assert "files: tea.csv" in written
    assert f"browser-use-async files download {task_id} --all" in written
    assert json.loads(whole)["id"] == task_id
    assert written in watched


@pytest.mark.long
async def test_failed_on_a_terminal(answering):
    """A failed task has no answer; the summary and the reason are shown."""
    async with answering:
        written = await run_on_terminal("run", "Fail", "--plain", env=environment(answering))

    assert "Answer" not in written
    assert "failed · " in written
    assert "The page is on fire" in " ".join(written.split())


@pytest.mark.long
async def test_output_only(answering):
    """For scripts there is the output unchanged, and nothing on stderr unless it failed."""
    async with answering:
        env = environment(answering)
        data = await run("run", "Data", "--output-only", env=env)
        failed = await run("run", "Fail", "-q", env=env)
        shown = await run("tasks", "show", answering.store.tasks[0].id, "-q", env=env)
        watched = await run("watch", answering.store.tasks[0].id, "-q", env=env)

    assert data.stdout == shown.stdout == watched.stdout == '{"tea": [350]}\n'
    assert data.stderr == shown.stderr == ""
    assert failed.code == 1
    assert failed.stderr.startswith("error: task ")


async def test_show(answering):
    """In a pipe a task is the JSON that the API gives; an unknown one is exit code 3."""
    async with answering:
        task_id = await _submit(answering, "Data")
        shown = await run("tasks", "show", task_id, env=environment(answering))
        unknown = await run("tasks", "show", "no-such-task", env=environment(answering))

    assert shown.json["id"] == task_id
    assert shown.json["output"] == '{"tea": [350]}'
    assert unknown.code == 3
    assert len(unknown.stderr.splitlines()) == 1


async def test_balance():
    """The balance is exact JSON in a pipe, and dollars on a terminal."""
    async with LocalServer(executor="scripted", balance_cents=1250) as server:
        piped = await run("balance", env=environment(server))
        written = await run_on_terminal("balance", env=environment(server))

    assert {name: Decimal(text) for name, text in piped.json.items()} == {"balance_cents": 1250}
    assert written == "$12.50 left\n"


@pytest.mark.long
@pytest.mark.parametrize(
    ("redirection", "code", "reason"),
    [
        ("> /dev/full", 74, "No space left on device"),
        (">&-", 74, "Bad file descriptor"),
        ("| true; exit ${PIPESTATUS[0]}", 141, "Broken pipe"),
    ],
)
async def test_an_answer_that_cannot_be_written(answering, redirection, code, reason):
    """A paid answer is not lost: the error names the task, and the command to get it."""
    async with answering:
        result = await _shell(f"PROGRAM run Data {redirection}", environment(answering))
        task_id = answering.store.tasks[0].id
        fetched = await run("tasks", "show", task_id, env=environment(answering))

    assert result.code == code
    assert result.stderr.splitlines()[-1] == (
        f"error: the answer of task {task_id} could not be written to stdout: {reason}; to get "
        f"it, free of charge: browser-use-async tasks show {task_id}"
    )
    assert fetched.json["output"] == '{"tea": [350]}'


@pytest.mark.long
@pytest.mark.parametrize("redirection", ["2>&-", "2> /dev/full"])
async def test_stderr_that_cannot_be_written(answering, redirection):
    """The answer is printed although stderr is closed or full."""
    async with answering:
        result = await _shell(f"PROGRAM run Data {redirection}", environment(answering))

    assert result.code == 0
    assert result.json["output"] == '{"tea": [350]}'


@pytest.mark.long
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("PROGRAM >&-", 2),
        ("PROGRAM 2>&-", 2),
        ("PROGRAM run >&- 2>&-", 2),
        ("PYTHONUNBUFFERED= PROGRAM --help > /dev/full", 74),
        ("PROGRAM tasks > /dev/full", 74),
    ],
)
async def test_closed_and_full_streams(answering, line, code):
    """No traceback and the right exit code, whatever files the shell has closed."""
    async with answering:
        await _submit(answering, "Data")
        result = await _shell(line, environment(answering))

    assert result.code == code


@pytest.mark.parametrize("colours", ["", "1"])
async def test_a_reader_that_has_gone(answering, colours):
    """With and without colours the exit code is that of SIGPIPE, and nothing is said."""
    async with answering:
        await _submit(answering, "Data")
        env = environment(answering, FORCE_COLOR=colours)
        result = await _shell("PROGRAM tasks --columns id | true; exit ${PIPESTATUS[0]}", env)

    assert result.code == 141
    assert result.stderr == ""


@pytest.mark.long
async def test_colours_in_a_pipe(answering):
    """FORCE_COLOR colours messages in a pipe, but changes no layout; JSON stays JSON."""
    async with answering:
        coloured = await run("run", "Fail", env=environment(answering, FORCE_COLOR="1"))
        unset = await run("run", "Fail", env=environment(answering, FORCE_COLOR=""))

    assert "\x1b[31mfailed\x1b[0m" in coloured.stderr
    assert "\x1b[2K" not in coloured.stderr
    assert "\x1b" not in unset.stderr
    assert coloured.json["status"] == "failed"


async def test_the_duration_is_that_of_the_task():
    """`watch` of a task that ended long ago shows the time of the task, not of the watch."""
    queue, clock = FromQueue(), WallClock()
    clock.time = datetime.now(UTC) - timedelta(hours=1)
    async with LocalServer(executor=queue, now=clock) as server:
        async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
            task_id = (await session.tasks.run("Data")).id
        queue.step()
        queue.step()
        await until(lambda: len(server.store.tasks[0].steps) == 2)
        clock.time += timedelta(hours=1)
        queue.items.put_nowait(Finished("Done"))
        await until(lambda: server.store.tasks[0].status.is_terminal)
        result = await run("watch", task_id, env=environment(server))

    assert "finished after 2 steps and 3600.0 s" in result.stderr


@pytest.mark.long
@pytest.mark.parametrize("redirection", ["> /dev/full", "| true; exit ${PIPESTATUS[0]}"])
async def test_a_row_that_cannot_be_written(answering, tmp_path, redirection):
    """A row of a batch was paid for: the error names it, and how to continue."""
    (tmp_path / "in.csv").write_text("key,task\na,Data\n")
    ledger = tmp_path / "run.db"
    async with answering:
        line = f"PROGRAM batch run {tmp_path / 'in.csv'} --ledger {ledger} {redirection}"
        result = await _shell(line, environment(answering))
        task_id = answering.store.tasks[0].id

    assert result.code in {74, 141}
    assert f"browser-use-async tasks show {task_id}" in result.stderr
    assert f"to go on: browser-use-async batch run {tmp_path / 'in.csv'}" in result.stderr
