"""The request for a new key, and its checks."""

from decimal import Decimal

import attrs

from browser_use_async.api.validation import Mode, validate
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.keys.api_key import name_problem, scopes_problem
from browser_use_async.types import FieldKind, FieldRule
from browser_use_async.types.base import ruled

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
    """The same key in the types of its fields.

    Raises:
        ConfigurationError: A field has a value that no key can have.
    """
    values, problems = validate(NewKey, attrs.asdict(new), Mode.CLIENT)
    if problems:
        raise ConfigurationError("; ".join(problem.sentence for problem in problems))
    return NewKey(**values)
