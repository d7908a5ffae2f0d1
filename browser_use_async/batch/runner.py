"""Runs one item of a batch, from its state in the ledger to its end."""

import asyncio
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async import errors
from browser_use_async.batch.inputs import Item, submission_key
from browser_use_async.batch.ledger.records import FINAL_STATES, MAY_COST, UNANSWERED, ItemState
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.batch.ledger.writer import LedgerEntry
from browser_use_async.batch.progress import FINISHES_BEGUN, StopReason
from browser_use_async.batch.result import (
    BatchResult,
    from_task,
    repeated_result,
    replay,
    result_of,
    without_task,
)
from browser_use_async.batch.state import BatchState, InFlight
from browser_use_async.events import SubmissionAdopted
from browser_use_async.lifecycle.create import Submission, SubmissionState
from browser_use_async.lifecycle.reconcile import mark_of
from browser_use_async.lifecycle.waits import wait
from browser_use_async.money.amounts import TaskPrice
from browser_use_async.types import RunTaskRequest

MOST_ROUNDS = 3  # of sending in one run, if the service loses every answer

# These concern every item, so the batch has to stop.
FATAL = (
    errors.APINotServedError,
    errors.AuthenticationError,
    errors.ConfigurationError,
    errors.LedgerError,
    errors.PermissionDeniedError,
    errors.SessionClosedError,
    errors.WrongEventLoopError,
)

# The way out of a key that an earlier run has used for another request
OF_ANOTHER_RUN = (
    "Give the batch another key_prefix (--key-prefix) to run its items anew, or the item the same "
    "request as before"
)

# What to do with an item whose task may exist
_UNKNOWN = (
    "run the batch again, which looks for the task once more; with retry_unknown=True "
    "(--retry-unknown) it then sends the item again, which pays twice if the first task exists"
)

_TRANSIENT = (errors.APIConnectionError, errors.InternalServerError, errors.RateLimitError)


@attrs.define(eq=False)
class ItemRunner:
    """Runs one item: creates or finds its task, and waits for its end."""

    batch: BatchState
    item: Item
    earlier: BatchResult[Any] | None = None  # of the same item earlier in this run, if known
    _row: LedgerRow = attrs.field(init=False)  # its row when this run reached it
    _entry: LedgerEntry = attrs.field(init=False)
    _in_flight: InFlight = attrs.field(init=False)
    _is_joined: bool = attrs.field(default=False, init=False)  # as the counter knows it

    async def run(self) -> BatchResult[Any] | None:
        """Run the item; None if it is left for the next run."""
        batch, item = self.batch, self.item
        now, revive = batch.now().timestamp(), batch.options.retry_failed
        # It need not be durable: without it the next run begins the item again.
        self._row = row = await batch.writer.run(
            lambda store: store.begin_item(item, now, revive=revive), durable=False
        )
        keys = batch.lifecycle.creator.transport.keys
        self._entry = LedgerEntry(batch.writer, row, batch.now, keys)
        if row.repeated:
            return await self._repeat()
        batch.counter.add(row)
        self._is_joined = row.joined  # the totals of the ledger count it
        if self._is_refused or (row.state in FINAL_STATES and not row.may_retry):
            return await self._finish_unsent()
        assert item.request is not None
        return await self._run_unfinished(item.request)

    @property
    def _is_refused(self) -> bool:
        """Whether nothing may be sent for it; an existing task is finished."""
        return self.item.problem is not None and self._row.state not in MAY_COST

    async def _run_unfinished(self, request: RunTaskRequest) -> BatchResult[Any] | None:
        batch, row = self.batch, self._row
        if row.state in MAY_COST:
            # Its money may already be spent, so it does not queue for the budget.
            batch.admission.follow(row, request)
        elif not await self._is_admitted(request):
            # A failed item that is not tried again now is still a result.
            return await self._finish_unsent() if row.may_retry else None
        if row.may_retry:
            # The ledger has the failed task until run-task is about to be sent again.
            self._row = row.afresh()
            batch.counter.begin_anew(row.state)
            batch.counter.joined_failed -= row.joined
            self._count_joined(joined=False)
        return await self._run_counted(request)

    async def _repeat(self) -> BatchResult[Any] | None:
        """The result of an item that was earlier in this run."""
        batch, result = self.batch, self.earlier
        if result is None:
            if self._row.state in {ItemState.NEW, ItemState.INTENT}:
                return None  # the first one is left for the next run, too
            output_type = batch.options.output_type
            result = await replay(self.item, self._row, batch.lifecycle.tasks, output_type)
        batch.counter.duplicates += 1
        batch.on_change()
        return repeated_result(self.item, result)

    async def _is_admitted(self, request: RunTaskRequest) -> bool:
        batch = self.batch
        if batch.stopped_by is None and not await batch.admission.admit(self._row, request):
            batch.stop(StopReason.BUDGET)
        if batch.stopped_by is not None:  # it may have been stopped while this item waited
            batch.admission.release(self._row)
        return batch.stopped_by is None

    async def _finish_unsent(self) -> BatchResult[Any]:
        """The result of an item for which nothing was sent."""
        batch, item, row = self.batch, self.item, self._row
        if item.problem is None or row.state in {ItemState.DONE, ItemState.FAILED}:
            return await replay(item, row, batch.lifecycle.tasks, batch.options.output_type)
        result = without_task(item, ItemState.DEAD, row, item.problem)
        if row.state is not ItemState.DEAD:
            batch.counter.start(row.state)
            await self._entry.record_result(result)
            batch.counter.finish(ItemState.DEAD)
            batch.on_change()
        return result

    async def _run_counted(self, request: RunTaskRequest) -> BatchResult[Any] | None:
        """Run the item and count it as running meanwhile."""
        batch, index, state = self.batch, self.item.index, self._row.state
        self._in_flight = InFlight(self.item.key, task_id=self._row.task_id)
        batch.in_flight[index] = self._in_flight
        batch.counter.start(state)
        batch.on_change()
        try:
            result = await self._run_task(request)
            if result is not None:
                state = result.state
            elif state not in UNANSWERED:
                # The ledger has an intent if something was sent, and else nothing.
                state = ItemState.INTENT if self._may_cost else ItemState.NEW
            return result
        except errors.LedgerError:
            raise  # the error names the task; the next run finds it
        except BaseException:
            batch.cut_off.append(self._in_flight)
            raise
        finally:
            # Also when cancelled: then `state` is still the one from the ledger.
            del batch.in_flight[index]
            self._in_flight.settled.set()
            if self._in_flight.submission is not None:
                self._in_flight.submission.may_resend = False
            batch.counter.finish(state)
            if state in MAY_COST or self._may_cost:
                batch.admission.abandon(self._row)
            else:
                batch.admission.release(self._row)
            batch.on_change()

    @property
    def _may_cost(self) -> bool:
        """Whether it has a task, or may have one, whatever its row says."""
        is_unanswered = self._entry.is_repeat and not self._entry.has_ended
        return self._in_flight.may_cost or is_unanswered

    async def _run_task(self, request: RunTaskRequest) -> BatchResult[Any] | None:
        task_id = self._row.task_id
        sent_at: float | None = None  # when the task was requested, if in this run
        if task_id is None:
            found = await self._find_or_create(request)
            if not isinstance(found, str):
                return found
            task_id = found
            # A task of an earlier run is older, and may already have ended.
            submission = self._in_flight.submission
            if submission is not None and (
                self._row.state not in UNANSWERED or submission.has_created
            ):
                sent_at = submission.sent_at
            self._in_flight.task_id = task_id
            self._count_joined(joined=self._in_flight.is_joined)
            # Before it is in the ledger: if the batch is closed meanwhile, the task can be stopped.
            self._in_flight.settled.set()
            await self._entry.record_task(task_id)
        return await self._wait_for_end(task_id, sent_at)

    def _count_joined(self, *, joined: bool) -> None:
        self.batch.counter.joined += joined - self._is_joined
        self._is_joined = joined

    # --- creating the task ----------------------------------------------------------------

    async def _find_or_create(self, request: RunTaskRequest) -> str | BatchResult[Any] | None:
        """The id of the item's one task, or the result of an item without a known task."""
        submission = self._submission(request)
        self._in_flight.submission = submission
        unanswered = self._row.state in UNANSWERED
        # Only what an earlier run has left, and once: each time may create one more task.
        retries_unknown = self.batch.options.retry_unknown
        lost = 0
        while True:
            # Before anything is sent: an earlier request may have created the task.
            if unanswered:
                is_repeat = self._entry.may_repeat
                # A repeated request shows whether the task exists. But if the service lost it
                # several times, it may be unreachable, and the search waits for it.
                if lost or not is_repeat:
                    found = await self._find(submission, self._window(is_repeat, lost))
                    if found is not None:
                        return found
                is_resent = is_repeat or (retries_unknown and not lost)
                if lost == MOST_ROUNDS or not is_resent:
                    return await self._end_unknown(submission)
                if submission.abandoned or not self._may_resend(is_repeat):
                    return await self._leave_unanswered(submission)
            try:
                created = await self._create(submission)
            except errors.SubmissionUnknownError:
                unanswered, lost = True, lost + 1
            else:
                # An earlier request may have been carried out, though this one was refused.
                is_left = created is None and unanswered
                return await self._leave_unanswered(submission) if is_left else created

    def _window(self, is_repeat: bool, lost: int) -> float:
        """For how many seconds its task may still appear."""
        row = self._row
        # The run that left it unknown, on a service without keys, has waited for the whole window.
        was_searched = row.state is ItemState.UNKNOWN and not row.keyed and not lost
        if is_repeat or was_searched:
            return 0.0
        return self.batch.lifecycle.creator.reconciler.settle_window

    async def _leave_unanswered(self, submission: Submission) -> BatchResult[Any] | None:
        """The result of an item that is not sent again now; None if another run continues it."""
        if submission.abandoned or self.batch.stopped_by not in FINISHES_BEGUN:
            return None
        return await self._end_unknown(submission)

    async def _end_unknown(self, submission: Submission) -> BatchResult[Any]:
        error = self.batch.lifecycle.creator.unknown(submission, _UNKNOWN)
        return await self._end_without_task(ItemState.UNKNOWN, error, submission)

    def _may_resend(self, is_repeat: bool) -> bool:
        """Whether run-task may be sent again for an item whose answer was lost."""
        stopped_by = self.batch.stopped_by
        return stopped_by is None or (is_repeat and stopped_by in FINISHES_BEGUN)

    def _submission(self, request: RunTaskRequest) -> Submission:
        # The token of the earlier run: a task that it created is found by the same mark.
        submission = self.batch.lifecycle.creator.prepare(
            request, self._row.token, batch=self.batch.options.key_prefix
        )
        # `InputReader` refuses requests whose own metadata leaves no room for it.
        assert submission.token is not None
        options, row = self.batch.options, self._row
        assert options.key_prefix is not None  # the ledger has one
        # The same in every ledger with this prefix, unlike the mark, which belongs to one ledger.
        submission.key = submission_key(options.key_prefix, row.key, row.number)
        self._entry.token = submission.token
        self._entry.maximum_cents = TaskPrice.of(request).maximum_cents
        # The search is made here, since ledger and budget decide before it is sent again.
        submission.ledger_entry, submission.may_resend = self._entry, True
        if self._row.state in UNANSWERED:
            submission.state = SubmissionState.UNKNOWN
            if self._entry.may_repeat:
                submission.lost_at = asyncio.get_running_loop().time()
        return submission

    async def _find(self, submission: Submission, window: float) -> str | None:
        """Look for the task for the settle window, counted from now."""
        # Every request was sent before now, by this process or by one that has ended, so no clock
        # is needed.
        assert submission.token is not None
        batch, loop = self.batch, asyncio.get_running_loop()
        reconciler = batch.lifecycle.creator.reconciler
        while True:
            started = loop.time()
            try:
                found = await reconciler.find(submission.token, window, submission)
            except FATAL:
                raise
            except errors.BrowserUseError as error:
                # The search did not complete, so sending again could create a second task.
                await self._pause(error)
            else:
                batch.backoff.reset()
                if found is not None:
                    creator = batch.lifecycle.creator
                    event = SubmissionAdopted(found, loop.time() - started)
                    creator.record_found(submission.token, found)
                    creator.transport.observers.notify(event, submission)
                return found

    async def _create(self, submission: Submission) -> str | BatchResult[Any] | None:
        """Send run-task until its outcome is known; raises if the answer was lost."""
        batch = self.batch
        while True:
            try:
                task_id = await batch.lifecycle.creator.create(submission)
            except (errors.PaymentRequiredError, errors.BudgetExceededError) as error:
                self._stop_for(error, submission)
                return None
            except FATAL:
                raise
            except errors.SubmissionUnknownError as error:
                if not self._is_only_refused(submission):
                    raise
                await self._pause(submission.failure or error)
            except _TRANSIENT as error:
                await self._pause(error)
            except errors.BrowserUseError as error:
                return await self._end_refused(error, submission)
            else:
                batch.backoff.reset()
                return task_id
            # Checked after a pause: the batch may have been stopped or closed meanwhile.
            if batch.stopped_by is not None or submission.abandoned:
                return None

    def _stop_for(self, error: errors.BrowserUseError, submission: Submission) -> None:
        """Submit nothing more: the account, or a budget around the batch, has no room."""
        if isinstance(error, errors.PaymentRequiredError):
            self.batch.stop(StopReason.BALANCE)
            return
        self.batch.admission.refuse(TaskPrice.of(submission.request))
        self.batch.stop(StopReason.BUDGET)

    def _is_only_refused(self, submission: Submission) -> bool:
        """Whether only the repetition was refused, so the first request may have succeeded."""
        return submission.state is SubmissionState.UNSENT and self._entry.may_repeat

    async def _end_refused(
        self, error: errors.BrowserUseError, submission: Submission
    ) -> str | BatchResult[Any]:
        """A dead letter; or its own task, if only its request has changed."""
        self.batch.backoff.reset()  # a refusal is an answer, too
        if isinstance(error, errors.SubmissionKeyConflictError):
            if error.task_id is not None and await self._is_own(error.task_id):
                return error.task_id
            timeline = error.timeline
            error = error.of(error.key, error.task_id, error.fields, OF_ANOTHER_RUN)
            error.timeline = timeline
        return await self._end_without_task(ItemState.DEAD, error, submission)

    async def _is_own(self, task_id: str) -> bool:
        """Whether the key's task is its own, and only its secrets were renewed since."""
        while True:
            try:
                task = await self.batch.lifecycle.tasks.get(task_id)
            except errors.NotFoundError:
                return False
            except FATAL:
                raise
            except errors.BrowserUseError as error:
                await self._pause(error)
            else:
                assert self._entry.token is not None
                return mark_of(task) == self._entry.token.mark

    async def _end_without_task(
        self, state: ItemState, error: errors.BrowserUseError, submission: Submission
    ) -> BatchResult[Any]:
        result = without_task(self.item, state, self._row, error, submission.attempts)
        return await self._entry.record_result(result)

    async def _pause(self, error: errors.BrowserUseError) -> None:
        seconds = self.batch.backoff.pause(asyncio.get_running_loop().time())
        if seconds is None:
            raise error
        await asyncio.sleep(seconds)

    # --- waiting for its end --------------------------------------------------------------

    async def _wait_for_end(self, task_id: str, sent_at: float | None) -> BatchResult[Any]:
        batch, item, submission = self.batch, self.item, self._in_flight.submission
        attempts = 0 if submission is None else submission.attempts
        try:
            poller, timeout = batch.lifecycle.poller, batch.options.timeout
            # The task exists, by this run or by the ledger: the wait goes on through an outage.
            task = await wait(poller, task_id, timeout, sent_at, exists=True)
        except FATAL:
            raise
        except errors.BrowserUseError as error:
            # The task runs on, and the next run of the batch waits for it again.
            state = ItemState.SUBMITTED
            return result_of(item, state, self._row, attempts, task_id=task_id, error=error)
        assert item.request is not None
        joined = self._entry.is_paid_elsewhere(task)
        cost = Decimal(0) if joined else TaskPrice.of(item.request).cost(task)
        result = from_task(
            *(item, task, batch.options.output_type, self._row, attempts),
            cost_cents=cost,
            joined=joined,
        )
        await self._entry.record_result(result)
        self._count_joined(joined=joined)
        batch.counter.joined_failed += joined and not result.succeeded
        batch.admission.settle(self._row, cost)
        batch.record_end(succeeded=result.succeeded)
        return result
