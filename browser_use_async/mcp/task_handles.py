"""The extension Tasks of the protocol: a call that takes long is answered by a handle to poll."""

# See SEP-2663. A handle names the browser task, which lives in the Cloud API server, and the wait
# for it, which ends once: at a pause as well, so that a model can send for a person. The server
# keeps nothing, and any process that serves the account can answer for any handle.

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import Context, require_client_extension
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    RequestParams,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import Field

from browser_use_async.errors import BrowserUseError, NotFoundError
from browser_use_async.mcp.results import TaskState, answer
from browser_use_async.mcp.tools import SessionOf, is_left_out
from browser_use_async.types import Task, TaskStatus

IDENTIFIER = "io.modelcontextprotocol/tasks"
_POLL_MS = 2_000
_WAITING_TOOLS = frozenset({"run_task", "wait_for_task"})

_RequestContext = ServerRequestContext[Any, Any]


class _TaskParams(RequestParams):
    """Which handle a request is about."""

    handle: str = Field(alias="taskId")


class TaskHandles(Extension):
    """Answers long calls with handles, to clients that declare the extension."""

    identifier = IDENTIFIER

    def __init__(self, session_of: SessionOf) -> None:
        self._session_of = session_of

    def methods(self) -> Sequence[MethodBinding]:
        """The requests with a handle."""
        versions = frozenset(MODERN_PROTOCOL_VERSIONS)
        handlers = {
            "tasks/get": self._get,
            "tasks/update": self._update,
            "tasks/cancel": self._cancel,
        }
        return [
            MethodBinding(method, _TaskParams, handler, versions)
            for method, handler in handlers.items()
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: _RequestContext, call_next: CallNext
    ) -> HandlerResult:
        """Let a tool that would wait answer at once, with a handle unless the task has ended."""
        arguments = params.arguments or {}
        # A model that says how long to wait wants the state of the task and no handle.
        if not (
            params.name in _WAITING_TOOLS
            and is_left_out(arguments.get("wait_seconds"))
            and _is_declared(ctx)
        ):
            return await call_next(ctx)
        params.arguments = {**arguments, "wait_seconds": 0}
        result = await call_next(ctx)
        state = result.structured_content if isinstance(result, CallToolResult) else None
        if state is None or state["has_ended"]:
            return result
        handle = f"{state['task_id']}.{secrets.token_hex(8)}"
        task, _state = await self._task(ctx, handle)
        return {"resultType": "task", **_operation(handle, task), "status": "working"}

    async def _get(self, ctx: _RequestContext, params: _TaskParams) -> HandlerResult:
        task, state = await self._task(ctx, params.handle)
        status, more = "working", dict[str, Any]()
        if task.status is TaskStatus.STOPPED:
            status, more = "cancelled", {"statusMessage": f"stopped after {state.steps} steps"}
        elif task.has_ended or task.status is TaskStatus.PAUSED:
            result = answer(state).model_dump(mode="json", by_alias=True, exclude_none=True)
            status, more = "completed", {"result": result}
        elif state.last_step is not None:
            more = {"statusMessage": f"step {state.steps}: {state.last_step}"}
        return {**_operation(params.handle, task), "status": status, **more}

    async def _update(self, ctx: _RequestContext, params: _TaskParams) -> HandlerResult:
        await self._task(ctx, params.handle)
        return {}  # no handle ever asks for an input

    async def _cancel(self, ctx: _RequestContext, params: _TaskParams) -> HandlerResult:
        task, _state = await self._task(ctx, params.handle)
        if not task.has_ended:
            async with self._session_of(Context(request_context=ctx)) as session:
                try:
                    await session.tasks.stop(task.id)
                except BrowserUseError as error:
                    raise MCPError(INTERNAL_ERROR, str(error)) from error
        return {}

    async def _task(self, ctx: _RequestContext, handle: str) -> tuple[Task, TaskState]:
        require_client_extension(ctx, IDENTIFIER)
        async with self._session_of(Context(request_context=ctx)) as session:
            try:
                task = await session.tasks.get(handle.rpartition(".")[0] or handle)
            except NotFoundError as error:
                raise MCPError(INVALID_PARAMS, str(error)) from error
            except BrowserUseError as error:
                raise MCPError(INTERNAL_ERROR, str(error)) from error
            return task, TaskState.of(session, task)


def _is_declared(ctx: _RequestContext) -> bool:
    # The answers of older versions of the protocol cannot be handles.
    declared = ctx.session.client_capabilities
    is_modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
    return is_modern and declared is not None and IDENTIFIER in (declared.extensions or {})


def _operation(handle: str, task: Task) -> dict[str, Any]:
    """The fields of every answer about a handle; it has no time to live, since tasks are kept."""
    now = datetime.now(UTC)
    return {
        "taskId": handle,
        "createdAt": (task.created_at or now).isoformat(),
        "lastUpdatedAt": (task.finished_at or now).isoformat(),
        "ttlMs": None,
        "pollIntervalMs": _POLL_MS,
    }
