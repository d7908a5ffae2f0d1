"""Refusals of a server, raised where they happen; `http.errors` maps them to statuses."""

from collections.abc import Mapping
from typing import Any

from browser_use_async.api.validation import Problem


class RefusedError(Exception):
    """The request is refused. The text is for the client."""


class UnsupportedError(RefusedError):
    """This server can never do that."""


class NoCreditError(RefusedError):
    """The balance, or the budget of the key, is too low for it."""


class NotFoundError(RefusedError):
    """The owner has nothing with this id or name."""


class ExpiredError(RefusedError):
    """It existed, and was deleted because of its age."""


class InvalidRequestError(RefusedError):
    """The request has invalid values."""

    def __init__(self, *problems: tuple[str, Problem]) -> None:
        super().__init__("; ".join(problem.message for _, problem in problems))
        self.problems = problems  # each with its part of the request: `path`, `query` or `body`


def invalid_field(
    location: tuple[str | int, ...], message: str, given: Any, context: Mapping[str, str]
) -> InvalidRequestError:
    """One field of a body is wrong on this server, although its form is valid."""
    problem = Problem(location, f"Value error, {message}", "value_error", given, context)
    return InvalidRequestError(("body", problem))


class TooManyError(RefusedError):
    """The most work at once, or the most waiting work, is reached."""


class NoKeyError(RefusedError):
    """No key of the owner is valid any more."""


class WebsiteUnavailableError(RefusedError):
    """A website cannot be opened."""


class UnavailableError(RefusedError):
    """Something that this needs is missing, or does not answer now."""


class StorageUnavailableError(UnavailableError):
    """The database refused a statement; nothing of the transaction was written."""


class StorageAwayError(StorageUnavailableError):
    """The database is away, which its room has logged; what waits for it logs nothing more."""


class StorageFullError(StorageUnavailableError):
    """The disk is full."""


class ObjectGoneError(StorageUnavailableError):
    """The object storage answers that it does not have the object; waiting is useless."""
