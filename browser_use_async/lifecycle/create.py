"""One task for one submission, even when the answer to run-task is lost."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Literal

import attrs

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.limits import MAX_METADATA_PAIRS, is_seconds, price_terms
from browser_use_async.api.submission_token import (
    MAX_WINDOW,
    RESERVED_KEYS,
    TOKEN_KEY,
    TRACE_KEY,
    SubmissionToken,
)
from browser_use_async.errors import (
    BrowserUseError,
    BudgetExceededError,
    InvalidRequestError,
    SubmissionUnknownError,
)
from browser_use_async.events import SlotAwaited, SubmissionAdopted
from browser_use_async.lifecycle.reconcile import Reconciler
from browser_use_async.lifecycle.submission_age import SubmissionAges
from browser_use_async.timeline import TimelineKind, TimelineRecorder
from browser_use_async.transport.client import Transport
from browser_use_async.transport.request import PreparedRequest, prepare
from browser_use_async.transport.response import Outcome, OutcomeKind, says_no_free_slot
from browser_use_async.transport.retry import Retrying, RetryPolicy
from browser_use_async.types import RunTaskRequest, Task

if TYPE_CHECKING:
    from browser_use_async.batch.runner import LedgerEntry

OnAmbiguous = Literal["reconcile", "resubmit", "raise"]
EndAction = Literal["leave", "stop", "pause"]

_REPLAY_SECONDS = 5.0
"""Seconds for which a task is looked for whose answer named another one."""

# Retries stand in `_send`, since what may exist has to be known between two attempts.
_ONCE = RetryPolicy(max_attempts=1)


class SubmissionState(Enum):
    """How far a submission has come."""

    UNSENT = auto()  # provably nothing was created, and nothing is on the wire
    SENDING = auto()  # a request is on the wire
    UNKNOWN = auto()  # an answer was lost
    CREATED = auto()  # the task exists


@attrs.define(eq=False, repr=False)
class Submission:
    """One request that becomes at most one task."""

    request: RunTaskRequest
    token: SubmissionToken | None
    on_ambiguous: OnAmbiguous
    recorder: TimelineRecorder  # of what happens to it
    is_new: bool = True  # whether no earlier process has sent it
    state: SubmissionState = SubmissionState.UNSENT  # how far it has come
    attempts: int = 0  # how many requests were sent
    failure: BrowserUseError | None = None  # how the last one ended, if it did not create the task
    sent_at: float | None = None  # the loop time of the first one that may have created the task
    last_sent_at: float | None = None  # the loop time of the newest one
    lost_at: float | None = None  # the loop time at which the last answer was lost
    is_replayed: bool = False  # whether an answer named the task of another submission
    # Reserves for one more request in the budgets around, or raises
    pay_again: Callable[[], Awaitable[None]] | None = None
    may_resend: bool = False  # whether a batch may yet send it again
    abandoned: bool = False  # whether the caller has stopped waiting, so that nothing more is sent
    ends_at: float = math.inf  # the loop time after which the task would not be used
    on_timeout: EndAction = "leave"  # what happens to the task then
    on_cancel: EndAction = "stop"  # what happens to it when the call is cancelled
    ledger_entry: "LedgerEntry | None" = None  # the row of a ledger that records it

    @property
    def may_exist(self) -> bool:
        """Whether one of its requests may have created the task."""
        return self.state is not SubmissionState.UNSENT or self.lost_at is not None

    def record_trace(self, traceparent: str | None) -> None:
        """Say in the metadata which trace it belongs to, if there is room for another pair."""
        given = self.request.metadata
        metadata = given if isinstance(given, Mapping) else {}
        if traceparent is not None and len(metadata) < MAX_METADATA_PAIRS:
            self.request = attrs.evolve(self.request, metadata={**metadata, TRACE_KEY: traceparent})

    def not_created(self) -> None:
        """Note that nothing was created, and that nothing is on the wire."""
        self.state = SubmissionState.UNSENT
        # Else an earlier request may have created the task, and its age counts from there.
        if self.lost_at is None:
            self.sent_at = None
        if self.ledger_entry is not None:
            self.ledger_entry.not_created()


@attrs.frozen(eq=False, repr=False)
class TaskCreator:
    """Creates tasks, paying once."""

    transport: Transport
    reconciler: Reconciler
    get_task: Callable[[str], Awaitable[Task]]
    ages: SubmissionAges
    # Called with each task that was created or found, and its request
    observers: list[Callable[[str, RunTaskRequest], None]] = attrs.field(factory=list, init=False)

    def prepare(
        self,
        request: RunTaskRequest,
        on_ambiguous: OnAmbiguous,
        settle_window: float,
        token: SubmissionToken | None = None,
    ) -> Submission:
        """Check the options and mark the request, before anything is sent."""
        if on_ambiguous not in {"reconcile", "resubmit", "raise"}:
            raise InvalidRequestError(
                f"on_ambiguous must be 'reconcile', 'resubmit' or 'raise', not {on_ambiguous!r}",
                field="on_ambiguous",
            )
        if not is_seconds(settle_window) or settle_window >= MAX_WINDOW:
            raise InvalidRequestError(
                "settle_window must be a number of seconds of 0 or more", field="settle_window"
            )
        metadata = request.metadata if isinstance(request.metadata, Mapping) else {}
        reserved = next((each for each in RESERVED_KEYS if each in metadata), None)
        if reserved is not None:
            raise InvalidRequestError(
                f"metadata: {reserved!r} is reserved for finding the task and its trace again; "
                "use another name",
                field="metadata",
            )
        if len(metadata) >= MAX_METADATA_PAIRS:
            # All pairs are the user's own: no mark fits, so a lost answer cannot be made good.
            return Submission(request, None, "raise", self.transport.timelines.new())
        is_new = token is None
        if token is None:
            token = self.ages.new_token(request.task, settle_window)
        marked = attrs.evolve(request, metadata={**metadata, TOKEN_KEY: token.mark})
        recorder = self.transport.timelines.new()
        return Submission(marked, token, on_ambiguous, recorder, is_new=is_new)

    async def create(self, submission: Submission) -> str:
        """Create the task and give its id."""
        paid_calls = self.transport.paid_calls
        if paid_calls is None:
            return await self._traced(submission)
        return await paid_calls.create(submission, self._traced)

    async def _traced(self, submission: Submission) -> str:
        telemetry = self.transport.telemetry
        if telemetry is None:
            return await self._create(submission)
        with telemetry.submission() as submitting:
            submission.record_trace(submitting.traceparent)
            task_id = await self._create(submission)
            submitting.record_task(task_id, submission.request)
        return task_id

    async def _create(self, submission: Submission) -> str:
        token = submission.token
        # Bounded: a service that loses every answer is not paid for ever.
        for time in range(self.transport.retry.max_attempts):
            if time:
                await self._pay_again(submission)
            created = await self._send(submission)
            if created is not None:
                self._discard(submission)
                return self._announced(created, submission)
            if token is None or submission.on_ambiguous == "raise":
                break
            found = await self._reconcile(submission, token)
            if found is not None:
                return self._announced(found, submission)
            if submission.on_ambiguous == "reconcile" or submission.abandoned:
                break
        raise self.unknown(submission)

    async def _pay_again(self, submission: Submission) -> None:
        """Reserve for one more request: what was sent before may yet be carried out."""
        if submission.pay_again is None:
            return
        try:
            await submission.pay_again()
        except BudgetExceededError as error:
            # Decimals and prices are for programs with budgets only.
            from browser_use_async.prices import format_cents  # noqa: PLC0415

            left = error.limit - error.spent - error.reserved
            remaining = format_cents(left) if left > 0 else "nothing"
            raise self.unknown(
                submission,
                f"; it was not sent again, since a second task may cost up to "
                f"{format_cents(error.needed)}, and of the budget of {format_cents(error.limit)} "
                f"{remaining} remains",
            ) from None

    def _announced(self, task_id: str, submission: Submission) -> str:
        for observe in self.observers:
            observe(task_id, submission.request)
        return task_id

    async def _send(self, submission: Submission) -> str | None:
        """Send run-task, again where that is safe, and give the id or None for a lost answer."""
        transport, retry, entry = self.transport, self.transport.retry, submission.ledger_entry
        prepared = prepare(table.RUN_TASK, None, submission.request)
        prepared.before_sending = None if entry is None else entry.before_send
        prepared.on_sent = partial(self._record_sent, submission)
        # This repeats it, as often as the session repeats calls.
        prepared.attempts, prepared.most_attempts = submission.attempts, retry.max_attempts
        prepared.recorder = recorder = submission.recorder
        attempt = partial(self._attempt, submission, prepared)
        emit = partial(transport.report_retry, recorder, prepared)
        effect, ends_at = table.RUN_TASK.effect, submission.ends_at
        retrying = Retrying(retry, effect, transport.rng, emit, ends_at=ends_at)
        outcome, _attempts = await retrying.go_on(await attempt(), attempt)
        if outcome.kind is OutcomeKind.ACCEPTED:
            task_id: str = outcome.value.id
            return task_id
        if submission.state is SubmissionState.UNSENT and submission.failure is not None:
            # A batch goes on by the kind of refusal, and its ledger says what may exist.
            if submission.lost_at is not None and entry is None:
                raise self.unknown(submission) from submission.failure
            # Provably nothing was created, so there is nothing to search for.
            raise submission.failure
        return None

    def _record_sent(self, submission: Submission) -> None:
        submission.state = SubmissionState.SENDING
        submission.last_sent_at = asyncio.get_running_loop().time()
        if submission.sent_at is None:
            submission.sent_at = submission.last_sent_at
        text = f"{table.RUN_TASK}, attempt {submission.attempts}"
        request = submission.request
        stake = price_terms(request.max_agent_steps, request.llm_model)
        submission.recorder.record(TimelineKind.SENT, text, stake)
        # A token from a ledger was sent by an earlier process, at a time that only the token tells.
        if submission.token is not None and submission.is_new:
            self.ages.record_sent(submission.token.mark)

    async def _attempt(self, submission: Submission, prepared: PreparedRequest) -> Outcome:
        """Send once, and keep track of what may exist."""
        try:
            outcome = await self._outcome_with_slot(submission, prepared)
        except BrowserUseError:
            raise
        except Exception as error:  # of a middleware or a trace of the caller
            self._add_token(error, submission, "run-task was under way")
            raise
        # Before the state is set: the answer of another call must not count as created.
        if outcome.kind is OutcomeKind.ACCEPTED:
            outcome = await self._with_claim(submission, outcome)
        if outcome.kind is OutcomeKind.ACCEPTED:
            submission.state, submission.failure = SubmissionState.CREATED, None
            # Else the task of a second attempt seems old, and a 404 about it is believed at once.
            submission.sent_at = submission.last_sent_at
            text = f"{prepared.endpoint}: task {outcome.value.id}"
            submission.recorder.record(TimelineKind.ANSWERED, text)
            self.transport.timelines.put(outcome.value.id, submission.recorder)
            return outcome
        # Kept, since the deadline may come before the next attempt: then this is the reason.
        submission.failure = self.transport.error_of(prepared, outcome, submission.attempts)
        if outcome.kind is OutcomeKind.AMBIGUOUS:
            lost_at = asyncio.get_running_loop().time()
            submission.state, submission.lost_at = SubmissionState.UNKNOWN, lost_at
            return outcome
        self._record_refusal(submission)
        if submission.abandoned:
            raise submission.failure  # rather than pause and send once more
        return outcome

    async def _with_claim(self, submission: Submission, outcome: Outcome) -> Outcome:
        """The outcome, which is ambiguous if the answer names the task of another submission."""
        task_id: str = outcome.value.id
        token, entry = submission.token, submission.ledger_entry
        if self.reconciler.claim(task_id, None if token is None else token.mark):
            # A ledger knows tasks of earlier runs, which this session has never seen.
            if entry is None or await entry.claim_task(task_id):
                return outcome
            self.reconciler.forget(task_id)
        submission.is_replayed = True
        problem = (
            f"it names task {task_id}, which belongs to another submission: a proxy answered with "
            "what it kept, or a mock gives all tasks the same id"
        )
        submission.recorder.record(TimelineKind.FAILED, f"POST /run-task: {problem}")
        return Outcome(
            OutcomeKind.AMBIGUOUS,
            reply=outcome.reply,
            problem=problem,
            path="$.id",
            recorder=submission.recorder,
        )

    async def _outcome_with_slot(
        self, submission: Submission, prepared: PreparedRequest
    ) -> Outcome:
        """Send, again and again while the service says that too many tasks run at once."""
        transport = self.transport
        loop = asyncio.get_running_loop()
        ends_at = min(loop.time() + transport.limits.slot_wait, submission.ends_at)
        # One number for all attempts, so that a refused submission keeps its place in the queue.
        prepared.arrived, waited = transport.limiter().next_number(), False
        while True:
            submission.attempts += 1
            outcome, _one = await transport.outcome_of(prepared, _ONCE)
            refused = outcome.reply is not None and says_no_free_slot(outcome.reply)
            if not refused or submission.abandoned or loop.time() >= ends_at:
                return outcome
            self._record_refusal(submission)
            submission.failure = transport.error_of(prepared, outcome, submission.attempts)
            submission.recorder.record(TimelineKind.WAITED, "for a free agent slot")
            if not waited:
                transport.emit(SlotAwaited(ends_at - loop.time()))
            waited = True

    def _add_token(self, error: Exception, submission: Submission, moment: str) -> None:
        """Let an error that is not ours say which task may exist."""
        if submission.may_exist and submission.token is not None:
            error.add_note(
                f"raised while {moment}: a paid task may exist, which "
                f"session.resolve_submission({self.token_text(submission)!r}) finds"
            )

    def _record_refusal(self, submission: Submission) -> None:
        submission.not_created()
        if submission.lost_at is None:  # nor did an earlier attempt create anything
            self._discard(submission)

    def _discard(self, submission: Submission) -> None:
        if submission.token is not None:
            self.ages.discard(submission.token.mark)

    async def _reconcile(self, submission: Submission, token: SubmissionToken) -> str | None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        window = token.settle_window
        # The server answered, so it is no slow one; a batch has time, and `resubmit` needs the
        # whole window before it may send again.
        if submission.is_replayed and submission.on_ambiguous == "reconcile":
            window = window if submission.ledger_entry else min(window, _REPLAY_SECONDS)
        try:
            task_id = await self.reconciler.find(token, window, submission.recorder)
        except BrowserUseError:
            # The search was not possible, so sending again would be a guess.
            raise self.unknown(submission) from None
        except Exception as error:  # of a middleware or a trace of the caller
            self._add_token(error, submission, "the task of a lost answer was looked for")
            raise
        seconds = loop.time() - started
        if task_id is None:
            text = f"a task with the mark of this submission, in {seconds:.1f} s"
            submission.recorder.record(TimelineKind.NOT_FOUND, text)
        else:
            submission.recorder.record(TimelineKind.ADOPTED, f"task {task_id}")
            self.transport.timelines.put(task_id, submission.recorder)
            self.transport.emit(SubmissionAdopted(task_id, seconds))
        return task_id

    async def resolve_submission(self, submission_token: str) -> Task | None:
        """Find the task of a token, in another process too."""
        token = SubmissionToken.parse(submission_token)
        recorder = self.transport.timelines.new()
        task_id = await self.reconciler.find_in_window(token, recorder)
        self.record_found(token, task_id)
        return None if task_id is None else await self.get_task(task_id)

    async def look_for(self, token: SubmissionToken) -> str | None:
        """The id of a token's task, if the list has it now."""
        return await self.reconciler.find(token, 0.0, self.transport.timelines.new())

    def record_found(self, token: SubmissionToken, task_id: str | None) -> None:
        """Tell the budgets what a search has found of a submission whose answer was lost."""
        if self.transport.paid_calls is not None:
            self.transport.paid_calls.record_found(token.mark, task_id)

    def unknown(self, submission: Submission, unsent: str = "") -> SubmissionUnknownError:
        """The error of a submission whose fate is not known; `unsent` says why it was not repeated.

        It continues the sentence.
        """
        sending = submission.state is SubmissionState.SENDING or submission.failure is None
        what = "run-task was still under way" if sending else str(submission.failure)
        if submission.state is SubmissionState.UNSENT:
            what = f"an answer to run-task was lost, and sent again it was refused: {what}"
        advice = (
            "all ten metadata pairs are your own, so the task carries no token: compare "
            "session.iterate_all_tasks() with what you know before creating it again"
            if submission.token is None
            else "await error.resolve() tells; creating it again before that may pay twice"
        )
        error = SubmissionUnknownError(
            f"a paid task may or may not have been created: {what}{unsent}; {advice}",
            submission_token=self.token_text(submission),
            resolver=self,
        )
        error.timeline = submission.recorder.timeline()
        return error

    def token_text(self, submission: Submission) -> str:
        """The token for another process, whose window counts from when the answer was lost."""
        token, lost_at = submission.token, submission.lost_at
        if token is None:
            return ""
        if submission.state is SubmissionState.SENDING or lost_at is None:
            # It will be given up by then at the latest.
            lost_at = asyncio.get_running_loop().time() + self.transport.configuration.timeout
        return str(self.ages.for_other_process(token, lost_at))
