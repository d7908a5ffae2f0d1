"""One item's way from wherever the ledger says that it stands to its end."""

import asyncio
from typing import Any

import attrs

from browser_use_async import errors
from browser_use_async.batch.endings import dead, ending_of, unknown
from browser_use_async.batch.entries import Entry
from browser_use_async.batch.ledger.facts import Claim
from browser_use_async.batch.pricing import TaskPrice
from browser_use_async.batch.record import Record
from browser_use_async.batch.result import BatchResult
from browser_use_async.batch.run import Active, Run
from browser_use_async.batch.states import ItemState, StopReason
from browser_use_async.events import SubmissionAdopted
from browser_use_async.lifecycle.create import Stage, Submission
from browser_use_async.lifecycle.handle import wait
from browser_use_async.types import RunTaskRequest

__all__ = ["FATAL", "Way"]

MOST_ROUNDS = 3  # of sending in one run, for a service that loses every answer
DOUBTFUL = frozenset({ItemState.INTENT, ItemState.UNKNOWN})

FATAL = (
    errors.APINotServedError,
    errors.AuthenticationError,
    errors.ConfigurationError,
    errors.LedgerError,
    errors.PermissionDeniedError,
    errors.SessionClosedError,
    errors.WrongEventLoopError,
)
"""What these say is true of every item, so that the batch has to stop."""

# What these say passes.
_PASSING = (errors.APIConnectionError, errors.InternalServerError, errors.RateLimitError)


@attrs.define(eq=False)
class Way:
    """One item's way."""

    run: Run  # what it shares with the others
    entry: Entry
    request: RunTaskRequest  # what it asks for
    claim: Claim  # what the ledger knew when its turn came
    active: Active  # what others see of it meanwhile

    async def walk(self) -> BatchResult[Any] | None:
        """Go to the end of it."""
        run = self.run
        record = Record(run.writer, self.claim.position, self.entry.key, run.service.now)
        task_id = self.claim.task_id
        created_at: float | None = None
        if task_id is None:
            made = await self._task(record)
            if not isinstance(made, str):
                return made
            task_id, created_at = made, asyncio.get_running_loop().time()
            self.active.task_id = task_id
            self.active.settled.set()
            run.admission.created(self.entry.index, task_id)
            await record.submitted(task_id)
        else:
            run.admission.created(self.entry.index, task_id)
        return await self._follow(record, task_id, created_at)

    # --- to the task ----------------------------------------------------------------------

    async def _task(self, record: Record) -> str | BatchResult[Any] | None:
        """The id of its one task, found or created; or how it ended without one."""
        options = self.run.options
        submission = self._submission(record)
        doubtful = self.claim.state in DOUBTFUL
        self.active.submission = submission
        lost = 0
        while True:
            if doubtful:
                found = await self._find(submission)
                if found is not None:
                    return found
                if options.on_ambiguous != "resubmit" or lost == MOST_ROUNDS:
                    break
                if submission.abandoned or not self._may_send_again():
                    return None
            try:
                return await self._create(submission, record)
            except errors.SubmissionUnknownError:
                doubtful, lost = True, lost + 1
            if options.on_ambiguous == "raise":
                break
        error = self.run.service.creator.unknown(submission)
        result, ending = unknown(self.entry, self._attempts(submission), error)
        await record.ended(ending)
        return result

    def _may_send_again(self) -> bool:
        """Whether run-task may be sent once more for an item whose first answer was lost."""
        budget = self.run.admission.budget
        if budget.is_strict and not budget.is_ample:
            budget.refuse(TaskPrice.of(self.request))
            self.run.stop(StopReason.BUDGET)
        return self.run.stopped_by is None

    def _submission(self, record: Record) -> Submission:
        """What to send; the same mark as ever, so that whatever was created is found."""
        creator, window = self.run.service.creator, self.run.options.settle_window
        submission = creator.prepare(self.request, "raise", window, self.claim.token)
        assert (
            submission.token is not None
        )  # items with ten metadata pairs of their own are refused
        submission.witness = record.witness(submission.token)
        if self.claim.state in DOUBTFUL:
            submission.stage = Stage.UNKNOWN
        return submission

    def _attempts(self, submission: Submission) -> int:
        return self.claim.attempts + submission.attempts

    async def _find(self, submission: Submission) -> str | None:
        """Look for the task for the whole settle window, counted from now.

        Whatever was sent was sent before now, by this process or by one that is dead, and no
        clock of this machine is asked.
        """
        assert submission.token is not None
        reconciler = self.run.service.creator.reconciler
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                found = await reconciler.find(submission.token, self.run.options.settle_window)
            except FATAL:
                raise
            except errors.BrowserUseError as error:
                # Nobody could look, so sending again would be a guess.
                await self._pause(error)
            else:
                self.run.outage.over()
                if found is not None:
                    self.run.service.emit(SubmissionAdopted(found, loop.time() - started))
                return found

    async def _create(
        self, submission: Submission, record: Record
    ) -> str | BatchResult[Any] | None:
        """Send run-task until something is known about it.

        Raises:
            SubmissionUnknownError: The answer was lost.
        """
        while True:
            try:
                task_id = await self.run.service.creator.create(submission)
            except errors.PaymentRequiredError:
                self.run.stop(StopReason.BALANCE)
                return None
            except (*FATAL, errors.SubmissionUnknownError):
                raise
            except _PASSING as error:
                await self._pause(error)
            except errors.BrowserUseError as error:
                result, ending = dead(self.entry, self.claim, error, submission.attempts)
                await record.ended(ending)
                return result
            else:
                self.run.outage.over()
                return task_id
            if self.run.stopped_by is not None:
                return None

    async def _pause(self, error: errors.BrowserUseError) -> None:
        seconds = self.run.outage.pause(asyncio.get_running_loop().time())
        if seconds is None:
            raise error
        await asyncio.sleep(seconds)

    # --- to its end -----------------------------------------------------------------------

    async def _follow(
        self, record: Record, task_id: str, created_at: float | None
    ) -> BatchResult[Any]:
        run, submission = self.run, self.active.submission
        attempts = self.claim.attempts + (0 if submission is None else submission.attempts)
        try:
            task = await wait(run.service.poller, task_id, run.options.timeout, created_at)
        except FATAL:
            raise
        except errors.BrowserUseError as error:
            # The task lives on, and the next run follows it.
            return BatchResult(
                index=self.entry.index,
                key=self.entry.key,
                state=ItemState.SUBMITTED,
                task_id=task_id,
                error=error,
                attempts=attempts,
            )
        cost = run.admission.settle(self.entry.index, len(task.steps))
        result, ending = ending_of(self.entry, task, run.options.output_type, attempts, cost)
        await record.ended(ending)
        return result
