"""The command `mcp` as clients start it: over standard input and output."""

import asyncio
import signal
import sys
from typing import Any, cast

import pytest

from browser_use_async.server import LocalServer
from tests.cli.running import Recorder
from tests.mcp.processes import environment, started, stdio
from tests.support.patience import PATIENCE


@pytest.mark.long
async def test_a_task_longer_than_any_call(server: LocalServer, recorder: Recorder):
    """Calls that end long before the task, and a client that comes anew, get its result."""
    from mcp import Client

    async with Client(stdio(server, "--max-wait", "0.2")) as client:
        state = (await client.call_tool("run_task", {"task": "Held"})).structured_content
        for _time in range(3):
            waited = await client.call_tool("wait_for_task", {"task_id": state["task_id"]})
            assert not waited.structured_content["has_ended"]
    recorder.released.set()
    async with Client(stdio(server)) as client:
        ended = await client.call_tool("wait_for_task", {"task_id": state["task_id"]})

    assert ended.structured_content["output"] == "Done."
    assert len(recorder.assignments) == 1


@pytest.mark.long
async def test_a_budget_bounds_the_process(server: LocalServer):
    """What a model may spend is bounded by whoever starts the server."""
    from mcp import Client

    async with Client(stdio(server, "--budget-cents", "30")) as client:
        first = await client.call_tool("run_task", {"task": "Buy milk", "max_agent_steps": 10})
        second = await client.call_tool("run_task", {"task": "Buy it all"})
        schedule = await client.call_tool("create_schedule", {"task": "x", "interval_minutes": 1})

    assert not first.is_error
    assert "of the budget of 30 ¢ 24 ¢ remain" in second.content[0].text
    assert "no budget bounds it" in schedule.content[0].text


@pytest.mark.long
@pytest.mark.parametrize("ending", ["input", "output", "signal"])
async def test_it_ends_with_its_client(server: LocalServer, ending: str):
    """A client that closes the input, or sends a signal, leaves no process behind."""
    process = await started(server)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_INITIALIZE)
    async with asyncio.timeout(PATIENCE):
        assert b'"id":1' in await process.stdout.readline()
        if ending == "input":
            process.stdin.close()
        elif ending == "output":  # of a client that was killed, while an answer is due
            cast("Any", process)._transport.get_pipe_transport(1).close()
            process.stdin.write(_LIST)
            process.stdin.close()
        else:
            process.send_signal(signal.SIGTERM)
        _out, said = await process.communicate()

    assert process.returncode == (128 + signal.SIGTERM if ending == "signal" else 0), said
    assert b"Traceback" not in said


@pytest.mark.long
@pytest.mark.parametrize(
    ("streams", "code", "words"),
    [("</dev/null", 0, ""), ("<&-", 2, "must be open"), (">&- </dev/null", 2, "must be open")],
)
async def test_without_a_client(server: LocalServer, streams: str, code: int, words: str):
    """As in a container without `-i`: it ends, and what is closed is said."""
    process = await asyncio.create_subprocess_shell(
        f'exec "{sys.executable}" -m browser_use_async mcp {streams}',
        stderr=asyncio.subprocess.PIPE,
        env=environment(server),
    )
    async with asyncio.timeout(PATIENCE):
        _out, said = await process.communicate()

    assert (process.returncode, said.count(b"\n")) == (code, int(bool(words))), said
    assert words in said.decode()


_INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
    b'"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}\n'
)
_LIST = b'{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}\n'
