import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server import LocalServer

from .running import environment, run, run_on_terminal


@pytest.fixture
async def recent(server: LocalServer) -> AsyncIterator[list[str]]:
    """The ids of three tasks, newest first: one runs, one failed, one finished."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        handles = [await session.submit(task) for task in ("Look\x1b[31m around", "Fail", "Hang")]
        for handle in handles[:2]:
            await handle.wait()
        yield [handle.id for handle in reversed(handles)]


async def test_lines(server: LocalServer, recent: list[str]) -> None:
    """In a pipe each task is one line of JSON, newest first."""
    result = await run("tasks", env=environment(server))

    assert result.code == 0
    assert [row["id"] for row in result.json_lines] == recent
    assert [row["status"] for row in result.json_lines] == ["running", "failed", "finished"]


@pytest.mark.torture
async def test_filters(server: LocalServer, recent: list[str]) -> None:
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


async def test_table_on_a_terminal(server: LocalServer, recent: list[str]) -> None:
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
async def test_wrong_usage(server: LocalServer, words: tuple[str, ...]) -> None:
    """A limit, status or time that is invalid is exit code 2, and nothing is sent."""
    result = await run("tasks", *words, env=environment(server))

    assert result.code == 2
    assert words[0] in result.stderr
    assert not server.requests


@pytest.mark.long
async def test_reader_that_leaves(server: LocalServer, recent: list[str]) -> None:
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
