"""The answers to errors: the only map from errors to statuses and bodies.

Problems of the inputs are worded as FastAPI words them, which the service was made with.
"""

import json
from collections.abc import Mapping
from typing import Any

from browser_use_async.api.validation import MAX_PROBLEMS, Problem
from browser_use_async.server import errors
from browser_use_async.server.storage.progress import TaskEvent, TransitionRefusedError
from browser_use_async.types import TaskStatus

# The most characters of a given value that an answer repeats.
_LONGEST_INPUT = 1000
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

# The first class of which an error is an instance counts.
_STATUSES: Mapping[type[errors.RefusedError], int] = {
    errors.UnsupportedError: 400,
    errors.NoKeyError: 401,
    errors.NoCreditError: 402,
    errors.NotFoundError: 404,
    errors.ExpiredError: 410,
    errors.InvalidRequestError: 422,
    errors.TooManyError: 429,
    errors.WebsiteUnavailableError: 502,
    errors.StorageFullError: 507,
    errors.UnavailableError: 503,
}


class HttpError(Exception):
    """Answers the request with an error status and a JSON body."""

    def __init__(self, status: int, detail: Any) -> None:
        super().__init__(f"refused with {status}")
        self.status = status
        self.body: Any = {"detail": detail}
        self.headers: dict[str, str] = {}


def http_error(error: Exception) -> HttpError | None:
    """The answer to an error; None if it is no refusal, but a fault of the server."""
    if isinstance(error, HttpError):
        return error
    if isinstance(error, TransitionRefusedError):
        return HttpError(400, _transition_detail(error))
    for kind, status in _STATUSES.items():
        if isinstance(error, kind):
            return HttpError(status, _detail(error))
    return None


def _detail(error: errors.RefusedError) -> Any:
    if not isinstance(error, errors.InvalidRequestError):
        return str(error)
    described = [_described(part, problem) for part, problem in error.problems[:MAX_PROBLEMS]]
    if len(error.problems) > MAX_PROBLEMS:
        more = f"There are more problems; these are the first {MAX_PROBLEMS}"
        described.append({"type": "too_many_problems", "loc": [], "msg": more, "input": None})
    return described


def _described(part: str, problem: Problem) -> dict[str, Any]:
    # The service shows the whole body for a missing field, and nothing for a missing parameter.
    echoes = part == "body" or problem.kind != "missing"
    item: dict[str, Any] = {
        "type": problem.kind,
        "loc": [part, *problem.location],
        "msg": problem.message,
        "input": _beginning(problem.value) if echoes else None,
    }
    if problem.context:
        item["ctx"] = dict(problem.context)
    return item


def _beginning(value: Any) -> Any:
    """The given value, or the beginning of its text or JSON if that is long."""
    if isinstance(value, str):
        text = value
    else:
        # Piece by piece: a whole body takes milliseconds, in which all other calls wait.
        pieces, text = _JSON.iterencode(value), ""
        while len(text) <= _LONGEST_INPUT and (piece := next(pieces, "")):
            text += piece
    return value if len(text) <= _LONGEST_INPUT else text[:_LONGEST_INPUT] + "…"


def _transition_detail(refused: TransitionRefusedError) -> str:
    """Why a task refuses an event; the first form was observed on the hosted service."""
    event, status = refused.event, refused.status
    if status.is_terminal or (event, status) == (TaskEvent.PAUSE, TaskStatus.PAUSED):
        return f"Agent session already {status}"
    if event is TaskEvent.RESUME:
        return f"Agent session is not paused but {status}"
    return f"Agent session is not running but {status}"
