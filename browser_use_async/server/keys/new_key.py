"""What is asked for a new key, checked."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.keys.api_key import Scope, checked_name, scopes_from

_MOST_CENTS = Decimal(10) ** 12
_MOST_TASKS = 1_000_000
_MOST_DAYS = 36_500


def _check_name(_new: object, _field: object, name: Any) -> None:
    checked_name(name if isinstance(name, str) else "")


def _scopes(given: Any) -> frozenset[Scope] | None:
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Sequence | frozenset | set):
        raise ConfigurationError("scopes must be a list of names")
    return scopes_from(map(str, given))


def _cents(given: Any) -> Decimal | None:
    if given is None:
        return None
    try:
        # Through str, because Decimal(float) has the binary rounding of the float.
        cents = Decimal(str(given))
    except InvalidOperation:
        cents = Decimal("NaN")
    if isinstance(given, bool) or not cents.is_finite() or not 0 <= cents <= _MOST_CENTS:
        raise ConfigurationError("budget_cents must be a number of US cents from 0")
    return cents


def _count(name: str, most: int) -> Any:
    def check(_new: object, _field: object, given: Any) -> None:
        is_number = isinstance(given, int) and not isinstance(given, bool)
        if given is not None and not (is_number and 1 <= given <= most):
            raise ConfigurationError(f"{name} must be a whole number from 1 to {most:,}")

    return check


@attrs.frozen
class NewKey:
    """The name, scopes and limits that a new key is to have.

    Raises:
        ConfigurationError: One of them cannot work.
    """

    name: str = attrs.field(validator=_check_name)
    # None for those of the other key of this name, or else `DEFAULT_SCOPES`
    scopes: frozenset[Scope] | None = attrs.field(default=None, converter=_scopes)
    # Limits of the name; None leaves them as they are
    budget_cents: Decimal | None = attrs.field(default=None, converter=_cents)
    concurrency: int | None = attrs.field(
        default=None, validator=_count("concurrency", _MOST_TASKS)
    )
    # None for a key that does not expire
    expires_in_days: int | None = attrs.field(
        default=None, validator=_count("expires_in_days", _MOST_DAYS)
    )


def new_key_from_json(value: Any) -> NewKey:
    """Read what is asked for.

    Raises:
        ConfigurationError: It is no such object, or one of its fields cannot work.
    """
    known = [field.name for field in attrs.fields(NewKey)]
    if not isinstance(value, dict) or "name" not in value or not value.keys() <= set(known):
        raise ConfigurationError(f"the body must be an object with name, and may have {known[1:]}")
    return NewKey(**value)


def new_key_as_json(new: NewKey) -> dict[str, Any]:
    """What is asked for in the types of JSON, without what was left out."""
    value = {name: given for name, given in attrs.asdict(new).items() if given is not None}
    if "scopes" in value:
        value["scopes"] = sorted(value["scopes"])
    if "budget_cents" in value:
        value["budget_cents"] = str(value["budget_cents"])
    return value
