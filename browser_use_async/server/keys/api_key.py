"""An API key: its name, scopes and validity, and how its text is made, but not the text."""

import hashlib
import re
import secrets
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

import attrs

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
