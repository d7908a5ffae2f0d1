"""The address of a ledger in PostgreSQL, `postgresql://user@host/database#name`; opens nothing."""

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

import attrs

from browser_use_async.errors import InvalidRequestError

_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,39}")
_PREFIX = "browser_use_batch_"


@attrs.frozen
class LedgerAddress:
    """The address of a ledger; its text has no password."""

    conninfo: str = attrs.field(repr=False)  # for libpq
    shown: str  # the address without password and options
    name: str  # of the batch

    @classmethod
    def parse(cls, text: str) -> "LedgerAddress":
        """Read an address; raises `InvalidRequestError` if it is none, or names no batch."""
        try:
            parts = urlsplit(text)
        except ValueError:
            raise _refused("is not an address") from None
        if _NAME.fullmatch(parts.fragment) is None:
            raise _refused(
                "must end in the name of the batch, as in postgresql://host/database#companies: up "
                "to 40 of a to z, 0 to 9, - and _"
            )
        shown = urlunsplit(parts._replace(netloc=_without_password(parts), query=""))
        return cls(urlunsplit(parts._replace(fragment="")), shown, parts.fragment)

    @property
    def schema(self) -> str:
        """The schema of the database with its tables."""
        return _PREFIX + self.name

    def __str__(self) -> str:
        return self.shown


def _without_password(parts: SplitResult) -> str:
    user, at, host = parts.netloc.rpartition("@")
    return user.partition(":")[0] + at + host


def _refused(problem: str) -> InvalidRequestError:
    # The text itself may contain a password.
    return InvalidRequestError(
        f"ledger: a PostgreSQL address {problem}; nothing was sent", field="ledger"
    )
