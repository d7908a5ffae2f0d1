"""Notifies observers of the attempts of a call."""

from browser_use_async.events import RetryScheduled
from browser_use_async.observers import AttemptBegan, AttemptEnded, CallTroubled, Observers, Subject
from browser_use_async.transport.request import PreparedRequest
from browser_use_async.transport.response import Outcome, OutcomeKind


def report_began(observers: Observers, prepared: PreparedRequest, number: int) -> AttemptBegan:
    """Report that the request with this number is about to be sent."""
    began = AttemptBegan(
        prepared.endpoint, prepared.task_id, number, prepared.attempts, prepared.most_attempts
    )
    observers.notify(began, prepared.about)
    return began


def report_ended(
    observers: Observers,
    prepared: PreparedRequest,
    began: AttemptBegan,
    outcome: Outcome | None,
    seconds: float,
    error: BaseException | None = None,
) -> None:
    """Report that it has ended, with an outcome or an error."""
    reply = None if outcome is None else outcome.reply
    ended = AttemptEnded(
        began,
        None if reply is None else reply.status,
        None if outcome is None else outcome.problem,
        None if reply is None else reply.headers.get("X-Request-ID"),
        error,
        seconds,
    )
    observers.notify(ended, prepared.about)


def report_trouble(
    observers: Observers, prepared: PreparedRequest, outcome: Outcome, *, awaits_slot: bool = False
) -> None:
    """Report the end of an attempt, if at least one attempt of the call has failed."""
    # Created only now: nearly all calls succeed at once, and need no subject.
    prepared.about = prepared.about if prepared.about is not None else Subject()
    problem = "" if outcome.kind is OutcomeKind.ACCEPTED else outcome.problem
    is_sent = outcome.kind is not OutcomeKind.NOT_SENT
    observers.notify(CallTroubled(prepared.endpoint, problem, is_sent, awaits_slot), prepared.about)


def report_retry(
    observers: Observers,
    prepared: PreparedRequest,
    outcome: Outcome,
    failures: int,
    pause: float,
) -> None:
    """Report that the call is repeated after a pause."""
    name, task_id = prepared.endpoint.name, prepared.task_id
    event = RetryScheduled(name, task_id, failures, pause, outcome.problem)
    observers.notify(event, prepared.about)
