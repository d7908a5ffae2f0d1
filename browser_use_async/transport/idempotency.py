"""Whether a call may be sent again, and whether one that failed had its effect. Pure.

A status call shows whether a task reached the state that a call asked for. A stop of a task that
has ended has nothing left to do, and neither has a delete of what an earlier attempt deleted.
"""

import re

from browser_use_async.api.endpoint_table import (
    PAUSE_TASK,
    RESUME_TASK,
    STOP_TASK,
    Effect,
    Endpoint,
)
from browser_use_async.transport.response import TRANSIENT_STATUSES, Outcome, OutcomeKind
from browser_use_async.types import TaskStatus

_ALREADY = frozenset({400, 409})  # statuses with which a stop of a stopped task is rejected

# Two wordings were seen of the service, "Agent session already stopped" and "... already ended";
# our own server names the status.
_HAS_ENDED = re.compile(
    rb"(?<!not )\balready (?:been )?"
    rb"(?:stopped|ended|finished|completed|failed|cancell?ed|terminated)\b",
    re.IGNORECASE,
)
_MAX_SEARCHED = 4096  # bytes


def may_try_again(effect: Effect, outcome: Outcome) -> bool:
    """Whether the same call may be sent once more without a risk of paying twice."""
    match outcome.kind:
        case OutcomeKind.ACCEPTED:
            return False
        case OutcomeKind.NOT_SENT:
            return outcome.transient
        # Refused before anything was done, so that a paying call may be sent again as well.
        case _ if outcome.status == 429:
            return True
        case _ if effect not in {Effect.READS, Effect.IDEMPOTENT}:
            return False
        case _:
            # `X-Should-Retry` counts for these calls only: for others it could cost money.
            if (hint := _retry_hint(outcome)) is not None:
                return hint
            good = outcome.status is None or 200 <= outcome.status < 300
            return good or outcome.status in TRANSIENT_STATUSES


def _retry_hint(outcome: Outcome) -> bool | None:
    """What the server says about repeating a call that it did not accept."""
    if outcome.reply is None or 200 <= outcome.reply.status < 300:
        return None
    said = outcome.reply.headers.get("X-Should-Retry", "").strip().lower()
    return {"true": True, "false": False}.get(said)


def is_deleted(endpoint: Endpoint, outcome: Outcome) -> bool:
    """Whether a delete was answered with 404 because an earlier attempt deleted the resource."""
    return endpoint.method == "DELETE" and outcome.doubted and outcome.status == 404


def is_stopped(endpoint: Endpoint, outcome: Outcome) -> bool:
    """Whether a stop was rejected with a text that says that the task has ended."""
    return (
        endpoint is STOP_TASK
        and outcome.reply is not None
        and outcome.status in _ALREADY
        and _HAS_ENDED.search(outcome.reply.body[:_MAX_SEARCHED]) is not None
    )


def may_be_reached(endpoint: Endpoint, outcome: Outcome) -> bool:
    """Whether the status of the task can show that the call had its effect."""
    if endpoint is STOP_TASK:
        return _is_doubtful(outcome) or outcome.status in _ALREADY
    return endpoint.effect is Effect.SWITCHES and _is_doubtful(outcome)


def is_reached(endpoint: Endpoint, outcome: Outcome, status: TaskStatus) -> bool:
    """Whether the task is in the state that the call asked for."""
    if endpoint is STOP_TASK:
        return status.is_terminal
    if endpoint is PAUSE_TASK:
        return status is TaskStatus.PAUSED
    assert endpoint is RESUME_TASK
    return status.is_known and status is not TaskStatus.PAUSED and not status.is_terminal


def _is_doubtful(outcome: Outcome) -> bool:
    return outcome.doubted or outcome.kind is OutcomeKind.AMBIGUOUS
