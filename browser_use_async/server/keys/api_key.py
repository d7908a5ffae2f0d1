"""An API key: its name, scopes and validity, and how its text is made, but not the text."""

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from browser_use_async.api.validation import validate
from browser_use_async.errors import ConfigurationError
from browser_use_async.types import FieldKind, FieldRule
from browser_use_async.types.base import ruled

# The name and the id of the key that a server is started with.
DEFAULT_NAME = "default"

# The answer for an unknown id.
NO_KEY = "There is no API key with this id"
# The answer to a revoked key.
REVOKED = "The API key was revoked"

_PREFIX = "bu_"
_KEY_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Scope(StrEnum):
    """A group of calls that a key may make."""

    RUN = "run"  # calls that make or change something or spend money, and live pages
    READ = "read"  # calls that only read
    ADMIN = "admin"  # /metrics, and for clients on the server's machine what is below /admin


EVERY_SCOPE = frozenset(Scope)
# The default scopes of a new key.
DEFAULT_SCOPES = frozenset({Scope.RUN, Scope.READ})


@attrs.frozen
class ApiKey:
    """One key. Keys of one name belong to one owner, and share everything."""

    id: str
    name: str  # the owner of the tasks, profiles, schedules and files that it works with
    scopes: frozenset[Scope]
    created_at: datetime | None = None  # None for the key that the server is started with
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None  # to the minute

    def is_valid(self, now: datetime) -> bool:
        """Whether the key is valid at a moment."""
        expired = self.expires_at is not None and self.expires_at <= now
        return self.revoked_at is None and not expired


# The key that a server is started with, which works without a database.
DEFAULT_KEY = ApiKey(DEFAULT_NAME, DEFAULT_NAME, EVERY_SCOPE)


def new_key_text() -> str:
    """The text of a new key: 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(_KEY_BYTES)


def digest_of(text: str) -> bytes:
    """The stored digest of a key."""
    # A fast hash is enough: 256 random bits cannot be guessed, and a slow hash would cost each
    # request as much as a login. Keys that people choose are not stored.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def name_problem(name: str) -> str | None:
    """The problem of a key's name, or None."""
    if name == "all":
        return "the name `all` means every owner where the operator reads tasks; choose another"
    if _NAME.fullmatch(name) is not None:
        return None
    return (
        "the name of a key has 1 to 64 letters, digits, dots, dashes or underscores, and begins "
        "with a letter or digit"
    )


def scopes_problem(words: Collection[str]) -> str | None:
    """The problem of the names of scopes, or None."""
    if words and {*words} <= {*Scope}:
        return None
    return f"scopes are one or more of {', '.join(Scope)}"


_MOST_CENTS = 10**12
_MOST_TASKS = 1_000_000
_MOST_DAYS = 36_500


@attrs.frozen
class NewKey:
    """The name, scopes and limits that a new key is to have.

    Attributes:
        name: Whose key it is; keys of one name share tasks, profiles and budget.
        scopes: What it may do: `run`, `read`, `admin`. Otherwise as the other key of this name, or
            `run` and `read`.
        budget_cents: What the keys of the name may spend, in US cents; otherwise unchanged.
        concurrency: How many tasks of the name may be at work at once; otherwise unchanged.
        expires_in_days: After how many days it expires; otherwise never.
    """

    name: str = ruled(FieldRule(FieldKind.TEXT, required=True, nullable=False, check=name_problem))
    # None for those of the other key of this name, or else `DEFAULT_SCOPES`
    scopes: list[str] | None = ruled(
        FieldRule(FieldKind.TEXT_LIST, check=scopes_problem), default=None
    )
    # Limits of the name; None leaves them unchanged
    budget_cents: Decimal | None = ruled(
        FieldRule(FieldKind.NUMBER, minimum=0, maximum=_MOST_CENTS), default=None
    )
    concurrency: int | None = ruled(
        FieldRule(FieldKind.INTEGER, minimum=1, maximum=_MOST_TASKS), default=None
    )
    # None for a key that does not expire
    expires_in_days: int | None = ruled(
        FieldRule(FieldKind.INTEGER, minimum=1, maximum=_MOST_DAYS), default=None
    )


def checked(new: NewKey) -> NewKey:
    """The key with its values in the types of their fields.

    Raises:
        ConfigurationError: A field has a value that no key can have.
    """
    values, problems = validate(NewKey, attrs.asdict(new))
    if problems:
        raise ConfigurationError("; ".join(problem.sentence for problem in problems))
    return NewKey(**values)
