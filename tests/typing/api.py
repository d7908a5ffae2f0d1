"""The public API as users type it. Checked by mypy and pyright, never run."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any, Literal, Optional, TypedDict, assert_type

import aiohttp
import attrs
from pydantic import BaseModel

import browser_use_async
from browser_use_async import (
    UNSET,
    Balance,
    Batch,
    BatchItem,
    BatchProgress,
    BatchResult,
    BrowserUseSession,
    CallLimits,
    Created,
    LlmModel,
    OutputFile,
    ParsedTask,
    PollPolicy,
    ProxyCountry,
    RetryPolicy,
    RunTaskFields,
    RunTaskRequest,
    SessionEvent,
    Task,
    TaskHandle,
    TaskMedia,
    TaskPage,
    TaskScreenshots,
    TaskStatus,
    TaskStep,
    TaskSummary,
    errors,
)
from browser_use_async.batch import Forecast
from browser_use_async.paging import ListIterator, PageIterator
from browser_use_async.server import ChromiumSettings, LocalServer, ServerSettings
from browser_use_async.types import BrowserProfile, ScheduledTask, UploadUrl


@dataclass
class Price:
    """Structured output as a dataclass."""

    product: str
    cents: int


@attrs.define
class Page:
    """Structured output as an attrs class."""

    title: str


class Answer(BaseModel):
    """Structured output as a pydantic model."""

    text: str


class Row(TypedDict):
    """Structured output as a TypedDict."""

    name: str


def note(event: SessionEvent) -> None:
    """Accept an event."""
    print(event)


async def created(handle: TaskHandle) -> None:
    """Get a task's handle as soon as it exists."""
    print(handle.id)


def sessions(tls: SSLContext, http: aiohttp.ClientSession) -> list[BrowserUseSession]:
    """Every option of a session."""
    return [
        BrowserUseSession(),
        BrowserUseSession("bu_key"),
        BrowserUseSession(
            api_key="bu_key",
            base_url="https://api.example.com/api/v1/",
            timeout=10,
            retry=RetryPolicy(max_attempts=3),
            poll=PollPolicy(latency_target=None, interval=0.5),
            limits=CallLimits(max_in_flight=20, calls_per_second=5.0, slot_timeout=60.0),
            http=http,
            proxy="http://127.0.0.1:3128",
            ssl=tls,
            trace_configs=[aiohttp.TraceConfig()],
            middlewares=[],
            on_event=note,
            allow_insecure_http=False,
        ),
    ]


def the_settings_of_a_server() -> None:
    """The keywords of a server are the fields of its settings, with their types."""
    server = LocalServer(port=0, task_days=7, chromium=ChromiumSettings(max_browsers=2))
    assert_type(server.settings, ServerSettings)
    assert_type(server.settings.port, int)
    LocalServer(prot=0)  # type: ignore[call-arg]
    LocalServer(port="0")  # type: ignore[arg-type]


async def the_first_minute() -> None:
    """The first program of the documentation."""
    async with LocalServer(host="127.0.0.1", port=0, api_key="bu_mine_and_long_enough") as server:
        assert_type(server.base_url, str)
        assert_type(server.api_key, str)
        assert_type(server.url, str)
        async with BrowserUseSession(api_key=server.api_key, base_url=server.base_url) as session:
            assert_type(session, BrowserUseSession)
            task = await session.run_and_wait("Open https://example.com")
            assert_type(task, Task)
            assert_type(task.status, TaskStatus)
            assert_type(task.output, str | None)
            assert_type(task.failure, str | None)
            assert_type(task.duration, float | None)
            assert_type(session.cost(task), Decimal)
            assert_type(session.cost(task, llm_model="o3", max_agent_steps=9), Decimal)
            assert_type(task.created_at, datetime | None)
            assert_type(task.steps, list[TaskStep])
            assert_type(task.metadata, dict[str, str])
            assert_type(task.extra, dict[str, Any])
            assert_type(task.status.is_terminal, bool)


async def typed_output(session: BrowserUseSession) -> None:
    """The requested type is the type of the result."""
    prices = await session.run_and_wait("List all prices", output_type=list[Price])
    assert_type(prices, ParsedTask[list[Price]])
    assert_type(prices.parsed, list[Price])
    assert_type(prices.parsed[0].cents, int)

    assert_type((await session.run_and_wait("Read", output_type=Price)).parsed, Price)
    assert_type((await session.run_and_wait("Read", output_type=Page)).parsed, Page)
    assert_type((await session.run_and_wait("Read", output_type=Answer)).parsed, Answer)
    assert_type((await session.run_and_wait("Read", output_type=Row)).parsed, Row)
    assert_type(
        (await session.run_and_wait("Read", output_type=dict[str, Price])).parsed,
        dict[str, Price],
    )
    choice = await session.run_and_wait("Choose", output_type=Literal["a", "b"])
    maybe = await session.run_and_wait("Look", output_type=Optional[Price])  # noqa: UP045
    print(choice.output, maybe.output)
    assert_type(await session.run_and_wait("Read", output_type=None), Task)


async def batches(session: BrowserUseSession) -> None:
    """Each result has the requested type, if it has an output."""
    batch = session.run_many(["a", ("key", "b")], concurrency=5, output_type=Price)
    assert_type(batch, Batch[Price])
    async for result in batch:
        assert_type(result, BatchResult[Price])
        assert_type(result.parsed, Price | None)
        assert_type(result.error, errors.BrowserUseError | None)
        assert_type(result.cost_cents, Decimal)
    assert_type(batch.progress, BatchProgress)
    assert_type(batch.progress.about, Forecast | None)
    items = (BatchItem(RunTaskRequest(text), key=text) for text in ("a", "b"))
    assert_type(
        await session.run_many(["a"], output_type=Price).collect(), list[BatchResult[Price]]
    )
    async with session.run_many(items, concurrency=2, ledger="run.db", llm_model="o3") as other:
        assert_type(await other.collect(), list[BatchResult[Any]])
        other.drain()


async def every_field(session: BrowserUseSession) -> None:
    """Keyword fields, a mapping of them, or a request object."""
    fields: RunTaskFields = {"llm_model": "o3", "use_proxy": None}
    request = RunTaskRequest(task="Log in", secrets={"password": "x"}, llm_model=UNSET)

    assert_type(await session.tasks.run(request), Created)
    assert_type(await session.tasks.run("Log in", **fields), Created)
    await session.tasks.run(
        "Log in",
        secrets={"password": "x"},
        allowed_domains=["example.com"],
        browser_profile_id="p-1",
        save_browser_data=True,
        structured_output_json="{}",
        llm_model=LlmModel.O3,
        use_adblock=True,
        use_proxy=True,
        proxy_country_code=ProxyCountry.DE,
        highlight_elements=False,
        included_file_names=["data.csv"],
        browser_viewport_width=800,
        browser_viewport_height=600,
        max_agent_steps=50,
        enable_public_share=True,
        metadata={"team": "marketing"},
    )
    await session.run_and_wait(
        request,
        timeout=60,
        on_timeout="stop",
        on_cancel="leave",
        on_created=created,
    )
    # The checkers find a user's typing errors; mypy knows that an error is expected.
    await session.tasks.run("Log in", max_steps=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await session.tasks.run("Log in", allowed_domains=("example.com",))
    await session.tasks.run("Log in", allowed_domains="a.com")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await session.tasks.run("Log in", use_proxy="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await session.run_and_wait("Log in", on_timeout="kill")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]


async def every_call(session: BrowserUseSession) -> None:
    """The thin layer: one method, one call, one type."""
    assert_type(await session.tasks.stop("t-1"), None)
    assert_type(await session.tasks.pause("t-1"), None)
    assert_type(await session.tasks.resume("t-1"), None)
    assert_type(await session.tasks.get("t-1"), Task)
    assert_type(await session.tasks.get_status("t-1"), TaskStatus)
    page = await session.tasks.list(page=2, limit=50)
    assert_type(page, TaskPage)
    assert_type(page.tasks, list[TaskSummary])
    media = await session.tasks.get_media("t-1")
    assert_type(media, TaskMedia)
    assert_type(media.recordings, list[str])
    shots = await session.tasks.get_screenshots("t-1")
    assert_type(shots, TaskScreenshots)
    assert_type(shots.screenshots, list[str])
    file = await session.tasks.get_output_file("t-1", "data.csv")
    assert_type(file, OutputFile)
    assert_type(file.download_url, str)
    assert_type(await session.files.create_upload_url("a.csv", "text/csv"), UploadUrl)
    balance = await session.account.get_balance()
    assert_type(balance, Balance)
    assert_type(balance.cents, Decimal)
    assert_type(await session.account.me(), bool)
    assert_type(await session.ping(), None)


async def every_verb(session: BrowserUseSession) -> None:
    """The lifecycle, from submission to the list of all tasks."""
    handle = await session.submit("Buy milk", output_type=Price, metadata={"a": "b"})
    assert_type(handle, TaskHandle[Price])
    assert_type(handle.id, str)
    assert_type(await handle.wait_for_live_url(timeout=10), str | None)
    assert_type(await handle.get_status(), TaskStatus)
    assert_type(await handle.pause(), None)
    assert_type(await handle.resume(), None)
    assert_type(await handle.stop(), None)
    assert_type(await handle.wait(timeout=10), ParsedTask[Price])
    assert_type(handle.to_token(), str)
    assert_type(session.handle("t-1"), TaskHandle[None])
    assert_type(await session.wait("t-1", timeout=10), Task)
    async for task in session.wait_many(["t-1", "t-2"]):
        assert_type(task, Task)
    async for status in session.stream_status("t-1"):
        assert_type(status, TaskStatus)
    async for step in session.stream_steps("t-1", after=3):
        assert_type(step, TaskStep)
    async for row in session.iterate_all_tasks(
        statuses=["failed", TaskStatus.STOPPED],
        created_after=datetime(2025, 11, 1, tzinfo=UTC),
        page_size=50,
        prefetch=2,
    ):
        assert_type(row, TaskSummary)
    assert_type(session.iterate_all_tasks(statuses=["failed"]), PageIterator)
    assert_type(session.iterate_all_tasks(), PageIterator)
    await session.scheduled_tasks.create(
        "Buy milk", schedule_type="cron", cron_expression="0 9 * * *"
    )
    await session.scheduled_tasks.create("Buy milk", schedule_type="daily")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    assert_type(session.scheduled_tasks.iterate(), ListIterator[ScheduledTask])
    assert_type(session.browser_profiles.iterate(page_size=5), ListIterator[BrowserProfile])
    assert_type(await session.files.upload(Path("a.csv"), file_name="b.csv"), str)
    assert_type(await session.files.upload(BytesIO(b"1"), file_name="b.csv"), str)
    assert_type(await session.files.download_output_file("t-1", "a.csv", "results/"), Path)
    assert_type(await session.files.download_media("t-1", "results", concurrency=2), list[Path])
    assert_type(await session.files.download_screenshots("t-1", Path("results")), list[Path])
    async with asyncio.TaskGroup() as group:
        running = group.create_task(session.run_and_wait("Read", output_type=Price))
        assert_type(running, asyncio.Task[ParsedTask[Price]])


async def every_error(session: BrowserUseSession) -> None:
    """The attributes of the exceptions."""
    try:
        await session.run_and_wait("Buy milk")
    except errors.TaskError as error:
        assert_type(error.task, Any)
        assert_type(error.task_id, str)
    except errors.WaitTimeoutError as error:
        assert_type(error.task_id, str)
        assert_type(error.last_status, str | None)
    except errors.SubmissionUnknownError as error:
        assert_type(error.submission_token, str)
        assert_type(await error.resolve(session), Any)
    except errors.OutputValidationError as error:
        assert_type(error.raw_output, str | None)
    except errors.RateLimitError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.status, int)
    except errors.APIConnectionError as error:
        assert_type(error.sent, bool)
    except errors.ResponseDecodeError as error:
        assert_type(error.path, str)
    except errors.InvalidRequestError as error:
        assert_type(error.field, str)


def names() -> None:
    """A misspelt name is found by the type checker, though names are loaded on first use."""
    assert_type(browser_use_async.__version__, str)
    print(browser_use_async.BrowserSession)  # type: ignore[attr-defined]


def without_an_event_loop() -> None:
    """A session has no plain `with`, and type checkers say so as the session itself does."""
    with BrowserUseSession():  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass


async def main() -> None:
    """Run all parts."""
    tls = create_default_context()
    async with aiohttp.ClientSession() as http:
        for session in sessions(tls, http):
            await typed_output(session)
