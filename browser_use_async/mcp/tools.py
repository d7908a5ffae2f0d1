"""The tools: what a language model can do with tasks and schedules."""

import asyncio
import contextlib
import functools
import inspect
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, cast

from mcp.server.mcpserver import Context, Image
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import BeforeValidator, Field

from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import BrowserUseError, WaitTimeoutError
from browser_use_async.lifecycle.handle import TaskHandle
from browser_use_async.mcp import results
from browser_use_async.money.budgets import Budget
from browser_use_async.session import BrowserUseSession
from browser_use_async.types import CreateScheduledTaskFields, RunTaskFields, TaskStatus

# Seconds between two notifications: clients that count from the last one do not give up.
HEARTBEAT = 5.0


async def wait_until_settled(
    handle: TaskHandle[Any], seconds: float, context: Context[Any, Any]
) -> None:
    """Wait for some seconds until a task has ended or is paused, and report its progress."""
    clock = asyncio.get_running_loop().time
    started, message = clock(), f"task {handle.id} is under way"

    async def report() -> None:
        await context.report_progress(clock() - started, seconds, message)

    async def report_steps() -> None:
        nonlocal message
        await report()
        async for step in handle.stream_steps(timeout=seconds):
            message = f"task {handle.id}, step {step.step}: {step.next_goal}"
            await report()

    async def report_at_intervals() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            await report()

    reporting = [
        asyncio.create_task(each, name=f"browser-use: reports task {handle.id} to an MCP client")
        for each in (report_steps(), report_at_intervals())
    ]
    try:
        with contextlib.suppress(WaitTimeoutError):
            async for status in handle.stream_status(timeout=seconds):
                if status is TaskStatus.PAUSED:
                    return
    finally:
        for each in reporting:
            each.cancel()
        # A report to a client that has left fails, which is no reason to fail here.
        await asyncio.gather(*reporting, return_exceptions=True)


AnyContext = Context[Any, Any]
SessionOf = Callable[[AnyContext], AbstractAsyncContextManager[BrowserUseSession]]
# Reads the scripts of the account that a call is for, as the administration of a server has them.
ScriptsOf = Callable[[AnyContext], Awaitable[list[dict[str, Any]]]]

TaskId = Annotated[str, Field(description="from run_task or list_tasks")]
Seconds = Annotated[float | None, Field(description="0 answers at once", ge=0)]
Steps = Annotated[int | None, Field(description="bounds the cost", ge=1, le=200)]
# Optional texts are empty if they are left out, and not None: of all arguments but plain texts the
# library reads JSON, so that a text such as `null` or `{}` would not arrive.
JsonText = Annotated[
    str, BeforeValidator(lambda given: json.dumps(given) if isinstance(given, dict) else given)
]
Status = Literal["created", "running", "paused", "finished", "stopped", "failed"]

MOST_SEARCHED = 1_000  # tasks that a filter looks through
_MAX_PICTURE_BYTES = 4_000_000  # clients refuse larger ones

ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")


class Tools:
    """The tools, each a method whose docstring the model reads.

    The task lives in the Cloud API server: a call that ends early, or a client that goes away,
    does not end it.
    """

    def __init__(
        self, session_of: SessionOf, scripts_of: ScriptsOf, timeout: float, budget: Budget | None
    ) -> None:
        self._session_of = session_of
        self._scripts_of = scripts_of
        self._timeout = timeout  # seconds that a call may take, so that clients do not give up
        self._budget = budget  # of all tasks of this process, or None

    async def run_task(
        self,
        context: AnyContext,
        task: Annotated[str, Field(description="what to do, in plain words")],
        wait_seconds: Seconds = None,
        max_agent_steps: Steps = None,
        llm_model: Annotated[str, Field(description="such as gpt-4.1 or o3")] = "",
        allowed_domains: Annotated[
            list[str] | None, Field(description="all it may visit; left out, any")
        ] = None,
        browser_profile_id: Annotated[str, Field(description="whose logins to use")] = "",
        structured_output_json: Annotated[
            JsonText, Field(description="JSON schema of the output")
        ] = "",
        key: Annotated[
            str, Field(description="names the work: the same key is the same task, paid once")
        ] = "",
        script: Annotated[
            str, Field(description="from list_scripts, to play it; a new name records this task")
        ] = "",
        inputs: Annotated[
            JsonText, Field(description="of a script: JSON object, texts for each {name} in task")
        ] = "",
    ) -> results.TaskState:
        """Run a task in a real browser. Costs money.

        A task that takes longer than the wait goes on; wait_for_task gets its result. Do not run
        it again because of a time limit: look at list_tasks first.
        """
        given = {
            "max_agent_steps": max_agent_steps,
            "llm_model": llm_model,
            "allowed_domains": allowed_domains,
            "browser_profile_id": browser_profile_id,
            "structured_output_json": structured_output_json,
            "script": script,
            "inputs": _parsed(inputs),
        }
        fields = cast("RunTaskFields", _only_given(given))
        async with self._session_of(context) as session:
            handle = await session.submit(task, key=key or None, **fields)
            return await self._state(session, handle, wait_seconds, context, joined=handle.joined)

    async def wait_for_task(
        self, context: AnyContext, task_id: TaskId, wait_seconds: Seconds = None
    ) -> results.TaskState:
        """Wait until a task has ended or is paused; answers as run_task does.

        Answers after some seconds in any case: call it again until has_ended is true.
        """
        async with self._session_of(context) as session:
            return await self._state(session, session.handle(task_id), wait_seconds, context)

    async def task_status(self, context: AnyContext, task_id: TaskId) -> results.TaskState:
        """Where a task stands now, as run_task answers."""
        async with self._session_of(context) as session:
            return results.TaskState.of(session, await session.tasks.get(task_id))

    async def task_steps(
        self,
        context: AnyContext,
        task_id: TaskId,
        after: Annotated[int, Field(description="number of the last known step", ge=0)] = 0,
    ) -> list[results.Step]:
        """The steps of a task so far: what it did, and on which pages."""
        async with self._session_of(context) as session:
            task = await session.tasks.get(task_id)
        return [results.Step.model_validate(each) for each in task.steps if each.step > after]

    async def task_screenshot(
        self,
        context: AnyContext,
        task_id: TaskId,
        step: Annotated[int | None, Field(description="left out, the latest", ge=1)] = None,
    ) -> Image:
        """A picture of the page at a step, also while the task runs."""
        async with self._session_of(context) as session:
            handle = session.handle(task_id)
            shot = await handle.get_screenshot(step, max_bytes=_MAX_PICTURE_BYTES)
        return Image(data=shot.data, format=shot.content_type.removeprefix("image/"))

    async def task_file(
        self,
        context: AnyContext,
        task_id: TaskId,
        file_name: Annotated[str, Field(description="one of output_files")],
    ) -> results.FileLink:
        """A link to a file that a task made."""
        async with self._session_of(context) as session:
            file = await session.tasks.get_output_file(task_id, file_name)
        return results.FileLink(file_name=file_name, download_url=file.download_url)

    async def pause_task(self, context: AnyContext, task_id: TaskId) -> results.TaskState:
        """Pause a running task, so that a person can act on its live_url."""
        async with self._session_of(context) as session:
            await session.tasks.pause(task_id)
            return results.TaskState.of(session, await session.tasks.get(task_id))

    async def resume_task(self, context: AnyContext, task_id: TaskId) -> results.TaskState:
        """Continue a paused task."""
        async with self._session_of(context) as session:
            await session.tasks.resume(task_id)
            return results.TaskState.of(session, await session.tasks.get(task_id))

    async def stop_task(self, context: AnyContext, task_id: TaskId) -> results.TaskState:
        """Stop a task for good. What it did so far is paid."""
        async with self._session_of(context) as session:
            await session.tasks.stop(task_id)
            return results.TaskState.of(session, await session.tasks.get(task_id))

    async def list_tasks(
        self,
        context: AnyContext,
        status: Status | None = None,
        text: Annotated[str, Field(description="what the task contains")] = "",
        page: Annotated[int, Field(description="left out, 1", ge=1)] = 1,
        limit: Annotated[
            int, Field(description="tasks on a page; left out, 10", ge=1, le=100)
        ] = 10,
    ) -> results.TaskRows:
        """The tasks of the account, newest first, all or those with a status or a text."""
        async with self._session_of(context) as session:
            if status is not None or text:
                return await _matching(session, status, text, page, limit)
            rows = await session.tasks.list(page=page, limit=limit)
        tasks = [results.TaskRow.of(each) for each in rows.tasks]
        return results.TaskRows(
            tasks=tasks, page=rows.page, total_pages=rows.total_pages, advice=None
        )

    async def list_scripts(self, context: AnyContext) -> list[results.Script]:
        """The recorded scripts that run_task plays, and the inputs that each takes."""
        async with self._session_of(context):
            return [results.Script.model_validate(each) for each in await self._scripts_of(context)]

    async def balance(self, context: AnyContext) -> results.Money:
        """What is left on the account, and of the budget for tasks of this server."""
        left = None
        async with self._session_of(context) as session:
            cents = float((await session.account.get_balance()).cents)
            if self._budget is not None:
                await self._budget.refresh()  # of tasks whose ends no call has seen
                left = float(max(self._budget.remaining_cents, Decimal(0)))
        return results.Money(cents=cents, budget_left_cents=left)

    async def create_schedule(
        self,
        context: AnyContext,
        task: Annotated[str, Field(description="what to do at each run")],
        interval_minutes: Annotated[
            int | None, Field(description="between runs; the first begins at once", ge=1)
        ] = None,
        cron_expression: Annotated[
            str, Field(description="instead of an interval: five fields, in UTC, as 0 9 * * 1-5")
        ] = "",
        max_agent_steps: Steps = None,
    ) -> results.Schedule:
        """Run a task again and again. Costs money at each run, until it is deleted."""
        if bool(cron_expression) == (interval_minutes is not None):
            raise ToolError(
                "a schedule takes either interval_minutes or cron_expression; nothing was sent"
            )
        given = {
            "schedule_type": "cron" if cron_expression else "interval",
            "interval_minutes": interval_minutes,
            "cron_expression": cron_expression,
            "max_agent_steps": max_agent_steps,
        }
        fields = cast("CreateScheduledTaskFields", _only_given(given))
        async with self._session_of(context) as session:
            created = await session.scheduled_tasks.create(task, **fields)
            return results.Schedule.of(await session.scheduled_tasks.get(created.id))

    async def list_schedules(self, context: AnyContext) -> list[results.Schedule]:
        """All schedules, which run tasks again and again."""
        async with self._session_of(context) as session:
            return [results.Schedule.of(each) async for each in session.scheduled_tasks.iterate()]

    async def delete_schedule(
        self,
        context: AnyContext,
        schedule_id: Annotated[str, Field(description="from list_schedules")],
    ) -> str:
        """Delete a schedule. Tasks that it has started go on."""
        async with self._session_of(context) as session:
            await session.scheduled_tasks.delete(schedule_id)
        return f"schedule {schedule_id} is deleted"

    async def _state(
        self,
        session: BrowserUseSession,
        handle: TaskHandle[None],
        wait_seconds: float | None,
        context: AnyContext,
        *,
        joined: bool | None = None,
    ) -> results.TaskState:
        seconds = self._timeout if wait_seconds is None else min(wait_seconds, self._timeout)
        if seconds:
            await wait_until_settled(handle, seconds, context)
        task = await session.tasks.get(handle.id)
        return results.TaskState.of(session, task, joined=joined)


async def _matching(
    session: BrowserUseSession, status: str | None, text: str, page: int, limit: int
) -> results.TaskRows:
    """A page of the tasks with a status and a text, among the newest ones."""
    wanted, searched, found = text.casefold(), 0, list[results.TaskRow]()
    async for row in session.iterate_all_tasks():
        searched += 1
        if (status is None or row.status == status) and wanted in row.task.casefold():
            found.append(results.TaskRow.of(row))
        if len(found) == page * limit or searched == MOST_SEARCHED:
            break
    advice = f"Only the newest {MOST_SEARCHED} tasks were looked through."
    return results.TaskRows(
        tasks=found[(page - 1) * limit :],
        page=page,
        total_pages=None,
        advice=advice if searched == MOST_SEARCHED else None,
    )


_READS = ToolAnnotations(read_only_hint=True)
_ACTS = ToolAnnotations(destructive_hint=False)
_ENDS = ToolAnnotations(destructive_hint=True, idempotent_hint=True)

# All tools by name, with their titles and what clients ask a person for before they call them.
TOOLS = {
    "run_task": ("Run a task", _ACTS),
    "wait_for_task": ("Wait for a task", _READS),
    "task_status": ("Task status", _READS),
    "task_steps": ("Steps of a task", _READS),
    "task_screenshot": ("Screenshot of a task", _READS),
    "task_file": ("File of a task", _READS),
    "pause_task": ("Pause a task", _ACTS),
    "resume_task": ("Resume a task", _ACTS),
    "stop_task": ("Stop a task", _ENDS),
    "list_tasks": ("List tasks", _READS),
    "list_scripts": ("List scripts", _READS),
    "balance": ("Account balance", _READS),
    "create_schedule": ("Create a schedule", _ACTS),
    "list_schedules": ("List schedules", _READS),
    "delete_schedule": ("Delete a schedule", _ENDS),
}


def answering(
    tool: Callable[ArgumentsT, Awaitable[ResultT]],
) -> Callable[ArgumentsT, Awaitable[CallToolResult]]:
    """Let a tool answer with content, and raise errors of the package as errors of the tool."""

    @functools.wraps(tool)
    async def call(*arguments: ArgumentsT.args, **named: ArgumentsT.kwargs) -> CallToolResult:
        try:
            return results.answer(await tool(*arguments, **named))
        except BrowserUseError as error:
            raise ToolError(str(error)) from error

    # Without `self`, which is bound already.
    cast("Any", call).__signature__ = inspect.signature(tool)
    return call


def is_left_out(value: object) -> bool:
    """Whether an optional argument has no value."""
    return value is None or value in ("", [], {})


def _only_given(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if not is_left_out(value)}


def _parsed(text: str) -> Any:
    """The JSON value of a text, or the text if it is none, which the session refuses."""
    with contextlib.suppress(JsonRefusedError):
        return read_json(text.encode())
    return text
