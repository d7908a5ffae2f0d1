"""The address of a queue, `postgresql://user@host/database#name`; opens nothing."""

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

import attrs

from browser_use_async.errors import InvalidRequestError
from browser_use_async.postgres.address import is_postgres

_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,39}")
_FORM = "postgresql://user@host/database#name"


@attrs.frozen
class QueueAddress:
    """The address of a queue; its text has no password."""

    conninfo: str = attrs.field(repr=False)  # for libpq
    shown: str  # the address without password and options
    name: str  # of the batch

    @classmethod
    def parse(cls, text: object) -> "QueueAddress":
        """Read an address; raises `InvalidRequestError` if it is none, or names no batch."""
        if not isinstance(text, str) or not is_postgres(text):
            raise _refused(f"must have the form {_FORM}; one process uses a ledger in a file")
        try:
            parts = urlsplit(text)
        except ValueError:
            raise _refused(f"must have the form {_FORM}") from None
        if _NAME.fullmatch(parts.fragment) is None:
            raise _refused(
                "must end in the name of the batch, as in postgresql://host/database#companies: up "
                "to 40 of a to z, 0 to 9, - and _"
            )
        shown = urlunsplit(parts._replace(netloc=_without_password(parts), query=""))
        return cls(urlunsplit(parts._replace(fragment="")), shown, parts.fragment)

    def __str__(self) -> str:
        return self.shown


def _without_password(parts: SplitResult) -> str:
    user, at, host = parts.netloc.rpartition("@")
    return user.partition(":")[0] + at + host


def _refused(problem: str) -> InvalidRequestError:
    # The text itself may contain a password.
    return InvalidRequestError(
        f"the address of a queue {problem}; nothing was sent", field="address"
    )
