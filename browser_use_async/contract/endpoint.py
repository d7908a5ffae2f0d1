"""What one row of the table of endpoints says about a call."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import attrs

from browser_use_async.types.base import Value

__all__ = ["API_PREFIX", "Effect", "Endpoint"]

API_PREFIX = "/api/v1"


class Effect(StrEnum):
    """What a call does to the account, which decides when it may be sent again."""

    READS = "reads"  # nothing: may be repeated at will
    IDEMPOTENT = "idempotent"  # the same however often: may be repeated, then is verified
    SWITCHES = "switches"  # what others switch as well: after a lost answer it is looked at
    CREATES = "creates"  # something free: sent again only if provably not sent, or on 429
    PAYS = "pays"  # the same, on a connection of its own, because every repetition costs money


@attrs.frozen(eq=False, repr=False)
class Endpoint(Value):
    """One call of the API."""

    name: str  # the operation's name in the service's own document
    method: str  # the HTTP method
    path: str  # the path below `/api/v1`, with `{parameters}`
    returns: Any  # the type of the answer, or None for calls that answer nothing
    effect: Effect  # what the call does, which decides when it may be sent again
    section: str  # the API section that documents it
    parameters: type[Any] | None = None  # the class of the path parameters
    query: type[Any] | None = None  # the class of the query parameters
    body: type[Any] | None = None  # the class of the JSON body
    authenticated: bool = True  # whether the call needs an API key
    subscription: bool = False  # whether the service asks for an active subscription
    # Whether the answer's `id` must be the `task_id` that was asked for
    checks_identity: bool = False
    # Makes the answer from its JSON value, where the fields of its type do not say how
    read: Callable[[Any], Any] | None = None
    leaves_a_trace: bool = True  # whether another call tells afterwards if it was carried out

    @property
    def is_static(self) -> bool:
        """Whether the path has no parameters, so that every v1 server must know it."""
        return self.parameters is None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
