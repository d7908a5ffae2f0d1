"""`BrowserUseSession`: owns the parts, wires them, and offers the lifecycle verbs."""

import os
import warnings
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, Unpack, overload

import aiohttp

from browser_use_async.contract import table
from browser_use_async.endpoints import (
    AccountEndpoints,
    BrowserProfileEndpoints,
    FileEndpoints,
    ScheduledTaskEndpoints,
    SearchEndpoints,
    TaskEndpoints,
)
from browser_use_async.errors import WrongEventLoopError
from browser_use_async.models import (
    BrowserProfile,
    ParsedTask,
    RunTaskFields,
    RunTaskRequest,
    ScheduledTask,
    SessionEvent,
    Task,
    TaskPage,
    TaskStatus,
    TaskStep,
)
from browser_use_async.paging import ListIterator, PageIterator, Rows
from browser_use_async.submission.background import Background
from browser_use_async.submission.creation import Creator, OnAmbiguous
from browser_use_async.submission.handle import TaskHandle, task_id_of
from browser_use_async.submission.reconciler import Reconciler
from browser_use_async.submission.running import Fate, OnCreated, Runner
from browser_use_async.transport.client import Transport
from browser_use_async.transport.configuration import Configuration
from browser_use_async.transport.lanes import LaneOptions
from browser_use_async.transport.limits import CallLimits
from browser_use_async.transport.retry import RetryPolicy
from browser_use_async.transport.secret import Secret
from browser_use_async.transport.surroundings import Surroundings
from browser_use_async.waiting.following import Waiting
from browser_use_async.waiting.policy import PollPolicy
from browser_use_async.waiting.status_pages import StatusPages
from browser_use_async.waiting.watcher import Watcher

if TYPE_CHECKING:
    from browser_use_async.files import Downloader, OnProgress, Source, Uploader
    from browser_use_async.webhooks import EventSource

__all__ = ["BrowserUseSession"]

OutputT = TypeVar("OutputT")


class BrowserUseSession:
    """A session with Cloud API v1: the thin endpoint layer, and verbs that live with a task.

    Create it anywhere; it connects on first use, in the running event loop, to which it then
    belongs. Use it as `async with`, or call `aclose()`.

    Attributes:
        tasks: The calls of the API section Tasks.
        scheduled_tasks: The calls of the API section Scheduled Tasks.
        browser_profiles: The calls of the API section Browser Profiles.
        files: The calls of the API section Files.
        search: The calls of the API section Search.
        account: The calls of the API section User.

    Args:
        api_key: The key; else `BROWSER_USE_API_KEY`. `ping` works without one.
        base_url: The URL that ends in `/api/v1`; else `BROWSER_USE_BASE_URL`, else the hosted
            service.
        timeout: Seconds that one attempt may take; else `BROWSER_USE_TIMEOUT`, else 30.
        retry: How failed calls are repeated.
        poll: How often waits look.
        limits: How many calls are made at once and how fast, and how long to wait for a slot.
        http: Your own aiohttp session for reads and idempotent calls; never closed by us. Calls
            that cost money keep connections of their own.
        proxy: The URL of an HTTP proxy. The environment's proxies are ignored.
        ssl: Your own TLS context, for a private certificate authority.
        trace_configs: aiohttp trace configurations.
        middlewares: aiohttp client middlewares, run for each attempt.
        on_event: Called with each `SessionEvent`; must not block.
        allow_insecure_http: Whether the key may travel unencrypted to another machine.
        surroundings: Another world, for simulations: chance, wall clock and network.

    Raises:
        ConfigurationError: An argument cannot work. Nothing was sent.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
        poll: PollPolicy | None = None,
        limits: CallLimits | None = None,
        http: aiohttp.ClientSession | None = None,
        proxy: str | None = None,
        ssl: SSLContext | None = None,
        trace_configs: Sequence[aiohttp.TraceConfig] = (),
        middlewares: Sequence[aiohttp.ClientMiddlewareType] = (),
        on_event: Callable[[SessionEvent], None] | None = None,
        allow_insecure_http: bool = False,
        surroundings: Surroundings | None = None,
    ) -> None:
        key = Secret.hide(api_key)
        del api_key  # a traceback with locals shows this frame when a later line raises
        configuration = Configuration.resolve(
            key, base_url, timeout, allow_insecure_http=allow_insecure_http
        )
        world = Surroundings() if surroundings is None else surroundings
        self._transport = transport = Transport(
            configuration,
            retry=RetryPolicy() if retry is None else retry,
            options=LaneOptions(proxy, ssl, trace_configs, middlewares, world.connector),
            limits=limits,
            http=http,
            on_event=on_event,
            draw=world.draw,
        )
        self.tasks = TaskEndpoints(transport.call)
        self.scheduled_tasks = ScheduledTaskEndpoints(transport.call)
        self.browser_profiles = BrowserProfileEndpoints(transport.call)
        self.files = FileEndpoints(transport.call)
        self.search = SearchEndpoints(transport.call)
        self.account = AccountEndpoints(transport.call)
        looks = TaskEndpoints(transport.call_once)
        self._watcher = Watcher(
            looks,
            StatusPages(transport.call_once),
            PollPolicy() if poll is None else poll,
            transport.emit,
            world.draw,
            transport,
        )
        self._waiting = Waiting(self._watcher)
        self._background = Background()
        self._reconciler = Reconciler(TaskEndpoints(transport.call_patiently))
        self._creator = Creator(
            transport,
            self._reconciler,
            self.tasks.get,
            world.now,
        )
        self._runner = Runner(self._creator, self.tasks, self._waiting, self._background)

    # --- life -----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._transport.bind()
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the session; twice does no harm.

        Waits and calls under way get `SessionClosedError`. Tasks that are being stopped get five
        seconds. Tasks at the service live on.
        """
        if self._transport.is_open:
            try:
                self._transport.bind()
            except WrongEventLoopError:
                # Waits and work under way are the other loop's; so are the connections.
                await self._transport.aclose()
                return
        try:
            await self._watcher.aclose()
            await self._background.aclose()
        finally:  # cancelled too, it leaves no connection behind
            await self._transport.aclose()

    def attach(self, receiver: "EventSource") -> None:
        """Let webhooks wake waits at once, and settle submissions whose answer was lost.

        An event is a reason to look, and the API decides: events may come twice, late, out of
        order or not at all, and polling goes on, since there is no webhook for a task that fails.

        Args:
            receiver: What receives and verifies them, in this session's event loop.
        """
        receiver.subscribe(self._hear)

    def _hear(self, event: object) -> None:
        # Loaded already, by whoever made the event.
        from browser_use_async.webhooks.events import (  # noqa: PLC0415
            TaskStatusUpdate,
            WebhookStatus,
        )

        if not isinstance(event, TaskStatusUpdate):
            return
        if event.submission_mark is not None:
            self._reconciler.note(event.task_id, event.submission_mark)
        ends = {WebhookStatus.FINISHED, WebhookStatus.STOPPED}
        self._watcher.hear(event.task_id, has_ended=event.status in ends)

    def __del__(self) -> None:
        transport = getattr(self, "_transport", None)
        if transport is not None and transport.is_open:
            warnings.warn(
                "a BrowserUseSession was never closed; use `async with`, or await aclose()",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        transport = getattr(self, "_transport", None)  # not there yet while __init__ raises
        return f"<BrowserUseSession {transport and transport.configuration.base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session is not pickled; create one in the other process")

    async def ping(self) -> None:
        """Ask whether the server is there. Needs no key and costs nothing.

        API page: Ping.

        Raises:
            APINotServedError: Something answers, but it does not speak Cloud API v1.
            BrowserUseError: The call did not succeed.
        """
        await self._transport.call(table.PING)

    # --- creating tasks -------------------------------------------------------------------

    @overload
    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: type[OutputT],
        timeout: float | None = None,
        on_timeout: Fate = "leave",
        on_cancel: Fate = "stop",
        on_created: OnCreated | None = None,
        on_ambiguous: OnAmbiguous = "reconcile",
        settle_window: float = 150.0,
        **fields: Unpack[RunTaskFields],
    ) -> ParsedTask[OutputT]: ...

    @overload
    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: None = None,
        timeout: float | None = None,
        on_timeout: Fate = "leave",
        on_cancel: Fate = "stop",
        on_created: OnCreated | None = None,
        on_ambiguous: OnAmbiguous = "reconcile",
        settle_window: float = 150.0,
        **fields: Unpack[RunTaskFields],
    ) -> Task: ...

    @overload
    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: Any,
        timeout: float | None = None,
        on_timeout: Fate = "leave",
        on_cancel: Fate = "stop",
        on_created: OnCreated | None = None,
        on_ambiguous: OnAmbiguous = "reconcile",
        settle_window: float = 150.0,
        **fields: Unpack[RunTaskFields],
    ) -> ParsedTask[Any]: ...  # unions and Literal, which have no `type[...]`

    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: Any = None,
        timeout: float | None = None,
        on_timeout: Fate = "leave",
        on_cancel: Fate = "stop",
        on_created: OnCreated | None = None,
        on_ambiguous: OnAmbiguous = "reconcile",
        settle_window: float = 150.0,
        **fields: Unpack[RunTaskFields],
    ) -> Task:
        """Create a task, wait for its end, and give it if it finished. Costs money.

        Needs an active subscription on the hosted service. API pages: Run Task, Get Task Status.

        Args:
            task: What the agent should do, or a whole request.
            output_type: A pydantic model, attrs class, dataclass, TypedDict or a container of
                them. Its JSON schema is sent, and the task's `parsed` is of that type.
            timeout: Seconds for everything, or None for `PollPolicy.max_wait`.
            on_timeout: What becomes of the task when the time is up: "leave", "stop", "pause".
            on_cancel: What becomes of it when this call is cancelled. Nobody holds the handle
                then, so it is stopped by default; that may delay the cancellation by 5 seconds.
            on_created: Called with the `TaskHandle` as soon as the task exists.
            on_ambiguous: What to do when the answer to run-task is lost: "reconcile" looks for
                the task and adopts it, else raises; "resubmit" looks for `settle_window` seconds
                and sends again; "raise" sends once and raises.
            settle_window: Seconds after which a task that did not appear never will.
            fields: The optional fields of `RunTaskRequest`. What is not given is not sent.

        Returns:
            The finished task; with `output_type` a `ParsedTask`.

        Raises:
            InvalidRequestError: An argument was refused; nothing was sent.
            SubmissionUnknownError: The task may exist; `.resolve()` tells.
            TaskFailedError: The task failed; `.task` holds its steps.
            TaskStoppedError: Somebody stopped it.
            OutputValidationError: The output does not fit; `.raw_output` keeps it.
            WaitTimeoutError: The time is up; `.task_id` says for which task.
            WaitInterruptedError: The API stayed unreachable for too long.
            BrowserUseError: The task was not created.
        """
        self._transport.bind()
        submission = self._runner.submission_of(
            task, fields, output_type, on_ambiguous, settle_window
        )
        return await self._runner.run_and_wait(
            submission, output_type, timeout, on_timeout, on_cancel, on_created
        )

    async def submit(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: Any = None,
        on_ambiguous: OnAmbiguous = "reconcile",
        settle_window: float = 150.0,
        **fields: Unpack[RunTaskFields],
    ) -> TaskHandle:
        """Create a task, paying once, and give a handle to it. Costs money.

        Needs an active subscription on the hosted service. Cancelled in the middle, it stops
        the task, since nobody would hold its handle. API page: Run Task.

        Args:
            task: What the agent should do, or a whole request.
            output_type: The type that `handle.wait()` parses the output into.
            on_ambiguous: What to do when the answer is lost; see `run_and_wait`.
            settle_window: Seconds after which a task that did not appear never will.
            fields: The optional fields of `RunTaskRequest`. What is not given is not sent.

        Raises:
            InvalidRequestError: An argument was refused; nothing was sent.
            SubmissionUnknownError: The task may exist; `.resolve()` tells.
            BrowserUseError: The task was not created.
        """
        self._transport.bind()
        submission = self._runner.submission_of(
            task, fields, output_type, on_ambiguous, settle_window
        )
        return await self._runner.submit(submission, output_type)

    async def resolve_submission(self, submission_token: str) -> Task | None:
        """Find the task that an ambiguous submission created, in another process too. Free.

        Args:
            submission_token: `SubmissionUnknownError.submission_token`.

        Returns:
            The task, or None if it did not appear within the rest of its settle window.

        Raises:
            InvalidRequestError: This is no such token.
        """
        self._transport.bind()
        return await self._creator.resolve_submission(submission_token)

    # --- following tasks ------------------------------------------------------------------

    def handle(self, task_id_or_token: str) -> TaskHandle:
        """A handle to a task that exists already. Makes no call.

        Args:
            task_id_or_token: The task's id, or `TaskHandle.to_token()`.
        """
        return TaskHandle(task_id_of(task_id_or_token), self.tasks, self._waiting)

    async def wait(self, task_id: str, *, timeout: float | None = None) -> Task:
        """Wait until a task has ended, however it ended. Free; always leaves the task running.

        Args:
            task_id: The task.
            timeout: Seconds, or None for `PollPolicy.max_wait`.

        Raises:
            WaitTimeoutError: The time is up.
            WaitInterruptedError: The API stayed unreachable for too long.
            BrowserUseError: The API refused; `.task_id` says which task.
        """
        return await self._waiting.wait(task_id, timeout=timeout)

    def wait_many(
        self, task_ids: Iterable[str], *, timeout: float | None = None
    ) -> AsyncGenerator[Task, None]:
        """Wait for many tasks and give each one as it ends. Free.

        Args:
            task_ids: The tasks; one that is named twice is given once.
            timeout: Seconds for all together, or None for `PollPolicy.max_wait`.

        Raises:
            WaitTimeoutError: The time is up for those that are left.
            BrowserUseError: As `wait`, for the first task that cannot be waited for.
        """
        return self._waiting.wait_many(task_ids, timeout=timeout)

    def stream_status(
        self, task_id: str, *, timeout: float | None = None
    ) -> AsyncGenerator[TaskStatus, None]:
        """Give the current status and each change, ending after a terminal one. Free.

        A slow consumer gets the latest status and no backlog. API page: Get Task Status.

        Args:
            task_id: The task.
            timeout: Seconds, or None for `PollPolicy.max_wait`.

        Raises:
            WaitTimeoutError: The time is up.
            WaitInterruptedError: The API stayed unreachable for too long.
        """
        return self._waiting.stream_status(task_id, timeout=timeout)

    def stream_steps(
        self, task_id: str, *, after: int = 0, timeout: float | None = None
    ) -> AsyncGenerator[TaskStep, None]:
        """Give each step once, in order, ending when the task does. Free.

        Args:
            task_id: The task.
            after: The number of the last step that is known already; 0 for none.
            timeout: Seconds, or None for `PollPolicy.max_wait`.

        Raises:
            WaitTimeoutError: The time is up.
            WaitInterruptedError: The API stayed unreachable for too long.
        """
        return self._waiting.stream_steps(task_id, after=after, timeout=timeout)

    def iterate_all_tasks(
        self,
        *,
        statuses: Collection[TaskStatus | str] | None = None,
        created_after: datetime | None = None,
        page_size: int = 100,
        prefetch: int = 1,
        resume: str | None = None,
    ) -> PageIterator:
        """Give every task of the account, newest first: `async for` rows, or `.pages()`. Free.

        Each task that exists throughout is given exactly once, though others come and go.
        The iterator's `resume_token` is a text with which another process goes on just as
        exactly. API page: List Tasks.

        Args:
            statuses: Only tasks in these statuses, or None for all.
            created_after: Only tasks created at this time or later; aware.
            page_size: Rows on a page, 1 to 100.
            prefetch: Pages that are read ahead while you work: 0 to 8. More than one are read at
                the same time, until a task disappears: then one by one again.
            resume: A `resume_token`, or None to begin at the top. It brings its filters and its
                page size along.

        Raises:
            InvalidRequestError: An option is out of bounds, or the token belongs elsewhere.
        """

        async def fetch(page: int, limit: int) -> TaskPage:
            return await self.tasks.list(page=page, limit=limit)

        return PageIterator(
            fetch,
            statuses=statuses,
            created_after=created_after,
            page_size=page_size,
            prefetch=prefetch,
            resume=resume,
        )

    # --- files ----------------------------------------------------------------------------

    # Whoever moves no files does not pay for loading what moves them.

    @cached_property
    def _uploader(self) -> "Uploader":
        from browser_use_async.files import Uploader  # noqa: PLC0415

        return Uploader(self._transport, self.files)

    @cached_property
    def _downloader(self) -> "Downloader":
        from browser_use_async.files import Downloader  # noqa: PLC0415

        return Downloader(self._transport, self.tasks)

    async def upload_file(
        self, source: "Source", *, file_name: str | None = None, content_type: str | None = None
    ) -> str:
        """Upload a file for tasks to use. Free. API page: Upload File Presigned URL.

        The file is read once and whole, so that it may change meanwhile; sending the same bytes
        again after a fault is safe. An expired URL is renewed once.

        Args:
            source: A path, bytes, or a binary stream, of which the rest is read in a thread.
            file_name: Its name at the service; by default the source's own.
            content_type: One of `contract.file_types.CONTENT_TYPES`; by default the one that the
                name stands for.

        Returns:
            The name to put into `included_file_names`.

        Raises:
            UnsupportedFileError: Empty, above 10 MB, or of a type that the API does not take;
                nothing was sent.
            UnsafeFileNameError: The name would trouble a file system; nothing was sent.
            FileTransferError: It cannot be read, or the storage did not take it.
            BrowserUseError: The API gave no URL.
        """
        return await self._uploader.upload(source, file_name, content_type)

    async def download_output_file(
        self,
        task_id: str,
        file_name: str,
        destination: str | os.PathLike[str],
        *,
        max_bytes: int | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> Path:
        """Download one file that a task made: whole, or not at all. Free.

        A cut connection is taken up where it broke, an expired URL is renewed, and a file that
        is there already is replaced when the new one is whole. What an interrupted download
        leaves ends in `.part`; the next one goes on with it. API page: Get Task Output File.

        Args:
            task_id: The task.
            file_name: One of `Task.output_files`.
            destination: A directory, if it exists or ends in a separator, else the file's own
                path. Directories are made.
            max_bytes: The largest size that is accepted, or None.
            on_progress: Called after each chunk with the bytes so far, which fall back to 0 when
                the file has to be started again, and the size, or None if it is not told. What it
                raises ends the download.

        Returns:
            The path of the file.

        Raises:
            UnsafeFileNameError: The name is not safe in a directory; nothing was sent.
            FileTransferError: The file cannot be had whole, or not be written.
            BrowserUseError: The API gave no URL.
        """
        options = self._downloader.options(max_bytes, on_progress)
        return await self._downloader.output_file(task_id, file_name, destination, options)

    async def download_media(
        self,
        task_id: str,
        destination: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        max_bytes: int | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> list[Path]:
        """Download all recordings of a completed task. Free. API page: Get Task Media.

        Each as `download_output_file` does it; the first that fails ends the others.

        Args:
            task_id: The task.
            destination: A directory; made if it is not there. Files are named after their URLs,
                made safe and distinct.
            concurrency: How many at once.
            max_bytes: The largest size of one file, or None.
            on_progress: Called after each chunk with the bytes of all files so far, and the sum
                of their sizes, or None until all are known.

        Returns:
            The paths, in the order of the API.

        Raises:
            FileTransferError: A file cannot be had whole, or not be written.
            BrowserUseError: The API gave no URLs.
        """
        options = self._downloader.options(max_bytes, on_progress, concurrency)
        return await self._downloader.media(task_id, destination, options)

    async def download_screenshots(
        self,
        task_id: str,
        destination: str | os.PathLike[str],
        *,
        concurrency: int = 4,
        max_bytes: int | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> list[Path]:
        """Download all screenshots of a task, as `download_media` does recordings. Free.

        API page: Get Task Screenshots.

        Args:
            task_id: The task.
            destination: A directory; made if it is not there.
            concurrency: How many at once.
            max_bytes: The largest size of one file, or None.
            on_progress: As for `download_media`.

        Returns:
            The paths, in the order of the API.

        Raises:
            FileTransferError: A file cannot be had whole, or not be written.
            BrowserUseError: The API gave no URLs.
        """
        options = self._downloader.options(max_bytes, on_progress, concurrency)
        return await self._downloader.screenshots(task_id, destination, options)

    def iterate_all_scheduled_tasks(
        self, *, page_size: int = 100, prefetch: int = 1, resume: str | None = None
    ) -> ListIterator[ScheduledTask]:
        """Give every schedule of the account: `async for` rows, or `.pages()`. Free.

        Each one that exists throughout is given exactly once, though others come and go, in the
        order of the service, which does not specify it. API page: List Scheduled Tasks.

        Args:
            page_size: Rows on a page, 1 or more.
            prefetch: Pages that are read ahead while you work: 0 or 1.
            resume: A `resume_token` of such an iterator, or None to begin at the top. It brings
                its page size along, and holds a digest of each id that was given.

        Raises:
            InvalidRequestError: An option is out of bounds, or the token belongs elsewhere.
        """

        async def fetch(page: int, limit: int) -> Rows[ScheduledTask]:
            found = await self.scheduled_tasks.list(page=page, limit=limit)
            return Rows(found.tasks, found.total_count)

        return ListIterator(
            fetch,
            lambda row: row.id,
            kind="schedules",
            page_size=page_size,
            prefetch=prefetch,
            resume=resume,
        )

    def iterate_all_browser_profiles(
        self, *, page_size: int = 100, prefetch: int = 1, resume: str | None = None
    ) -> ListIterator[BrowserProfile]:
        """Give every browser profile of the account: `async for` rows, or `.pages()`. Free.

        As exact as `iterate_all_scheduled_tasks`. API page: List Browser Profiles.

        Args:
            page_size: Rows on a page, 1 or more.
            prefetch: Pages that are read ahead while you work: 0 or 1.
            resume: A `resume_token` of such an iterator, as for `iterate_all_scheduled_tasks`.

        Raises:
            InvalidRequestError: An option is out of bounds, or the token belongs elsewhere.
        """

        async def fetch(page: int, limit: int) -> Rows[BrowserProfile]:
            found = await self.browser_profiles.list(page=page, limit=limit)
            return Rows(found.profiles, found.total_count)

        return ListIterator(
            fetch,
            lambda row: row.profile_id,
            kind="profiles",
            page_size=page_size,
            prefetch=prefetch,
            resume=resume,
        )
