"""The extension Tasks of the protocol, with a client that declares it and one that does not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from browser_use_async import BrowserUseSession
from tests.mcp.processes import serving_http, stdio
from tests.support.patience import PATIENCE

_TASKS = "io.modelcontextprotocol/tasks"

Seen = list[dict[str, Any]]


async def _ask(session: Any, method: str, task_id: str) -> dict[str, Any]:
    """The server's answer about a handle."""
    from mcp.types import Request, RequestParams, Result
    from pydantic import ConfigDict

    class Params(RequestParams):
        model_config = ConfigDict(extra="allow")

    class State(Result):
        model_config = ConfigDict(extra="allow")

    class Ask(Request[Params, str]):
        pass

    request = Ask(method=method, params=Params.model_validate({"taskId": task_id}))
    state = await session.send_request(request, State)
    return dict(state.model_dump(by_alias=True))


def _extension(seen: Seen, after_first: Callable[[str, Any], Any] | None = None) -> Any:
    """The client's part: it accepts a handle as the answer to a call, and polls until its end."""
    from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
    from mcp.types import CallToolResult, Result
    from pydantic import ConfigDict, Field

    class Handle(Result):
        model_config = ConfigDict(extra="allow")
        result_type: Literal["task"] = Field(alias="resultType")
        task_id: str = Field(alias="taskId")

    async def resolve(handle: Handle, context: ClaimContext) -> CallToolResult:
        async def ask(method: str, task_id: str = handle.task_id) -> dict[str, Any]:
            return await _ask(context.session, method, task_id)

        seen.append(handle.model_dump(by_alias=True))
        if after_first is not None:
            await after_first(handle.task_id, ask)
        while True:
            seen.append(await ask("tasks/get"))
            if seen[-1]["status"] != "working":
                break
            await asyncio.sleep(0.05)
        if seen[-1]["status"] == "completed":
            return CallToolResult.model_validate(seen[-1]["result"])
        return CallToolResult(content=[], is_error=True)

    class Tasks(ClientExtension):
        identifier = _TASKS

        def claims(self) -> Any:
            return [ResultClaim(result_type="task", model=Handle, resolve=resolve)]

    return Tasks()


@pytest.fixture
def patient_server(session):
    """A server whose calls wait for minutes, in the process of the test."""
    from browser_use_async.mcp.server import new_server

    @asynccontextmanager
    async def session_of(_context: Any) -> AsyncIterator[BrowserUseSession]:
        yield session

    async def scripts_of(_context: Any) -> list[dict[str, Any]]:
        return []

    return new_server(session_of, scripts_of, timeout=300.0)


def _client(patient_server: Any, *extensions: Any) -> Any:
    from mcp import Client

    return Client(patient_server, mode="2026-07-28", extensions=list(extensions))


async def test_a_long_call_is_a_handle_that_is_polled(patient_server, recorder):
    """It is answered before the task has begun, and the result is that of a call that waits."""
    seen: Seen = []

    async def release(_handle: str, ask: Any) -> None:
        assert (await ask("tasks/get"))["status"] == "working"
        recorder.released.set()

    async with _client(patient_server, _extension(seen, release)) as client:
        result = await client.call_tool("run_task", {"task": "Held"})
        status = await client.call_tool(
            "task_status", {"task_id": result.structured_content["task_id"]}
        )

    assert result.structured_content == status.structured_content
    assert result.structured_content["output"] == "Done."
    first = seen[0]
    assert (first["resultType"], first["status"], first["ttlMs"]) == ("task", "working", None)
    assert first["pollIntervalMs"] == 2_000
    assert first["createdAt"] <= seen[-1]["lastUpdatedAt"]
    assert {each["resultType"] for each in seen[1:]} == {"complete"}
    assert len(recorder.assignments) == 1


async def test_a_pause_ends_the_handle_and_not_the_task(patient_server):
    """A model learns what a person has to do, and waits with another handle afterwards."""
    seen: Seen = []
    async with _client(patient_server, _extension(seen)) as client:
        paused = (await client.call_tool("run_task", {"task": "Robot check"})).structured_content
        await client.call_tool("resume_task", {"task_id": paused["task_id"]})
        ended = await client.call_tool("wait_for_task", {"task_id": paused["task_id"]})

    assert paused["needs_person"] == "Ask a person (captcha): Tick the box"
    assert ended.structured_content["status"] == "finished"
    handles = {each["taskId"] for each in seen}
    assert all(each.startswith(f"{paused['task_id']}.") for each in handles)


async def test_a_cancelled_handle_stops_the_task(patient_server, session):
    """A cancelled task costs nothing more; an input without a request is ignored."""
    seen: Seen = []

    async def cancel(_handle: str, ask: Any) -> None:
        await ask("tasks/update")
        await ask("tasks/cancel")
        await ask("tasks/cancel")  # a second time, after its end

    async with _client(patient_server, _extension(seen, cancel)) as client:
        result = await client.call_tool("run_task", {"task": "Hang"})

    assert result.is_error
    assert seen[-1]["status"] == "cancelled"
    assert "stopped after" in seen[-1]["statusMessage"]
    task = await session.tasks.get(seen[0]["taskId"].partition(".")[0])
    assert str(task.status) == "stopped"


async def test_a_handle_of_nothing_is_refused(patient_server):
    """With the protocol's code for it, and the message of the service."""
    from mcp import MCPError

    seen: Seen = []
    codes: list[int] = []

    async def ask_for_another(_handle: str, ask: Any) -> None:
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            with pytest.raises(MCPError, match="check the id") as raised:
                await ask(method, "no-such-task.1")
            codes.append(raised.value.code)

    async with _client(patient_server, _extension(seen, ask_for_another)) as client:
        await client.call_tool("run_task", {"task": "Buy milk"})

    assert codes == [-32602] * 3


async def test_a_model_that_gives_a_timeout_gets_the_state(patient_server):
    """This is so also for a client that supports handles."""
    seen: Seen = []
    async with _client(patient_server, _extension(seen)) as client:
        result = await client.call_tool("run_task", {"task": "Hang", "wait_seconds": 0})

    assert not result.structured_content["has_ended"]
    assert seen == []


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_others_get_no_handle(patient_server, mode):
    """A client without the extension, or with an older protocol version, waits as before."""
    from mcp import Client

    declared = [_extension([])] if mode == "legacy" else []
    async with Client(patient_server, mode=mode, extensions=declared) as client:
        result = await client.call_tool("run_task", {"task": "Buy milk"})

    assert result.structured_content["output"] == "Done."


@pytest.mark.long
async def test_over_a_pipe_too(server, recorder):
    """A process answers with a handle, and another one for the same account accepts it."""
    from mcp import Client

    seen: Seen = []

    async def release(_handle: str, _ask: Any) -> None:
        recorder.released.set()

    extension = _extension(seen, release)
    async with Client(stdio(server), mode="2026-07-28", extensions=[extension]) as client:
        result = await client.call_tool("run_task", {"task": "Held"})

    assert result.structured_content["output"] == "Done."
    assert seen[0]["status"] == "working"


@pytest.mark.long
async def test_over_http_each_request_needs_its_key(server):
    """A handle grants nothing: the Cloud API server checks the key of each request."""
    import httpx2
    from mcp import Client, MCPError
    from mcp.client.streamable_http import streamable_http_client

    seen: Seen = []

    @asynccontextmanager
    async def client_of(address: str, key: str, extension: Any) -> AsyncIterator[Any]:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http,
            Client(
                streamable_http_client(address, http_client=http),
                mode="2026-07-28",
                extensions=[extension],
            ) as client,
        ):
            yield client

    async with serving_http(server) as address:

        async def ask_as_another(handle: str, _ask_here: Any) -> None:
            async with client_of(address, "bu_wrong", _extension([])) as other:
                with pytest.raises(MCPError, match="401"):
                    await _ask(other.session, "tasks/get", handle)

        async with client_of(address, server.api_key, _extension(seen, ask_as_another)) as client:
            result = await client.call_tool("run_task", {"task": "Buy milk"})

    assert result.structured_content["output"] == "Done."
    assert seen[-1]["status"] == "completed"
