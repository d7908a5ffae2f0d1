"""One task for one submission, even when the answer to run-task is lost.

The states of a submission, and what follows from each, stand in `reconcile`.
"""

import asyncio
import math
import uuid
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum, auto
from functools import partial
from typing import Any, Literal

import attrs

from browser_use_async import errors
from browser_use_async.api import endpoint_table as table
from browser_use_async.api.limits import MAX_METADATA_PAIRS
from browser_use_async.api.submission_key import check_key, mark_of_key
from browser_use_async.api.submission_token import (
    BATCH_KEY,
    RESERVED_KEYS,
    TOKEN_KEY,
    SubmissionToken,
)
from browser_use_async.events import SubmissionAdopted
from browser_use_async.lifecycle.reconcile import (
    FIRST_PAUSE,
    KEY_WINDOW,
    LONGEST_PAUSE,
    REPLAY_WINDOW,
    Reconciler,
)
from browser_use_async.lifecycle.submission_age import SubmissionAges
from browser_use_async.observing.observers import (
    CreationEnded,
    CreationSent,
    ErrorMade,
    SearchEnded,
)
from browser_use_async.transport.client import Transport
from browser_use_async.transport.request import PreparedRequest, Submitting, prepare
from browser_use_async.transport.response import Outcome, OutcomeKind
from browser_use_async.transport.service import is_replayed
from browser_use_async.types import RunTaskRequest, Task

EndAction = Literal["leave", "stop", "pause"]


class Journal:
    """Records a submission before it is sent; a ledger is one. See subclasses."""

    async def before_send(self) -> None:
        """Record that run-task is about to be sent; returns once that is stored."""

    def not_created(self) -> None:
        """Record that the last request has created nothing."""

    async def claim_task(self, _task_id: str, *, joined: bool) -> bool:
        """Record the task; False if it is known as another submission's."""
        return True


class SubmissionState(Enum):
    """How far a submission has come: see the table in `reconcile`."""

    UNSENT = auto()
    SENDING = auto()
    UNKNOWN = auto()
    CREATED = auto()


@attrs.define(eq=False, repr=False)
class Submission:
    """One request that becomes at most one task."""

    request: RunTaskRequest
    token: SubmissionToken | None  # None: there is no room for a mark
    key: str  # the submission key that is sent
    has_own_key: bool = False  # whether the key is the caller's
    is_new: bool = True  # whether no earlier process has sent it
    state: SubmissionState = SubmissionState.UNSENT  # how far it has come
    attempts: int = 0  # how many requests were sent
    failure: errors.BrowserUseError | None = None  # of the last one, if it created no task
    sent_at: float | None = None  # the loop time of the first one that may have created the task
    last_sent_at: float | None = None  # the loop time of the newest one
    lost_at: float | None = None  # the loop time at which the last answer was lost
    is_mixed_up: bool = False  # whether an answer named the task of another submission
    is_joined: bool = False  # whether an earlier submission with the same key has the task
    # Whether a batch may yet send it again; then the batch looks for the task of a lost answer.
    may_resend: bool = False
    creation: "asyncio.Task[Any] | None" = None  # what sends it, if not the caller
    abandoned: bool = False  # whether the caller has stopped waiting, so that nothing more is sent
    ends_at: float = math.inf  # the loop time after which the task would not be used
    on_timeout: EndAction = "leave"  # what happens to the task then
    on_cancel: EndAction = "stop"  # what happens to it when the call is cancelled
    ledger_entry: Journal | None = None  # the row of a ledger that records it

    @property
    def has_created(self) -> bool:
        """Whether its one answer says that its task is new."""
        return self.state is SubmissionState.CREATED and self.lost_at is None and not self.is_joined

    @property
    def may_exist(self) -> bool:
        """Whether one of its requests may have created the task."""
        return self.state is not SubmissionState.UNSENT or self.lost_at is not None

    def not_created(self) -> None:
        """Record that nothing was created, and that no request is under way."""
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

    def prepare(
        self,
        request: RunTaskRequest,
        token: SubmissionToken | None = None,
        *,
        key: str | None = None,
        batch: str | None = None,
    ) -> Submission:
        """Check the key and mark the request, before anything is sent.

        Args:
            request: The request.
            token: That of an earlier run; None creates one.
            key: The caller's own key.
            batch: By which name the pages of a server show the task together with others.
        """
        if key is not None:
            check_key(key)
        is_new = token is None
        metadata = request.metadata if isinstance(request.metadata, Mapping) else {}
        reserved = next((each for each in RESERVED_KEYS if each in metadata), None)
        if reserved is not None:
            raise errors.InvalidRequestError(
                f"metadata: {reserved!r} is reserved for finding the task and its trace again; "
                "use another name",
                field="metadata",
            )
        if len(metadata) >= MAX_METADATA_PAIRS:
            # All pairs are the user's own, so there is no room for a mark: after a lost answer only
            # a service that keeps keys can return the task.
            token, marked = None, request
            mark = uuid.uuid4().hex
        else:
            if token is None:
                token = self.ages.new_token(request.task, self.reconciler.settle_window)
                if key is not None:
                    token = attrs.evolve(token, mark=mark_of_key(key))
            mark = token.mark
            pairs = {**metadata, TOKEN_KEY: mark}
            if batch is not None and len(pairs) < MAX_METADATA_PAIRS:
                pairs[BATCH_KEY] = batch
            marked = attrs.evolve(request, metadata=pairs)
        return Submission(
            marked,
            token,
            mark if key is None else key,
            has_own_key=key is not None,
            is_new=is_new,
            # With a key others may wait for the task, and the caller can find it again.
            on_cancel="stop" if key is None else "leave",
        )

    async def create(self, submission: Submission) -> str:
        """Create the task and return its id."""
        observers = self.transport.observers
        try:
            submission.request = await observers.admit(
                table.RUN_TASK, submission.request, submission
            )
            task_id = await self._create(submission)
        except BaseException as error:
            ended = CreationEnded(is_created=False, may_exist=submission.may_exist, error=error)
            observers.notify(ended, submission)
            raise
        joined, request = submission.is_joined, submission.request
        ended = CreationEnded(True, task_id=task_id, is_joined=joined, request=request)
        observers.notify(ended, submission)
        return task_id

    async def _create(self, submission: Submission) -> str:
        if submission.has_own_key and not self.transport.keys.are_kept:
            earlier = await self._find_earlier(submission)
            if earlier is not None:
                return earlier
        created = await self._send(submission)
        if created is None and submission.token is not None and not submission.may_resend:
            created = await self._settle(submission)
        if created is None:
            raise self.unknown(submission)
        self._discard(submission)
        return created

    async def _find_earlier(self, submission: Submission) -> str | None:
        """The task of an earlier submission with the same key, if the list shows it.

        None as well if the service turns out to keep keys: then run-task itself returns it.
        """
        token, key = submission.token, submission.key
        if token is None:
            await self.transport.learn_keys()
            if self.transport.keys.are_kept:
                return None
            raise errors.InvalidRequestError(
                "metadata: the service keeps no submission keys, so that a key needs one of the "
                f"{MAX_METADATA_PAIRS} pairs, to find the task again; give up to "
                f"{MAX_METADATA_PAIRS - 1}; nothing was created",
                field="metadata",
            )
        task_id = await self.reconciler.find(token, 0.0, submission, key=key, reach=KEY_WINDOW)
        if task_id is None:
            return None
        task = await self.get_task(task_id)
        if task.task != submission.request.task:
            conflict = errors.SubmissionKeyConflictError.of(key, task_id, ("task",))
            self.transport.observers.notify(ErrorMade(conflict), submission)
            raise conflict
        submission.state, submission.is_joined = SubmissionState.CREATED, True
        return task_id

    async def _settle(self, submission: Submission) -> str | None:
        """The task of a lost answer, by its key if the service keeps keys, else from the list."""
        keys = self.transport.keys
        if not keys.are_kept or submission.abandoned:
            found = await self._reconcile(submission)
            if found is not None or not keys.are_kept or submission.abandoned:
                return found
        return await self._repeat(submission)

    async def _repeat(self, submission: Submission) -> str | None:
        """Send the same request with the same key until it is answered, for the settle window.

        Where no answer comes, the list may show the task.
        """
        token, loop = submission.token, asyncio.get_running_loop()
        assert token is not None
        ends_at, pause = min(loop.time() + token.settle_window, submission.ends_at), FIRST_PAUSE
        while self.transport.keys.are_kept and not submission.abandoned:
            created = await self._send(submission) or await self._look(submission)
            if created is not None or loop.time() + pause > ends_at:
                return created
            await self.transport.connections.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return None

    async def _look(self, submission: Submission) -> str | None:
        """The task of a lost answer, if the list shows it now."""
        assert submission.token is not None
        assert submission.lost_at is not None
        try:
            task_id = await self.reconciler.find(submission.token, 0.0, submission)
        except errors.BrowserUseError:
            return None  # the next request shows it
        if task_id is not None:
            seconds = asyncio.get_running_loop().time() - submission.lost_at
            self.transport.observers.notify(SubmissionAdopted(task_id, seconds), submission)
        return task_id

    async def _send(self, submission: Submission) -> str | None:
        """Send run-task, repeated where that is safe; returns the id, or None for a lost answer."""
        entry = submission.ledger_entry
        prepared = prepare(table.RUN_TASK, None, submission.request, submission.key)
        prepared.about, prepared.attempts = submission, submission.attempts
        prepared.is_doubted = submission.lost_at is not None
        prepared.submitting = Submitting(
            submission.ends_at,
            None if entry is None else entry.before_send,
            partial(self._record_sent, submission, prepared),
            partial(self._claim, submission),
            partial(self._record_failure, submission, prepared),
        )
        try:
            outcome = await self.transport.perform(prepared)
        except errors.BrowserUseError:
            raise
        except Exception as error:  # of a middleware or a trace of the caller
            self._add_token(error, submission, "run-task was under way")
            raise
        finally:
            submission.attempts = prepared.attempts
            prepared.submitting = None  # breaks a reference cycle
        if outcome.kind is OutcomeKind.ACCEPTED:
            task_id: str = outcome.value.id
            return task_id
        failure = submission.failure
        if submission.state is SubmissionState.UNSENT and failure is not None:
            # The key belongs to another request, so no request of this submission was carried out.
            if isinstance(failure, errors.SubmissionKeyConflictError):
                submission.lost_at = submission.sent_at = None
                raise failure
            is_passing = outcome.kind is OutcomeKind.NOT_SENT and outcome.transient
            if submission.lost_at is not None and self.transport.keys.are_kept and is_passing:
                return None
            # A batch decides by the kind of refusal, and its ledger says what may exist.
            if submission.lost_at is not None and entry is None:
                raise self.unknown(submission) from failure
            # Nothing can have been created, so there is nothing to search for.
            raise failure
        return None

    def _record_sent(self, submission: Submission, prepared: PreparedRequest) -> None:
        submission.state = SubmissionState.SENDING
        submission.last_sent_at = asyncio.get_running_loop().time()
        if submission.sent_at is None:
            submission.sent_at = submission.last_sent_at
        sent = CreationSent(prepared.endpoint, prepared.attempts)
        self.transport.observers.notify(sent, submission)
        # A token from a ledger was sent by an earlier process, at the time in the token.
        if submission.token is not None and submission.is_new:
            self.ages.record_sent(submission.token.mark)

    async def _claim(self, submission: Submission, outcome: Outcome) -> Outcome:
        """The outcome, which is ambiguous if the answer names the task of another submission."""
        task_id: str = outcome.value.id
        token, entry = submission.token, submission.ledger_entry
        # The task that its key names is its own, even if this session knows it by the mark of
        # another ledger.
        is_replay = self.transport.keys.are_kept and is_replayed(outcome.reply)
        if is_replay or self.reconciler.claim(task_id, None if token is None else token.mark):
            # A ledger knows tasks of earlier runs, which this session has never seen.
            joined = is_replay and submission.lost_at is None
            if entry is None or await entry.claim_task(task_id, joined=joined):
                submission.state, submission.failure = SubmissionState.CREATED, None
                self._record_answer(submission, task_id, is_replay)
                return outcome
            self.reconciler.forget(task_id)
        submission.is_mixed_up = True
        problem = (
            f"it names task {task_id}, which was created by another call: a proxy answered from "
            "its cache, or a mock gives all tasks the same id"
        )
        return Outcome(OutcomeKind.AMBIGUOUS, reply=outcome.reply, problem=problem, path="$.id")

    def _record_answer(self, submission: Submission, task_id: str, is_replay: bool) -> None:
        if not is_replay:
            # Else the task of a second attempt would seem old, and a 404 would be final at once.
            submission.sent_at = submission.last_sent_at
            return
        if submission.token is None or submission.key != submission.token.mark:
            # Others may have the key, too, so the task may have ended before this call.
            submission.sent_at = None
        if submission.lost_at is None:
            submission.is_joined = True
        else:
            seconds = asyncio.get_running_loop().time() - submission.lost_at
            self.transport.observers.notify(SubmissionAdopted(task_id, seconds), submission)

    def _record_failure(
        self, submission: Submission, prepared: PreparedRequest, outcome: Outcome
    ) -> None:
        """Record what may exist after a failed attempt."""
        # Kept as the reason, since the deadline may come before the next attempt.
        submission.failure = self.transport.error_of(prepared, outcome)
        if outcome.kind is OutcomeKind.AMBIGUOUS:
            lost_at = asyncio.get_running_loop().time()
            submission.state, submission.lost_at = SubmissionState.UNKNOWN, lost_at
            return
        submission.not_created()
        if submission.lost_at is None:  # nor did an earlier attempt create anything
            self._discard(submission)
        if submission.abandoned:
            raise submission.failure  # no pause and repetition

    def _add_token(self, error: Exception, submission: Submission, moment: str) -> None:
        """Add the submission token to an exception of the caller's code."""
        if submission.may_exist and submission.token is not None:
            error.add_note(
                f"raised while {moment}: a paid task may exist, which "
                f"`browser-use-async watch {self.token_text(submission)}` finds"
            )

    def _discard(self, submission: Submission) -> None:
        if submission.token is not None:
            self.ages.discard(submission.token.mark)

    async def _reconcile(self, submission: Submission) -> str | None:
        token = submission.token
        assert token is not None
        loop = asyncio.get_running_loop()
        started = loop.time()
        window = token.settle_window
        if submission.is_mixed_up:
            window = min(window, REPLAY_WINDOW)
        try:
            # One that is given up is not sent again, so that only the list can show its task.
            key = None if submission.abandoned else submission.key
            task_id = await self.reconciler.find(token, window, submission, key=key)
        except errors.BrowserUseError:
            # The search was not possible, so sending again would be a guess.
            raise self.unknown(submission) from None
        except Exception as error:  # of a middleware or a trace of the caller
            self._add_token(error, submission, "the task of a lost answer was looked for")
            raise
        seconds = loop.time() - started
        observers = self.transport.observers
        if task_id is None and self.transport.keys.are_kept and not submission.abandoned:
            return None  # the search goes on: a request with the key finds it
        observers.notify(SearchEnded(token.mark, task_id, seconds), submission)
        if task_id is not None:
            observers.notify(SubmissionAdopted(task_id, seconds), submission)
        return task_id

    async def resolve(self, submission_token: str) -> Task | None:
        """Find the task of a token, in another process too."""
        self.transport.bind()
        token = SubmissionToken.parse(submission_token)
        task_id = await self.reconciler.find_in_window(token)
        self.record_found(token, task_id)
        return None if task_id is None else await self.get_task(task_id)

    def record_found(self, token: SubmissionToken, task_id: str | None) -> None:
        """Report the result of a search for a submission whose answer was lost."""
        self.transport.observers.notify(SearchEnded(token.mark, task_id))

    def unknown(
        self, submission: Submission, advice: str | None = None
    ) -> errors.SubmissionUnknownError:
        """The error of a submission with an unknown result, and what to do about it."""
        sending = submission.state is SubmissionState.SENDING or submission.failure is None
        what = "run-task was still under way" if sending else str(submission.failure)
        if submission.state is SubmissionState.UNSENT:
            what = f"an answer to run-task was lost, and its repetition was refused: {what}"
        advice = advice or (
            "all ten metadata pairs are your own, so the SDK cannot find the task: look for it "
            "with session.iterate_all_tasks() before you create it again"
            if submission.token is None
            else "await error.resolve() finds out; to create it again before that may pay twice"
        )
        error = errors.SubmissionUnknownError(
            f"a paid task may or may not have been created: {what}; {advice}",
            submission_token=self.token_text(submission),
            resolver=self,
        )
        self.transport.observers.notify(ErrorMade(error), submission)
        return error

    def token_text(self, submission: Submission) -> str:
        """The token for another process; its window begins when the answer was lost."""
        token, lost_at = submission.token, submission.lost_at
        if token is None:
            return ""
        if submission.state is SubmissionState.SENDING or lost_at is None:
            # The attempt times out by then at the latest.
            lost_at = asyncio.get_running_loop().time() + self.transport.configuration.timeout
        return str(self.ages.for_other_process(token, lost_at))
