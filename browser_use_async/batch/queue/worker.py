"""A process that works on a queue, together with others."""

import asyncio
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs
import procrastinate

from browser_use_async import errors
from browser_use_async.api.requests import build_request
from browser_use_async.api.submission_key import mark_of_key
from browser_use_async.batch.inputs import submission_key
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.progress import StopReason
from browser_use_async.batch.queue import tables
from browser_use_async.batch.queue.results import result_of
from browser_use_async.batch.queue.store import LOOK_SECONDS, TASK, Columns, QueueStore, storable
from browser_use_async.batch.result import BatchResult
from browser_use_async.batch.runner import FATAL, OF_ANOTHER_RUN
from browser_use_async.batch.state import SharedBackoff, learn_service
from browser_use_async.lifecycle.create import Submission
from browser_use_async.lifecycle.reconcile import mark_of
from browser_use_async.lifecycle.run import SubmissionRunner
from browser_use_async.lifecycle.waits import wait
from browser_use_async.logs import LOGGER
from browser_use_async.money.amounts import TaskPrice
from browser_use_async.postgres.jobs import JobsAtWork, LaterError, Retries, Supervision
from browser_use_async.transport.config import Runtime
from browser_use_async.types import RunTaskRequest, Task

BEGUN = 1
"""The priority of jobs whose items have begun: they may have a task, which costs already."""

# The same item may succeed later, here or in another process.
_PASSING = (
    errors.APIConnectionError,
    errors.InternalServerError,
    errors.RateLimitError,
    errors.SubmissionUnknownError,
    errors.WaitInterruptedError,
)

OnResult = Callable[[BatchResult[Any]], None]


@attrs.define(eq=False)
class QueueWorker:
    """Works on a queue until all items have ended, or until it is stopped."""

    store: QueueStore
    lifecycle: SubmissionRunner  # of the session
    runtime: Runtime
    options: BatchOptions
    secrets: Mapping[str, str] = attrs.field(repr=False)  # values by name
    lease: float  # seconds after which others have the jobs of this process, if it is silent
    on_result: OnResult | None
    stopped_by: StopReason | None = attrs.field(default=None, init=False)
    _batch: Columns = attrs.field(factory=dict, init=False)  # its row when the work began
    _failure: BaseException | None = attrs.field(default=None, init=False)
    _failures: int = attrs.field(default=0, init=False)  # in a row
    _jobs: JobsAtWork = attrs.field(init=False)
    _backoff: SharedBackoff = attrs.field(init=False)
    # What runs an item: a cancellation of the worker reaches it at once
    _items: "set[asyncio.Task[None]]" = attrs.field(factory=set, init=False)
    # The item that asks the budget; others of this process wait for it
    _line: asyncio.Lock = attrs.field(factory=asyncio.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        app = self.store.app
        self._jobs = JobsAtWork(app, self.lease, queue=self.store.address.name, first=BEGUN)
        self._backoff = SharedBackoff(self.store.patience, self.runtime.rng)
        app.task(name=TASK, pass_context=True, retry=Retries())(self._do)

    async def run(self, drain: asyncio.Event | None) -> None:
        """Work; a cancellation gives the items to other processes at once."""
        self._batch = await self.store.batch()
        if self._batch["stopped_by"] is not None:
            self.stopped_by = StopReason(self._batch["stopped_by"])
            return
        await self._refuse_without_keys()
        jobs = self._jobs
        working = self._start(self._work(), "works on a queue")
        beside = [
            self._start(Supervision(jobs, self.lease).run(), "supervises the jobs of a queue"),
            self._start(self._watch(), "looks whether a queue has ended"),
        ]
        if drain is not None:
            beside.append(self._start(self._drain(drain), "waits for the stop of a worker"))
        try:
            await asyncio.wait({working, beside[1]}, return_when=asyncio.FIRST_COMPLETED)
            # The watch ends when all items have ended, or with an error.
            jobs.stop()
            await asyncio.wait({working})
        finally:
            if not working.done():  # cancelled
                for item in self._items:
                    item.cancel()
                jobs.stop()
                await asyncio.wait({working})
            for each in beside:
                each.cancel()
            await asyncio.wait(beside)
        watching = beside[1]
        for each in (working, watching):
            if not each.cancelled() and (error := each.exception()) is not None:
                raise error
        if self._failure is not None:
            raise self._failure

    async def _work(self) -> None:
        jobs, slots = self.store.jobs, self.options.concurrency
        jobs.slots = slots
        await self._jobs.work(self.store.address.name, slots)
        await jobs.give_back()

    def _start(self, work: Any, what: str) -> "asyncio.Task[None]":
        return asyncio.create_task(work, name=f"browser-use: {what}")

    async def _refuse_without_keys(self) -> None:
        await learn_service(self.lifecycle)
        keys = self.lifecycle.creator.transport.keys
        if keys.are_unknown:
            await self.lifecycle.creator.transport.learn_keys()  # raises why it is not known
        if not keys.are_kept:
            raise errors.ConfigurationError(
                "the service keeps no submission keys, by which a queue pays once for an item "
                "that two processes have begun; nothing was sent. Use a batch with a ledger in a "
                "file, which needs none"
            )

    async def _watch(self) -> None:
        """Return once all items have ended, or another process has stopped the batch."""
        while True:
            left = await self.store.row(tables.LEFT)
            if left is None or not left["has_more"]:
                return
            if left["stopped_by"] is not None:
                self._stop(StopReason(left["stopped_by"]))
            await asyncio.sleep(LOOK_SECONDS)

    async def _drain(self, drain: asyncio.Event) -> None:
        await drain.wait()
        self._stop(StopReason.DRAINED)
        await self.store.jobs.give_back()

    def _stop(self, reason: StopReason) -> None:
        """Take no more items; those under way are finished."""
        self.stopped_by = self.stopped_by or reason
        self._jobs.stop()

    def _fail(self, error: BaseException) -> None:
        """The error concerns every item, so nothing more is begun."""
        self._failure = self._failure or error
        self._jobs.stop()

    # --- an item ---------------------------------------------------------------------------

    async def _do(self, context: procrastinate.JobContext, item: int, round: int) -> None:  # noqa: A002
        """The job of an item."""
        running = self._start(self._run({"item": item, "round": round}), "runs an item of a queue")
        self._items.add(running)
        try:
            await self._jobs.do(context, running)
        except asyncio.CancelledError:
            running.cancel()
            raise LaterError(0.0, BEGUN) from None
        except LaterError:
            raise
        except Exception as error:  # noqa: BLE001 - raised by `run`
            self._fail(error)
            raise LaterError(0.0, BEGUN) from None
        finally:
            self._items.discard(running)

    async def _run(self, item: Columns) -> None:
        row = await self._begin(item)
        if row is None:
            return  # another process has ended it
        ended, task = await self._outcome(row)
        recorded = await self.store.record({**item, **ended, "limit_key": row["limit_key"]})
        if recorded is None:
            return
        self._count(ended["state"])
        if self.on_result is not None:
            self.on_result(result_of(recorded, task))

    async def _begin(self, item: Columns) -> Columns | None:
        """The item's row, once the budget has room; None if it has ended."""
        if self._is_stopped:
            raise LaterError(0.0)
        store = self.store
        if self._batch["budget"] is None:
            return await store.start(item)
        row = await store.row(tables.RESERVE, **item)
        if row is None or row["may_run"]:
            return row
        async with self._line:
            while (row := await store.row(tables.RESERVE, **item)) and not row["may_run"]:
                if row["total"] == 0 and not self._is_stopped:
                    # Nothing is under way that could give money back.
                    await store.row(tables.STOP, why=str(StopReason.BUDGET))
                    self._stop(StopReason.BUDGET)
                if self._is_stopped:
                    raise LaterError(0.0)
                needed = await store.row(tables.PLACE_NEEDED)
                if needed is not None and needed["is_needed"]:
                    # Else all slots could wait for money that only begun items give back.
                    raise LaterError(LOOK_SECONDS)
                await asyncio.sleep(LOOK_SECONDS)
        return row

    @property
    def _is_stopped(self) -> bool:
        return self._failure is not None or self.stopped_by is not None

    def _count(self, state: ItemState) -> None:
        self._failures = 0 if state is ItemState.DONE else self._failures + 1
        most = self.options.max_failures
        if most is not None and self._failures >= most:
            self._stop(StopReason.FAILURES)

    async def _outcome(self, row: Columns) -> tuple[Columns, Task | None]:
        """Run the item's one task; returns what is recorded, and the task."""
        request = self._request(row)
        submission = self._submission(row, request)
        try:
            task = await self._task(submission)
        except errors.PaymentRequiredError as error:
            LOGGER.warning("%s: %s", row["name"], error)
            self._stop(StopReason.BALANCE)
            raise LaterError(0.0, BEGUN) from None
        except FATAL as fatal:
            self._fail(fatal)
            raise LaterError(0.0, BEGUN) from None
        except errors.WaitTimeoutError:
            raise LaterError(LOOK_SECONDS, BEGUN) from None  # it is waited for again
        except _PASSING as passing:
            raise self._later(row, passing) from None
        except errors.BrowserUseError as refused:
            self._backoff.reset()
            return _refused(refused), None
        self._backoff.reset()
        return self._ended(request, submission, task), task

    def _later(self, row: Columns, error: errors.BrowserUseError) -> LaterError:
        LOGGER.info("%s is tried again: %s", row["name"], error)
        seconds = self._backoff.pause(asyncio.get_running_loop().time())
        if seconds is None:  # the service was away for too long
            self._fail(error)
        return LaterError(seconds or 0.0, BEGUN)

    async def _task(self, submission: Submission) -> Task:
        """The task of an item that has ended, whatever its end; created if there is none yet."""
        try:
            return await self.lifecycle.run_and_wait(
                submission, None, self.options.timeout, "leave", "leave", None
            )
        except errors.TaskError as failed:
            ended: Task = failed.task
            return ended
        except errors.SubmissionKeyConflictError as conflict:
            if conflict.task_id is None:
                raise
            # Its own task, if only its secrets were renewed since it was begun.
            task = await self.lifecycle.tasks.get(conflict.task_id)
            if self._is_own(submission, task):
                return await wait(self.lifecycle.poller, task.id, self.options.timeout, exists=True)
            raise conflict.of(
                conflict.key, conflict.task_id, conflict.fields, OF_ANOTHER_RUN
            ) from None

    def _submission(self, row: Columns, request: RunTaskRequest) -> Submission:
        creator = self.lifecycle.creator
        creator.transport.bind()
        batch = self._batch
        key = submission_key(batch["key_prefix"], row["key"], row["round"])
        token = creator.ages.new_token(request.task, creator.reconciler.settle_window)
        # The same in all processes of this batch, and another one in each other batch: a task with
        # another mark was joined, and is paid for elsewhere.
        mark = mark_of_key(f"{batch['id']} {row['position']} {row['round']}")
        submission = creator.prepare(
            request, attrs.evolve(token, mark=mark), batch=batch["key_prefix"]
        )
        submission.key, submission.has_own_key = key, True
        return submission

    def _is_own(self, submission: Submission, task: Task) -> bool:
        assert submission.token is not None  # `InputReader` leaves room for it
        return mark_of(task) in {"", submission.token.mark}

    def _ended(self, request: RunTaskRequest, submission: Submission, task: Task) -> Columns:
        error: errors.BrowserUseError | None = None
        try:
            task.raise_for_status()
        except errors.TaskError as failed:
            error = failed
        joined = not self._is_own(submission, task)
        return {
            "state": ItemState.DONE if error is None else ItemState.FAILED,
            "task_id": task.id,
            "status": str(task.status),
            "output": None if task.output is None else storable(task.output),
            "steps": len(task.steps),
            "cost": Decimal(0) if joined else TaskPrice.of(request).cost(task),
            "joined": joined,
            "error": None if error is None else type(error).__name__,
            "reason": None if error is None else storable(str(error)),
            "created_at": task.created_at,
            "finished_at": task.finished_at,
        }

    def _request(self, row: Columns) -> RunTaskRequest:
        content = json.loads(row["content"])
        names = content.pop("secrets", None)
        if names:
            missing = [name for name in names if name not in self.secrets]
            if missing:
                raise errors.ConfigurationError(
                    f"the secret {missing[0]!r} of the item {row['name']!r} has no value; nothing "
                    "was sent for it. Give it as secrets={name: value} (--secret NAME=VARIABLE)"
                )
            content["secrets"] = {name: self.secrets[name] for name in names}
        return build_request(RunTaskRequest, content)


def _refused(error: errors.BrowserUseError) -> Columns:
    nothing = ("task_id", "status", "output", "steps", "created_at", "finished_at")
    return {
        **dict.fromkeys(nothing),
        "state": ItemState.DEAD,
        "cost": Decimal(0),
        "joined": False,
        "error": type(error).__name__,
        "reason": storable(str(error)),
    }
