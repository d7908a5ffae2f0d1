"""The command `mcp` as clients start it: over standard input and output."""

import asyncio
import signal
import sys
from typing import Any, cast

import pytest

from browser_use_async.config_file import ConfigFile
from browser_use_async.types.secrets import Secret
from tests.mcp.processes import environment, started, stdio
from tests.support.patience import PATIENCE


@pytest.mark.long
async def test_a_task_longer_than_any_call(server, recorder):
    """Calls that end long before the task, and a client that reconnects, get its result."""
    from mcp import Client

    async with Client(stdio(server, "--timeout", "0.2")) as client:
        state = (await client.call_tool("run_task", {"task": "Held"})).structured_content
        for _time in range(3):
            waited = await client.call_tool("wait_for_task", {"task_id": state["task_id"]})
            assert not waited.structured_content["has_ended"]
    recorder.released.set()
    async with Client(stdio(server)) as client:
        ended = await client.call_tool("wait_for_task", {"task_id": state["task_id"]})

    assert ended.structured_content["output"] == "Done."
    assert len(recorder.assignments) == 1


@pytest.mark.canaries_by_design("files")  # this is the file for the key
async def test_a_server_that_was_logged_in_to(server, tmp_path):
    """A client need not pass address and key: the command reads the file of `login`."""
    from mcp import Client, StdioServerParameters

    folder = tmp_path / "browser-use-async"
    folder.mkdir(mode=0o700)
    ConfigFile(folder / "config.toml", server.base_url, Secret(server.api_key)).write()
    variables = environment(server) | {"XDG_CONFIG_HOME": str(tmp_path)}
    del variables["BROWSER_USE_API_KEY"], variables["BROWSER_USE_BASE_URL"]
    words = ["-m", "browser_use_async", "mcp"]
    command = StdioServerParameters(command=sys.executable, args=words, env=variables)
    async with Client(cast("Any", command)) as client:
        listed = await client.call_tool("list_tasks", {})

    assert not listed.is_error, listed.content


@pytest.mark.long
async def test_a_session_of_the_library_calls_every_tool(server):
    """Over a pipe: each listed tool can be called, and answers."""
    from mcp import ClientSession
    from mcp.client.stdio import stdio_client

    async with (
        stdio_client(stdio(server)) as (reading, writing),
        ClientSession(reading, writing) as client,
    ):
        await client.initialize()
        listed = {each.name for each in (await client.list_tools()).tools}
        called: set[str] = set()

        async def call(tool: str, **arguments: Any) -> Any:
            called.add(tool)
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result.content
            return result.structured_content or result.content

        task_id = (await call("run_task", task="Hang around", wait_seconds=0))["task_id"]
        while not (await call("task_steps", task_id=task_id))["result"]:
            pass
        await call("pause_task", task_id=task_id)
        assert (await call("wait_for_task", task_id=task_id))["status"] == "paused"
        await call("resume_task", task_id=task_id)
        await call("stop_task", task_id=task_id)
        state = await call("run_task", task="Report")
        assert (await call("task_status", task_id=state["task_id"]))["output"] == "Done."
        assert (await call("task_screenshot", task_id=state["task_id"]))[0].type == "image"
        link = await call("task_file", task_id=state["task_id"], file_name="sum.txt")
        assert link["download_url"].startswith("http://127.0.0.1:")
        assert (await call("list_tasks", status="stopped"))["tasks"][0]["task_id"] == task_id
        assert (await call("balance"))["cents"] > 0
        assert (await call("list_scripts"))["result"] == []
        made = await call("create_schedule", task="Look", cron_expression="0 9 * * 1-5")
        assert (await call("list_schedules"))["result"] == [made]
        await call("delete_schedule", schedule_id=made["schedule_id"])

    assert called == listed


@pytest.mark.long
async def test_a_budget_bounds_the_process(server):
    """The user who starts the server limits the spending of a model."""
    from mcp import Client

    async with Client(stdio(server, "--budget-cents", "30")) as client:
        first = await client.call_tool("run_task", {"task": "Buy milk", "max_agent_steps": 10})
        second = await client.call_tool("run_task", {"task": "Buy it all"})
        left = (await client.call_tool("balance", {})).structured_content
        schedule = await client.call_tool("create_schedule", {"task": "x", "interval_minutes": 1})

    assert not first.is_error
    assert "$0.24 of the budget of $0.30 remain" in second.content[0].text
    assert left["budget_left_cents"] == 24
    assert left["cents"] > 1000
    assert "no budget can bound it" in schedule.content[0].text


@pytest.mark.long
@pytest.mark.parametrize("ending", ["input", "output", "signal"])
async def test_it_ends_with_its_client(server, ending):
    """A client that closes the input, or sends a signal, leaves no process behind."""
    process = await started(server)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_INITIALIZE)
    async with asyncio.timeout(PATIENCE):
        assert b'"id":1' in await process.stdout.readline()
        if ending == "input":
            process.stdin.close()
        elif ending == "output":  # of a client that was killed, before an answer
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
async def test_without_a_client(server, streams, code, words):
    """As in a container without `-i`: it ends, and says that its input is closed."""
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
