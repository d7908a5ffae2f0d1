"""What a server refuses, and why: raised where it happens; `http.errors` has the statuses."""

from collections.abc import Mapping
from typing import Any

from browser_use_async.api.validation import Problem


class RefusedError(Exception):
    """What was asked for is not done. The text is for the client."""


class UnsupportedError(RefusedError):
    """This server cannot do that, however often it is asked."""


class NoCreditError(RefusedError):
    """The balance, or the budget of the key, does not pay for it."""


class PlanRefusesError(RefusedError):
    """The plan does not include it."""


class NotFoundError(RefusedError):
    """Nothing of the owner has this id or name."""


class ConflictError(RefusedError):
    """Another service decides about this."""


class ExpiredError(RefusedError):
    """What was asked for has existed, and was kept long enough."""


class InvalidRequestError(RefusedError):
    """The request has values with which this server can do nothing."""

    def __init__(self, *problems: tuple[str, Problem]) -> None:
        super().__init__("; ".join(problem.message for _, problem in problems))
        self.problems = problems  # each with its part of the request: `path`, `query` or `body`


def invalid_field(
    location: tuple[str | int, ...], message: str, given: Any, context: Mapping[str, str]
) -> InvalidRequestError:
    """One field of a body that is wrong by what this server knows, not by its form."""
    problem = Problem(location, f"Value error, {message}", "value_error", given, context)
    return InvalidRequestError(("body", problem))


class TooManyError(RefusedError):
    """As much as may be at work at once, or wait, is there already."""


class NoKeyError(RefusedError):
    """No key of the owner is valid any more."""


class KeyRefusedError(RefusedError):
    """The service that carries tasks out does not take the key of this server."""


class WebsiteUnavailableError(RefusedError):
    """A website cannot be opened."""


class UnavailableError(RefusedError):
    """Something that this needs is missing, or does not answer now."""


class StorageUnavailableError(UnavailableError):
    """The database did not take a statement; nothing of the transaction was written."""


class StorageFullError(StorageUnavailableError):
    """There is no room for it on the disk."""


class ObjectGoneError(StorageUnavailableError):
    """The object storage answers, and does not have the object: to wait for it is of no use."""
