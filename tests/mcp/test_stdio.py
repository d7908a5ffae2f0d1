"""The command `mcp` as clients start it: over standard input and output."""

import asyncio
import signal

import pytest

from browser_use_async.server import LocalServer
from tests.cli.running import Recorder
from tests.mcp.processes import started, stdio
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
@pytest.mark.parametrize("ending", ["input", "signal"])
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
        else:
            process.send_signal(signal.SIGTERM)
        _out, said = await process.communicate()

    assert process.returncode == (0 if ending == "input" else 128 + signal.SIGTERM), said


_INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
    b'"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}\n'
)
