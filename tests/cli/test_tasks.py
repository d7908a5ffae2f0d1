import asyncio
import subprocess
import sys

import aiohttp
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.cli.exit import ExitCode
from browser_use_async.errors import InvalidRequestError

from .running import environment, run, run_on_terminal


@pytest.fixture
async def recent(server):
    """The ids of three tasks, newest first: one runs, one failed, one finished."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        handles = [await session.submit(task) for task in ("Look\x1b[31m around", "Fail", "Hang")]
        for handle in handles[:2]:
            await handle.wait()
        yield [handle.id for handle in reversed(handles)]


async def test_lines(server, recent):
    """In a pipe each task is one line of JSON, newest first."""
    result = await run("tasks", env=environment(server))

    assert result.code == 0
    assert [row["id"] for row in result.json_lines] == recent
    assert [row["status"] for row in result.json_lines] == ["running", "failed", "finished"]


@pytest.mark.torture
async def test_filters(server, recent):
    """Tasks are chosen by status and by age, up to a limit."""
    env = environment(server)
    by_status = await run("tasks", "--status", "failed", "--status", "finished", env=env)
    limited = await run("tasks", "--limit", "1", env=env)
    given = await run("tasks", "--created-after", "1h", "--all", env=env)
    future = await run("tasks", "--created-after", "2999-01-01", env=env)

    assert [row["id"] for row in by_status.json_lines] == recent[1:]
    assert [row["id"] for row in limited.json_lines] == recent[:1]
    assert [row["id"] for row in given.json_lines] == recent
    assert future.code == 0
    assert future.stdout == ""
    assert "no such tasks" in future.stderr


async def test_table_on_a_terminal(server, recent):
    """On a terminal there is an aligned table, cut at its edge, without control characters."""
    written = await run_on_terminal("tasks", "--plain", env=environment(server), columns=80)
    lines, words = written.splitlines(), ["TASK", "Hang", "Fail", "Look"]

    assert lines[0].split()[:3] == ["ID", "STATUS", "CREATED"]
    assert [line.split()[0] for line in lines[1:]] == recent
    assert len({line.index(word) for line, word in zip(lines, words, strict=True)}) == 1
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in written


@pytest.mark.long
@pytest.mark.parametrize(
    "words", [("--limit", "0"), ("--status", "gone"), ("--created-after", "x")]
)
async def test_wrong_usage(server, words):
    """A limit, status or time that is invalid is exit code 2, and nothing is sent."""
    result = await run("tasks", *words, env=environment(server))

    assert result.code == 2
    assert words[0] in result.stderr
    assert not server.requests


@pytest.mark.long
async def test_reader_that_leaves(server, recent):
    """`| head -0` ends the command without a message."""
    command = f"{sys.executable} -m browser_use_async tasks | true; exit ${{PIPESTATUS[0]}}"
    env = environment(server)

    def piped() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", command], env=env, capture_output=True, text=True, check=False
        )

    finished = await asyncio.get_running_loop().run_in_executor(None, piped)

    assert finished.returncode == 141
    assert finished.stderr == ""


@pytest.fixture
async def of_shop(server):
    """The key of another owner, and the id of a finished task of it."""
    url, headers = f"{server.url}/admin/keys", {"Authorization": f"Bearer {server.api_key}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(url, json={"name": "shop"}) as answer,
    ):
        key = (await answer.json())["key"]
    async with BrowserUseSession(key, base_url=server.base_url) as session:
        yield key, (await session.run_and_wait("Report")).id


async def test_tasks_of_another_owner(server, recent, of_shop):
    """An operator lists and opens them; each line has its owner, and the own lines have none."""
    env, task_id = environment(server), of_shop[1]
    theirs = await run("tasks", "--owner", "shop", env=env)
    both = await run("tasks", "--owner", "all", "--json", "id,owner", env=env)
    own = await run("tasks", env=env)
    table = await run_on_terminal("tasks", "--plain", "--owner", "all", env=env, columns=120)
    shown = await run("tasks", "show", task_id, "--owner", "all", env=env)
    read = await run_on_terminal("tasks", "show", task_id, "--owner", "shop", "--plain", env=env)

    assert [(row["id"], row["owner"]) for row in theirs.json_lines] == [(task_id, "shop")]
    assert both.json_lines == [
        {"id": task_id, "owner": "shop"},
        *({"id": each, "owner": "default"} for each in recent),
    ]
    assert [row["id"] for row in own.json_lines] == recent
    assert "owner" not in own.json_lines[0]
    assert table.splitlines()[0].split()[-2:] == ["OWNER", "TASK"]
    assert (shown.json_lines[0]["id"], shown.json_lines[0]["owner"]) == (task_id, "shop")
    assert "owner: shop; the task can only be read" in read


async def test_an_owner_that_is_refused(server, of_shop):
    """One that does not exist, and one that the key may not read, are one sentence each."""
    unknown = await run("tasks", "--owner", "shp", env=environment(server))
    env = {**environment(server), "BROWSER_USE_API_KEY": of_shop[0]}
    refused = await run("tasks", "show", of_shop[1], "--owner", "shop", env=env)

    assert (unknown.code, unknown.stdout) == (ExitCode.API, "")
    assert "owner: there is no such name; did you mean 'shop'?" in unknown.stderr
    assert "this server does not serve" not in unknown.stderr
    assert (refused.code, refused.stdout) == (ExitCode.API, "")
    assert "does not have the scope admin, which owner needs" in refused.stderr


async def test_reading_calls_of_another_owner(server, of_shop):
    """`tasks.of_owner` has no call that changes something, and all that read."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        tasks = session.tasks.of_owner("shop")
        page = await tasks.list()
        task = await tasks.get(of_shop[1])
        file = await tasks.get_output_file(of_shop[1], "sum.txt")
        with pytest.raises(InvalidRequestError, match="owner is 'a/b'"):
            await session.tasks.of_owner("a/b").list()

    assert [row.extra["owner"] for row in page.tasks] == [task.extra["owner"]] == ["shop"]
    assert file.download_url.startswith(server.url)
    assert repr(tasks) == (
        "<ReadOnlyTasks: get, get_status, list, get_media, get_screenshots, get_output_file>"
    )
    assert repr(session.tasks).startswith(
        "<TaskEndpoints: run, stop, pause, resume, of_owner, get,"
    )
