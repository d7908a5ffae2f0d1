"""Whether a call that ended badly did what it was for after all. Pure.

Calls that bring a task into a state can be verified by a status call, a stop of a task that has
ended has nothing left to do, and deleting what is gone already was done by the attempt before.
"""

import re

from browser_use_async.api.endpoint_table import (
    PAUSE_TASK,
    RESUME_TASK,
    STOP_TASK,
    Effect,
    Endpoint,
)
from browser_use_async.transport.response import Outcome, OutcomeKind
from browser_use_async.types import TaskStatus

__all__ = ["is_deleted", "is_reached", "is_stopped", "may_be_reached"]

_ALREADY = frozenset({400, 409})  # with these a service says that a task is stopped already

# Two wordings were seen of the service, "Agent session already stopped" and "... already ended";
# our own server names the status.
_HAS_ENDED = re.compile(
    rb"(?<!not )\balready (?:been )?"
    rb"(?:stopped|ended|finished|completed|failed|cancell?ed|terminated)\b",
    re.IGNORECASE,
)
_MAX_SEARCHED = 4096  # bytes


def is_deleted(endpoint: Endpoint, outcome: Outcome) -> bool:
    """Whether a delete that finds nothing has deleted it, in the attempt before."""
    return endpoint.method == "DELETE" and outcome.doubted and outcome.status == 404


def is_stopped(endpoint: Endpoint, outcome: Outcome) -> bool:
    """Whether a stop was refused in words that say that the task has ended."""
    return (
        endpoint is STOP_TASK
        and outcome.reply is not None
        and outcome.status in _ALREADY
        and _HAS_ENDED.search(outcome.reply.body[:_MAX_SEARCHED]) is not None
    )


def may_be_reached(endpoint: Endpoint, outcome: Outcome) -> bool:
    """Whether looking at the task may show that the call did what it was for."""
    if endpoint is STOP_TASK:
        return _is_doubtful(outcome) or outcome.status in _ALREADY
    return endpoint.effect is Effect.SWITCHES and _is_doubtful(outcome)


def is_reached(endpoint: Endpoint, outcome: Outcome, status: TaskStatus) -> bool:
    """Whether the task is where the call was to bring it."""
    if endpoint is STOP_TASK:
        return status.is_terminal
    if endpoint is PAUSE_TASK:
        return status is TaskStatus.PAUSED
    assert endpoint is RESUME_TASK
    return status.is_known and status is not TaskStatus.PAUSED and not status.is_terminal


def _is_doubtful(outcome: Outcome) -> bool:
    return outcome.doubted or outcome.kind is OutcomeKind.AMBIGUOUS
