"""`BrowserUseSession`: one method per call, and methods that follow a task to its end."""

import asyncio
import contextlib
import os
import sys
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from ssl import SSLContext
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    Never,
    NoReturn,
    Self,
    TypeVar,
    Unpack,
    cast,
    overload,
)

import aiohttp

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.requests import build_request
from browser_use_async.api.section import takes_fields
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.errors import InvalidRequestError
from browser_use_async.events import SessionEvent
from browser_use_async.lifecycle.create import EndAction, TaskCreator
from browser_use_async.lifecycle.handle import (
    TaskHandle,
    TaskReference,
    handle_to,
    task_id_of,
    traceparent_in,
    wait_many,
)
from browser_use_async.lifecycle.reconcile import SETTLE_WINDOW, Reconciler
from browser_use_async.lifecycle.run import (
    BackgroundTasks,
    OnCreated,
    SubmissionRunner,
    add_output_schema,
)
from browser_use_async.lifecycle.submission_age import SubmissionAges
from browser_use_async.lifecycle.waits import wait
from browser_use_async.logs import read_environment
from browser_use_async.observing import log
from browser_use_async.observing.observers import Observers, OriginKnown
from browser_use_async.observing.timeline import TimelineRecorder
from browser_use_async.polling.hints import WebhookHints
from browser_use_async.polling.long_poll import LongPolls
from browser_use_async.polling.policy import PollPolicy
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.transport.client import Transport
from browser_use_async.transport.config import CallLimits, Configuration, Runtime
from browser_use_async.transport.connection_pool import PoolOptions
from browser_use_async.transport.retry import RetryPolicy
from browser_use_async.types import (
    Created,
    RunTaskFields,
    RunTaskRequest,
    SecretMapping,
    Task,
    TaskStatus,
    TaskStep,
    TaskSummary,
)
from browser_use_async.types.secrets import Secret

if TYPE_CHECKING:
    from decimal import Decimal

    from typing_extensions import TypeForm
    from typing_extensions import TypeVar as TypeVarWithDefault  # as Python 3.13 has it

    from browser_use_async import types
    from browser_use_async.api.browser_profiles import BrowserProfileEndpoints
    from browser_use_async.api.scheduled_tasks import ScheduledTaskEndpoints
    from browser_use_async.api.services import AccountEndpoints, SearchEndpoints
    from browser_use_async.batch.batch import Batch
    from browser_use_async.batch.inputs import BatchInput
    from browser_use_async.batch.options import BatchOptions, LimitBy
    from browser_use_async.batch.progress import BatchProgress
    from browser_use_async.files import FileEndpoints
    from browser_use_async.money.budgets import Budget, PaidCalls
    from browser_use_async.paging import PageIterator
    from browser_use_async.webhooks import EventSource

    HandleT = TypeVarWithDefault("HandleT", default=None)
    BatchT = TypeVarWithDefault("BatchT", default=Any)

OutputT = TypeVar("OutputT")
_NO_TYPE: Any = None  # an `output_type` that is left out


class BrowserUseSession:
    """A session with Cloud API v1: one method per call, and methods that follow tasks.

    Create it anywhere; it connects on first use, in the running event loop, to which it then
    belongs. Use it as `async with`, or call `aclose()`.

    Attributes:
        tasks: The calls of the API section Tasks; the other sections are properties.

    Args:
        api_key: The key; else `BROWSER_USE_API_KEY`, else the one that `browser-use-async login`
            has saved for this address. `async with` needs one. Without a key only `ping` works, on
            a session that is not entered but closed with `aclose()`.
        base_url: The URL of the API, which ends in `/api/v1`; else `BROWSER_USE_BASE_URL`, else the
            saved one, else the hosted service.
        timeout: Seconds that one attempt may take; else `BROWSER_USE_TIMEOUT`, else 30.
        retry: How failed calls are repeated.
        poll: How often waits poll.
        limits: How many calls are made at once and how fast, and how long to wait for a slot.
        http: Your own aiohttp session for reads and idempotent calls; never closed by us. Calls
            that cost money keep connections of their own.
        proxy: The URL of an HTTP proxy. The environment's proxies are ignored.
        ssl: Your own TLS context, for a private certificate authority.
        trace_configs: aiohttp trace configurations.
        middlewares: aiohttp client middlewares, run for each attempt.
        on_event: Called with each `SessionEvent`; must not block.
        allow_insecure_http: Whether the key may travel unencrypted to another machine.
        runtime: The `Runtime` of a simulation: chance, wall clock and network.

    Raises:
        ConfigurationError: An argument, a variable or the configuration file is invalid. Nothing
            was sent.
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
        runtime: Runtime | None = None,
    ) -> None:
        key = Secret.hide(api_key)
        del api_key  # a traceback with locals shows this frame when a later line raises
        read_environment()
        configuration = Configuration.resolve(
            key, base_url, timeout, allow_insecure_http=allow_insecure_http
        )
        self._runtime = runtime = Runtime() if runtime is None else runtime
        self._transport = transport = Transport(
            configuration,
            retry=RetryPolicy() if retry is None else retry,
            options=PoolOptions(proxy, ssl, trace_configs, middlewares, runtime.connector),
            limits=limits,
            http=http,
            observers=self._make_observers(on_event),
            rng=runtime.rng,
        )
        self.tasks = TaskEndpoints(transport.call)
        poller = TaskPoller(transport, PollPolicy() if poll is None else poll, runtime.rng)
        self._poller, self._webhooks = poller, WebhookHints(poller.hints)
        LongPolls(poller.hints, transport, poller.schedule)
        # Stops of cancelled calls outlive these calls, but not the session.
        self._background = BackgroundTasks()
        ages = SubmissionAges(transport.server_clock.now, runtime.now)
        window = SETTLE_WINDOW if runtime.settle_window is None else runtime.settle_window
        self._reconciler = Reconciler(transport, ages, window)
        self._creator = TaskCreator(transport, self._reconciler, self.tasks.get, ages)
        self._runner = SubmissionRunner(self._creator, self.tasks, self._poller, self._background)
        self._paid_calls: PaidCalls | None = None  # from the first budget on
        # Weak: a batch whose loop was left ends by itself, and is not needed after its end.
        self._batches = weakref.WeakSet["Batch[Any]"]()

    def _make_observers(self, on_event: Callable[[SessionEvent], None] | None) -> Observers:
        """What observes the session from its start; spans and budgets join later."""
        observers = Observers()
        log.attach(observers)
        self._timelines = TimelineRecorder(observers, self._runtime.now)
        if "ipykernel" in sys.modules:
            from browser_use_async.observing.notebook import attach  # noqa: PLC0415

            attach(observers, self)
        if on_event is not None:
            observers.add({SessionEvent: lambda event, _about: on_event(event)}, name="on_event")
        return observers

    # --- open and close ---------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        # Raised where the session is opened, and not in the first call. `ping` alone needs no key:
        # it is awaited on a session that was not entered, and is closed with `aclose()`.
        if self._transport.configuration.api_key is None:
            raise self._transport.configuration.missing_key()
        self._transport.bind()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    if not TYPE_CHECKING:  # so that type checkers refuse `with` before the program does

        def __enter__(self) -> Never:
            raise TypeError(
                "a session needs `async with`; programs without an event loop use it with "
                'asyncio.Runner: see "Programs without an event loop" in the documentation'
            )

        def __exit__(self, *_error: object) -> None:
            """Never called: `__enter__` refuses `with`."""

    async def aclose(self) -> None:
        """Close the session. Closing it twice is harmless.

        Waits and calls under way get `SessionClosedError`. Stops of tasks that are under way may
        take five seconds more. Other tasks at the service go on, except those of batches with
        `on_cancel="stop"`.

        Call it in the session's own loop. Once that loop is closed, any other loop may call it:
        Python then closes the connections when it collects them, and warns of each. Waits, calls
        and stops that the closed loop left under way are not woken, and keep their connections.

        Raises:
            WrongEventLoopError: The session belongs to another loop, which is not closed.
        """
        if not self._transport.connections.is_in_own_loop:
            # Waits and work under way belong to the other loop, and so do the connections unless
            # that loop is closed.
            await self._transport.aclose()
            return
        try:
            # Batches first: they know which tasks to stop only while they wait for them. Then
            # waits, which would take the closing connections for an outage.
            try:
                ends = [each._end_with_session() for each in tuple(self._batches)]  # noqa: SLF001
                await asyncio.gather(*ends)
            finally:
                await self._poller.aclose()
            await self._background.aclose()
        finally:  # cancelled too, it leaves no connection behind
            await self._transport.aclose()

    def __del__(self) -> None:
        transport = getattr(self, "_transport", None)
        if transport is not None and transport.connections.is_open:
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

    # --- sections of the API ----------------------------------------------------------------

    async def ping(self) -> None:
        """Check that the server can be reached. Needs no key and costs nothing.

        API page: Ping.

        Raises:
            APINotServedError: Something answers, but it does not speak Cloud API v1.
            BrowserUseError: The call did not succeed.
        """
        await self._transport.call(table.PING)

    @cached_property
    def scheduled_tasks(self) -> "ScheduledTaskEndpoints":
        """The calls of the API section Scheduled Tasks."""
        from browser_use_async.api.scheduled_tasks import ScheduledTaskEndpoints  # noqa: PLC0415

        return ScheduledTaskEndpoints(self._transport.call)

    @cached_property
    def browser_profiles(self) -> "BrowserProfileEndpoints":
        """The calls of the API section Browser Profiles."""
        from browser_use_async.api.browser_profiles import BrowserProfileEndpoints  # noqa: PLC0415

        return BrowserProfileEndpoints(self._transport.call)

    @cached_property
    def files(self) -> "FileEndpoints":
        """The call of the API section Files, and whole uploads and downloads."""
        from browser_use_async.files import FileEndpoints  # noqa: PLC0415

        return FileEndpoints(self._transport, self.tasks)

    @cached_property
    def search(self) -> "SearchEndpoints":
        """The calls of the API section Search."""
        from browser_use_async.api.services import SearchEndpoints  # noqa: PLC0415

        return SearchEndpoints(self._transport.call)

    @cached_property
    def account(self) -> "AccountEndpoints":
        """The calls of the API section User."""
        from browser_use_async.api.services import AccountEndpoints  # noqa: PLC0415

        return AccountEndpoints(self._transport.call)

    # --- create tasks, paying once ----------------------------------------------------------

    @overload
    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: None = None,
        timeout: float | None = None,
        on_timeout: EndAction = "leave",
        on_cancel: EndAction | None = None,
        on_created: OnCreated | None = None,
        key: str | None = None,
        **fields: Unpack[RunTaskFields],
    ) -> Task: ...

    @overload
    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: "TypeForm[OutputT]",
        timeout: float | None = None,
        on_timeout: EndAction = "leave",
        on_cancel: EndAction | None = None,
        on_created: OnCreated | None = None,
        key: str | None = None,
        **fields: Unpack[RunTaskFields],
    ) -> "types.ParsedTask[OutputT]": ...

    @takes_fields(RunTaskFields)
    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: Any = None,
        timeout: float | None = None,
        on_timeout: EndAction = "leave",
        on_cancel: EndAction | None = None,
        on_created: OnCreated | None = None,
        key: str | None = None,
        **fields: Unpack[RunTaskFields],
    ) -> Task:
        """Create a task, wait for its end, and return it if it finished. Costs money.

        Needs an active subscription on the hosted service. API pages: Run Task, Get Task Status.

        Args:
            task: What the agent should do, or a whole request.
            output_type: A pydantic model, attrs class, dataclass, TypedDict or a container of
                them. Its JSON schema is sent, and the task's `parsed` is of that type. pydantic
                reads it where it is installed; cattrs reads attrs classes, and else the others.
            timeout: Seconds for everything, or None for `PollPolicy.timeout`.
            on_timeout: What happens to the task when the time is up: "leave", "stop", "pause".
            on_cancel: What happens to it when this call is cancelled: "leave", "stop" or "pause".
                By default it is stopped, since no caller has its handle; that may delay the
                cancellation by 5 seconds. With a `key` it is left, since the key finds it again.
            on_created: Called with the `TaskHandle` as soon as the task exists.
            key: A name of the work, such as "invoice-7": a text of 1 to 255 printable characters
                without secrets. The same key is the same task, from any process and at any time; it
                is created and paid for once. "Paying once" describes what applies to servers
                without keys.
            fields: The optional fields of `RunTaskRequest`. Fields that are not given are not sent.

        Returns:
            The finished task; with `output_type` a `ParsedTask`.

        Raises:
            InvalidRequestError: An argument was refused; nothing was sent.
            SubmissionUnknownError: The task may exist; `.resolve()` looks for it.
            SubmissionKeyConflictError: The key was used for another request.
            TaskFailedError: The task failed; `.task` has its steps.
            TaskStoppedError: The task was stopped.
            OutputValidationError: The output does not fit; `.raw_output` has it.
            WaitTimeoutError: The time is up; `.task_id` says for which task.
            WaitInterruptedError: The API stayed unreachable for too long.
            BrowserUseError: The task was not created.
        """
        request = self._runner.request_of(task, fields, output_type)
        submission = self._creator.prepare(request, key=key)
        return await self._runner.run_and_wait(
            submission, output_type, timeout, on_timeout, on_cancel, on_created
        )

    @takes_fields(RunTaskFields)
    async def submit(
        self,
        task: str | RunTaskRequest,
        *,
        # None is a type form, too: that of a handle without a type.
        output_type: "TypeForm[HandleT]" = None,  # type: ignore[assignment] # noqa: RUF013
        key: str | None = None,
        **fields: Unpack[RunTaskFields],
    ) -> "TaskHandle[HandleT]":
        """Create a task, paying once, and return a handle to it. Costs money.

        Needs an active subscription on the hosted service. If this call is cancelled, the task is
        stopped, since no caller has its handle, unless it has a `key`. API page: Run Task.

        Args:
            task: What the agent should do, or a whole request.
            output_type: The type that `handle.wait()` parses the output into; see `run_and_wait`.
            key: A name of the work; see `run_and_wait`. `handle.joined` says whether an earlier
                call has created the task.
            fields: The optional fields of `RunTaskRequest`. Fields that are not given are not sent.

        Raises:
            InvalidRequestError: An argument was refused; nothing was sent.
            SubmissionUnknownError: The task may exist; `.resolve()` looks for it.
            SubmissionKeyConflictError: The key was used for another request.
            BrowserUseError: The task was not created.
        """
        request = self._runner.request_of(task, fields, output_type)
        submission = self._creator.prepare(request, key=key)
        return await self._runner.submit(submission, output_type)

    @takes_fields(RunTaskFields)
    def run_many(
        self,
        requests: "BatchInput",
        *,
        task: str | None = None,
        concurrency: int = 10,
        ledger: str | os.PathLike[str] | None = None,
        key_prefix: str | None = None,
        budget_cents: "Decimal | float | None" = None,
        limit_by: "LimitBy | None" = None,
        per_key: int | None = None,
        timeout: float | None = None,
        on_cancel: Literal["leave", "stop"] | None = None,
        retry_failed: bool = False,
        retry_unknown: bool = False,
        max_failures: int | None = None,
        labels: Mapping[str, str] | None = None,
        on_progress: "Callable[[BatchProgress], None] | None" = None,
        output_type: "TypeForm[BatchT]" = _NO_TYPE,
        **fields: Unpack[RunTaskFields],
    ) -> "Batch[BatchT]":
        """Create a task for each item, and yield each result as it comes. Costs money.

        Needs an active subscription on the hosted service. API pages: Run Task, List Tasks.

        With a `ledger` the program may end at any moment: run the batch again with the same
        ledger, and it neither loses nor repeats an item. On a service that keeps no submission
        keys an item is `unknown` if the answer to its request was lost and its task did not appear
        within 150 seconds. Items that have already ended are yielded again with `restored` set.
        Without a ledger nothing is kept after this run.

        Args:
            requests: Any iterable or async iterable of texts, requests, rows, `(key, request)`
                pairs or `BatchItem`s; read lazily. An item without a key is known by its content.
                Two equal items are one task with two results; the second costs nothing. The
                content of a key must not change.
            task: The text of rows, which are mappings: `{company}` in it stands for the value of
                `company` in a row. With `script` these values are the inputs.
            concurrency: The most items under way at once. Fewer are under way while the service
                says that too many tasks run.
            ledger: The path of the ledger, an SQLite file that is created if need be. Requests are
                not kept in it, only a digest, and of secrets only their names.
            key_prefix: The beginning of the submission keys of all items. Without it, it is the id
                of the ledger, or without a ledger a new one for each run: a new ledger runs
                everything anew. With it, items join the tasks that other runs with the same prefix
                and key have created, where the service keeps keys: `result.joined`. A ledger keeps
                its prefix, and refuses another one.
            budget_cents: What all runs of the batch may cost together, in US cents, by the
                published prices; never exceeded. Each task reserves its maximum before it is sent
                (all of its `max_agent_steps`, 75 by default), and the rest is released when it
                ends. If few tasks fit at once, `progress.budget_note` says with which
                `max_agent_steps` more can run. When nothing runs and the next task does not fit,
                nothing more is submitted: `progress` has `left_out` and `next_cents`. To
                continue, run again with a larger budget. A budget that is too small for any task
                is refused.
            limit_by: Returns the limit key of an item, a text or a whole number, or None for an
                item without a limit; called once for each with a `BatchItem`, whose `request` is
                the whole `RunTaskRequest`. An item for which it raises an exception is refused: a
                dead letter with the reason.
            per_key: The most items of one limit key under way at once in this run. Items of other
                keys need not wait for them.
            timeout: Seconds for which each task is waited for, or None for `PollPolicy.timeout`.
                After that its result has a `WaitTimeoutError`; the task goes on.
            on_cancel: What happens to running tasks when the iteration is left or cancelled:
                "leave" or "stop". By default they are left if there is a ledger, which knows them,
                else stopped, which takes up to 5 seconds. Joined ones are left.
            retry_failed: Whether items that failed in an earlier run are tried again: those that
                were refused, and those whose task failed or was stopped, which get another task.
                That costs money again; this includes joined tasks. The failed task
                and its cost remain in the ledger. If such a run is interrupted, the same call
                continues it: no item is tried twice until a run has read its whole input.
            retry_unknown: Whether items that an earlier run has left `unknown` are sent again, if
                their tasks still do not appear. Without submission keys the answer to run-task was
                lost, so this pays twice if the first task exists.
            max_failures: Submit nothing more once so many tasks in a row have failed, in the
                order in which they end, or None. Tasks under way are waited for; a success resets
                the count. The rest is left for the next run.
            labels: Your notes about the batch in its ledger: texts by name, without secrets.
            on_progress: Called with a `BatchProgress` at each change; must not block.
            output_type: As in `run_and_wait`; each result's `parsed` is of that type.
            fields: Fields of all requests; a request's own fields go before them.

        Returns:
            The batch: iterate over it with `async for`, or await its `collect()` for a result of
            each item in the order of the input. It has `progress`, `drain()` and `aclose()`.

        Raises:
            InvalidRequestError: An argument was refused, or the budget is too small for any task;
                nothing was sent. For a lazy input a budget that is too small is refused while
                iterating.
            LedgerLockedError: While iterating: another process is using the ledger.
            LedgerMismatchError: While iterating: the content of a key is another one than before.
            LedgerError: While iterating: the ledger cannot be opened, read or written.
            BatchInputError: While iterating: the input raised an exception.
            BrowserUseError: While iterating: an error that concerns every item, such as a wrong
                API key, or an outage longer than `PollPolicy.outage_timeout`.
        """
        # Loaded when used.
        from browser_use_async.batch.options import BatchOptions  # noqa: PLC0415

        # Checked here and not in the first iteration, so that the error points at the call.
        options = BatchOptions(
            concurrency=concurrency,
            ledger=ledger,
            key_prefix=key_prefix,
            budget_cents=budget_cents,
            limit_by=limit_by,
            per_key=per_key,
            timeout=timeout,
            on_cancel=on_cancel,
            retry_failed=retry_failed,
            retry_unknown=retry_unknown,
            max_failures=max_failures,
            labels=labels,
            on_progress=on_progress,
            output_type=output_type,
        )
        return self._run_batch(requests, fields, options, task)

    def _run_batch(
        self,
        requests: "BatchInput",
        fields: RunTaskFields,
        options: "BatchOptions",
        task: str | None = None,
    ) -> "Batch[Any]":
        """Run a batch with checked options, which the command line has, too; clears `fields`."""
        from browser_use_async.batch.batch import Batch  # noqa: PLC0415 - loaded when used

        self._transport.bind()
        shared = _shared_fields(fields, options.output_type, task)
        batch = Batch[Any](self._runner, self._runtime, requests, shared, options)
        self._batches.add(batch)
        return batch

    def budget(self, cents: "Decimal | float") -> "Budget":
        """Limit the cost of everything that is started inside `async with`. Makes no call.

        Counts the tasks, searches and batches of this session that are started inside, also by
        asyncio tasks that were started inside. Budgets nest, and each one counts what is started
        inside of it. Before a call is sent, the most that it can cost by the published prices is
        reserved: for a task its start and all `max_agent_steps` (75 by default). When this session
        has seen a task end, its real cost replaces the reservation. If an answer is lost, the
        reservation stays. So the limit is never exceeded.

        Schedules are refused inside, since they start tasks without end. A batch stops submitting
        when its next task does not fit.

        Args:
            cents: The limit, in US cents.

        Returns:
            The `Budget`, with `limit_cents`, `spent_cents`, `reserved_cents` and
            `remaining_cents`. Paying calls inside raise `BudgetExceededError` when they may cost
            more than what remains.

        Raises:
            InvalidRequestError: The value is no amount.
        """
        from browser_use_async.batch.options import budget_in_cents  # noqa: PLC0415
        from browser_use_async.money.budgets import Budget, PaidCalls  # noqa: PLC0415

        limit = budget_in_cents(cents, "cents")
        if limit is None:
            raise InvalidRequestError(
                "cents must be a number of cents of 0 or more, not None", field="cents"
            )
        if self._paid_calls is None:
            find = partial(self._reconciler.find, seconds=0.0)  # if the list has it now
            self._paid_calls = PaidCalls(self._transport.observers, self.tasks.get, find)
        return Budget(limit, self._paid_calls)

    def cost(
        self,
        task: Task,
        *,
        llm_model: "types.LlmModel | str | None" = None,
        max_agent_steps: int | None = None,
    ) -> "Decimal":
        """What a task has cost so far, in US cents, by the published prices. Makes no call.

        A task costs its start and each step, by model; the last step of a task that failed at its
        `max_agent_steps` is free. The service returns neither the model nor `max_agent_steps`.
        The session knows both for the latest 1,000 tasks that it has submitted, except by
        `tasks.run`.

        Args:
            task: The task, as waits and `tasks.get` return it.
            llm_model: Its model, for a task that this session did not submit. A model without a
                published price counts as the most expensive one.
            max_agent_steps: How many steps it could take, with `llm_model`; by default 75.

        Returns:
            The exact amount; `prices.format_cents` formats it, such as `$0.085`.

        Raises:
            InvalidRequestError: The value is no `Task`, or its model is neither known nor given.
        """
        from browser_use_async.money.amounts import TaskPrice  # noqa: PLC0415 - loaded when used

        given = cast("object", task)  # which may be an id by mistake
        if not isinstance(given, Task):
            what = f"cost takes a Task, as session.wait gives it, not {type(given).__name__}"
            raise InvalidRequestError(what, field="task")
        if llm_model is not None:
            return TaskPrice.of_terms(max_agent_steps, llm_model).cost(task)
        if (terms := self._timelines.terms_of(task.id)) is None:
            raise InvalidRequestError(
                f"this session did not submit task {task.id}, or it was long ago, so its model is "
                'not known; pass llm_model="gpt-4.1" if it had the default one',
                field="llm_model",
                task_id=task.id,
            )
        return TaskPrice.of_terms(*terms).cost(task)

    # --- follow tasks that exist ------------------------------------------------------------

    @overload
    def handle(
        self, task_id_or_token: "str | Task | TaskSummary | Created | TaskHandle[None]"
    ) -> TaskHandle[None]: ...

    @overload
    def handle(self, task_id_or_token: TaskHandle[OutputT]) -> TaskHandle[OutputT]: ...

    @overload
    def handle(
        self, task_id_or_token: TaskReference, *, output_type: "TypeForm[OutputT]"
    ) -> TaskHandle[OutputT]: ...

    def handle(
        self, task_id_or_token: TaskReference, *, output_type: Any = None
    ) -> TaskHandle[Any]:
        """Return a handle to a task that already exists. Makes no call.

        Args:
            task_id_or_token: The task's id, `TaskHandle.to_token()`, or a response about it.
            output_type: The type that `handle.wait()` parses the output into; as of
                `run_and_wait`. A token does not hold it.

        Raises:
            InvalidRequestError: The value names no task, or the type has no JSON schema.
        """
        if output_type is not None:
            # Refused here, and not when the task has ended.
            from browser_use_async.structured_output.schema import output_schema  # noqa: PLC0415

            output_schema(output_type)
        handle = handle_to(task_id_or_token, output_type, self.tasks, self._poller)
        self._timelines.follow(handle.id)
        self._record_origin(task_id_or_token, handle.id)
        return handle

    def _record_origin(self, given: object, task_id: str) -> None:
        """Link the spans of a task to the submission that its token names."""
        if (traceparent := traceparent_in(given)) is not None:
            self._transport.observers.notify(OriginKnown(traceparent), task_id)

    @overload
    async def wait(
        self,
        task: "str | Task | TaskSummary | Created | TaskHandle[None]",
        *,
        timeout: float | None = None,
        check: bool = False,
    ) -> Task: ...

    @overload
    async def wait(
        self, task: TaskHandle[OutputT], *, timeout: float | None = None, check: bool = False
    ) -> "types.ParsedTask[OutputT]": ...

    @overload
    async def wait(
        self,
        task: TaskReference,
        *,
        timeout: float | None = None,
        output_type: "TypeForm[OutputT]",
        check: bool = False,
    ) -> "types.ParsedTask[OutputT]": ...

    async def wait(
        self,
        task: TaskReference,
        *,
        timeout: float | None = None,
        output_type: Any = None,
        check: bool = False,
    ) -> Task:
        """`handle(task, output_type=...).wait(...)`: the task when it has ended. Free.

        It always leaves the task running. Unlike `run_and_wait` it also returns a task that failed
        or was stopped: to raise then, pass `check=True` or call `task.raise_for_status()`.

        Args:
            task: The task's id, a handle or its token, or a response about it.
            timeout: Seconds, or None for `PollPolicy.timeout`.
            output_type: The type that the output is parsed into; see `run_and_wait`.
            check: Whether to raise an error unless the task finished, as `run_and_wait` does.

        Returns:
            The task; with an `output_type` a `ParsedTask`.

        Raises:
            BrowserUseError: As in `TaskHandle.wait`; `.task_id` says which task.
        """
        if output_type is not None:
            handle = self.handle(task, output_type=output_type)
            return await handle.wait(timeout=timeout, check=check)
        if isinstance(task, TaskHandle):
            return await self.handle(task).wait(timeout=timeout, check=check)
        # No handle: there may be ten thousand waits.
        task_id = task_id_of(task)
        self._record_origin(task, task_id)
        ended = await wait(self._poller, task_id, timeout)
        return ended.raise_for_status() if check else ended

    def wait_many(
        self, task_ids: Iterable[TaskReference], *, timeout: float | None = None
    ) -> AsyncGenerator[Task, None]:
        """Wait for many tasks and yield each one as it ends, also failed and stopped ones. Free.

        Args:
            task_ids: The tasks, each as for `wait`; one that is named twice is yielded once.
            timeout: Seconds for all together, or None for `PollPolicy.timeout`.

        Raises:
            WaitTimeoutError: The time is up for those that are left.
            BrowserUseError: As `wait`, for the first task that cannot be waited for.
        """
        return wait_many(self._poller, task_ids, timeout)

    def stream_status(
        self, task_id: TaskReference, *, timeout: float | None = None
    ) -> AsyncGenerator[TaskStatus, None]:
        """`handle(task_id).stream_status(...)`: the current status, then each change. Free.

        API page: Get Task Status.
        """
        return self.handle(task_id).stream_status(timeout=timeout)

    def stream_steps(
        self, task_id: TaskReference, *, after: int = 0, timeout: float | None = None
    ) -> AsyncGenerator[TaskStep, None]:
        """`handle(task_id).stream_steps(...)`: each step once, in order. Free."""
        return self.handle(task_id).stream_steps(after=after, timeout=timeout)

    def attach(self, receiver: "EventSource") -> None:
        """Use webhooks to wake waits at once, and to settle submissions whose answer was lost.

        An event is only a reason to poll, since events may come twice, late, out of order or not
        at all. While events arrive, waits poll each task once in 60 s. This polling is needed,
        since a server reports a task that fails only if it is asked to, or never.

        Args:
            receiver: A `WebhookReceiver`, which receives and verifies events. It may run in another
                event loop or thread; events are handled in this session's loop.
        """
        if not callable(getattr(receiver, "subscribe", None)):
            raise InvalidRequestError(
                f"receiver must be a WebhookReceiver, not {type(receiver).__name__}",
                field="receiver",
            )
        # Weak: a receiver may outlive many sessions, and would keep each of them in memory.
        own = weakref.WeakMethod(self._on_event)

        def take(event: object) -> None:
            if (on_event := own()) is not None:
                on_event(event)

        receiver.subscribe(take)

    def _on_event(self, event: object) -> None:
        """Handle an event in the session's own loop, whatever loop or thread it comes from."""
        home = self._transport.connections.loop
        try:
            here = asyncio.get_running_loop()
        except RuntimeError:  # a thread without one
            here = None
        if home is None or home is here:
            self._handle_event(event)
            return
        with contextlib.suppress(RuntimeError):  # closed, and with it every wait
            home.call_soon_threadsafe(self._handle_event, event)

    def _handle_event(self, event: object) -> None:
        # Already imported by the code that created the event.
        from browser_use_async.webhooks.events import (  # noqa: PLC0415
            TaskStatusUpdate,
            WebhookStatus,
        )

        if not isinstance(event, TaskStatusUpdate):
            return
        if event.submission_mark is not None:
            self._reconciler.record(event.task_id, event.submission_mark)
        self._transport.observers.notify(event, event.task_id)
        ends = {WebhookStatus.FINISHED, WebhookStatus.STOPPED, WebhookStatus.FAILED}
        self._webhooks.record(event.task_id, has_ended=event.status in ends)

    # --- whole lists ------------------------------------------------------------------------

    def iterate_all_tasks(
        self,
        *,
        statuses: Collection[TaskStatus | str] | None = None,
        created_after: datetime | None = None,
        page_size: int = 100,
        prefetch: int = 1,
        resume: str | None = None,
    ) -> "PageIterator":
        """Iterate over all tasks of the account, newest first: rows, or `.pages()`. Free.

        Each task that exists the whole time is yielded exactly once, even if others are created or
        deleted. With the iterator's `resume_token` another process continues just as exactly. API
        page: List Tasks.

        Args:
            statuses: Only tasks in these statuses, or None for all. A text must be one that this
                version knows; for a newer one pass `TaskStatus("...")`.
            created_after: Only tasks created at this time or later; aware.
            page_size: Rows on a page, 1 to 100.
            prefetch: How many pages are read ahead: 0 to 8. Several are read at the same time,
                until a task disappears; after that one by one.
            resume: A `resume_token`, or None to begin at the top. The token contains its filters
                and its page size.

        Raises:
            InvalidRequestError: An option is out of bounds, or the text is no resume token.
        """
        # Loaded on first use, since many programs read no lists.
        from browser_use_async.paging import PageIterator  # noqa: PLC0415

        return PageIterator(
            self.tasks.list,
            statuses=statuses,
            created_after=created_after,
            page_size=page_size,
            prefetch=prefetch,
            resume=resume,
        )


def _shared_fields(fields: RunTaskFields, output_type: Any, task: str | None) -> dict[str, Any]:
    shared = cast("dict[str, Any]", dict(fields))
    cast("dict[str, Any]", fields).clear()  # tracebacks with locals show secrets
    _refuse_unknown_options(shared)
    if "inputs" in shared:
        shared.clear()
        what = "inputs: those of a batch's script are the values of its rows; nothing was sent"
        raise InvalidRequestError(what, field="inputs")
    if not isinstance(shared.get("script"), str | None):
        shared.clear()
        raise InvalidRequestError("script must be a text; nothing was sent", field="script")
    if task is not None:
        shared["task"] = task
    # Checked here, since else each item of the batch would fail.
    build_request(RunTaskRequest, {"task": "any", **shared, "script": None})
    if isinstance(shared.get("secrets"), Mapping):
        shared["secrets"] = SecretMapping(shared["secrets"])
    if output_type is not None:
        add_output_schema(shared, output_type)
    return shared


def _refuse_unknown_options(given: dict[str, Any]) -> None:
    """Refuse an unknown option of `run_many` at its call, and not with each item."""
    known = RunTaskFields.__annotations__
    unknown = next((name for name in given if name not in known), None)
    if unknown is None:
        return
    given.clear()  # tracebacks with locals show secrets
    raise TypeError(f"run_many() got an unexpected keyword argument {unknown!r}")
