"""One task for one submission, even when the answer to run-task is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Literal

import attrs

from browser_use_async.contract import table
from browser_use_async.contract.limits import MAX_METADATA_PAIRS
from browser_use_async.contract.submission_token import TOKEN_KEY, SubmissionToken
from browser_use_async.errors import (
    BrowserUseError,
    InvalidRequestError,
    SubmissionUnknownError,
)
from browser_use_async.models import RunTaskRequest, SubmissionAdopted, Task
from browser_use_async.submission.reconciler import Reconciler
from browser_use_async.transport.client import Transport
from browser_use_async.transport.outcome import OutcomeKind
from browser_use_async.transport.prepared import prepare

__all__ = ["Creator", "OnAmbiguous"]

OnAmbiguous = Literal["reconcile", "resubmit", "raise"]


@attrs.frozen
class Submission:
    """One job that shall become one task.

    Attributes:
        request: What is sent, with the mark in its metadata.
        token: How to find the task again, or None if there was no room for the mark.
        on_ambiguous: What to do when the answer is lost.
    """

    request: RunTaskRequest
    token: SubmissionToken | None
    on_ambiguous: OnAmbiguous


@attrs.frozen
class Creator:
    """Creates tasks, paying once.

    Attributes:
        transport: Makes the call.
        reconciler: Finds what a lost answer would have named.
        get_task: Gives a whole task.
        now: The wall clock.
    """

    transport: Transport
    reconciler: Reconciler
    get_task: Callable[[str], Awaitable[Task]]
    now: Callable[[], datetime]

    def prepare(
        self, request: RunTaskRequest, on_ambiguous: OnAmbiguous, settle_window: float
    ) -> Submission:
        """Check the options and mark the request, before anything is sent.

        Args:
            request: A checked request.
            on_ambiguous: What to do when the answer is lost.
            settle_window: Seconds after which a task that did not appear never will.

        Raises:
            InvalidRequestError: An option is wrong, or the metadata uses the reserved name.
        """
        if on_ambiguous not in {"reconcile", "resubmit", "raise"}:
            raise InvalidRequestError(
                f"on_ambiguous must be 'reconcile', 'resubmit' or 'raise', not {on_ambiguous!r}",
                field="on_ambiguous",
            )
        if not 0 <= settle_window < 1e7:
            raise InvalidRequestError(
                "settle_window must be a number of seconds of 0 or more", field="settle_window"
            )
        metadata = request.metadata if isinstance(request.metadata, Mapping) else {}
        if TOKEN_KEY in metadata:
            raise InvalidRequestError(
                f"metadata: {TOKEN_KEY!r} is reserved for finding the task when an answer is "
                "lost; use another name",
                field="metadata",
            )
        if len(metadata) >= MAX_METADATA_PAIRS:
            # All pairs are the user's own: no mark fits, so a lost answer cannot be made good.
            return Submission(request, None, "raise")
        token = SubmissionToken.new(request.task, settle_window, self.now())
        marked = attrs.evolve(request, metadata={**metadata, TOKEN_KEY: token.mark})
        return Submission(marked, token, on_ambiguous)

    async def create(self, submission: Submission) -> str:
        """Create the task and give its id.

        Args:
            submission: What `prepare` gave.

        Raises:
            SubmissionUnknownError: The answer was lost and the task did not appear.
            BrowserUseError: The task was not created.
        """
        token = submission.token
        while True:
            prepared = prepare(table.RUN_TASK, None, submission.request)
            outcome, attempts = await self.transport.outcome_of(prepared)
            if outcome.kind is OutcomeKind.ACCEPTED:
                task_id: str = outcome.value.id
                self.reconciler.note(task_id, token.mark if token else None)
                return task_id
            failure = self.transport.error_of(prepared, outcome, attempts)
            if outcome.kind is not OutcomeKind.AMBIGUOUS:
                raise failure
            if token is None or submission.on_ambiguous == "raise":
                raise self.unknown(submission, failure)
            found = await self._reconcile(token)
            if found is not None:
                return found
            if submission.on_ambiguous == "reconcile":
                raise self.unknown(submission, failure)

    async def _reconcile(self, token: SubmissionToken) -> str | None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        task_id = await self.reconciler.find(token, token.settle_window)
        if task_id is not None:
            self.transport.emit(SubmissionAdopted(task_id, loop.time() - started))
        return task_id

    async def resolve_submission(self, submission_token: str) -> Task | None:
        """Find the task of a token, in another process too.

        Args:
            submission_token: The token's text.
        """
        token = SubmissionToken.parse(submission_token)
        passed = (self.now() - token.sent_at).total_seconds()
        left = min(max(token.settle_window - passed, 0.0), token.settle_window)
        task_id = await self.reconciler.find(token, left)
        return None if task_id is None else await self.get_task(task_id)

    def unknown(
        self, submission: Submission, failure: BrowserUseError | None = None
    ) -> SubmissionUnknownError:
        """The error of a submission whose fate is not known.

        Args:
            submission: Which one.
            failure: How the last attempt ended, or None if it is still under way.
        """
        what = "the time was up while the task was being created" if failure is None else failure
        advice = (
            "all ten metadata pairs are your own, so the task carries no token: compare "
            "session.iterate_all_tasks() with what you know before creating it again"
            if submission.token is None
            else "await error.resolve() tells; creating it again before that may pay twice"
        )
        return SubmissionUnknownError(
            f"a paid task may or may not have been created: {what}; {advice}",
            submission_token=None if submission.token is None else str(submission.token),
            resolver=self,
        )
