"""Making, listing and revoking keys, and reading the audit trail, as JSON objects."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from browser_use_async.server.keys.api_key import ApiKey
from browser_use_async.server.keys.api_keys import ApiKeys, ListedKey
from browser_use_async.server.keys.audit_trail import AuditTrail, entry_as_json
from browser_use_async.server.keys.new_key import NewKey
from browser_use_async.server.storage.rows import to_moment

# The most entries of the audit trail in one answer.
MAX_ENTRIES = 100_000


class KeyAdministration:
    """The keys and the audit trail of one database, as JSON objects."""

    def __init__(self, keys: ApiKeys, trail: AuditTrail, now: Callable[[], datetime]) -> None:
        self._keys = keys
        self._trail = trail
        self._now = now

    async def add(self, new: NewKey) -> dict[str, Any]:
        """Add a key; only this object has its text.

        Raises:
            ConfigurationError: Two keys of this name are valid.
        """
        key, text = await self._keys.add(new)
        return {**_key_as_json(key), "key": text}

    async def all(self) -> list[dict[str, Any]]:
        """All keys, oldest first."""
        now = self._now()
        return [
            {**_listed_as_json(each), "is_valid": each.key.is_valid(now)}
            for each in await self._keys.all()
        ]

    async def revoke(self, key_id: str) -> dict[str, Any] | None:
        """Revoke a key; None if there is none with this id."""
        key = await self._keys.revoke(key_id)
        return None if key is None else _key_as_json(key)

    async def has_valid(self, name: str) -> bool:
        """Whether any key of a name opens something."""
        return await self._keys.has_valid(name)

    async def entries(self, latest: int, name: str | None = None) -> list[dict[str, Any]]:
        """The latest entries of the audit trail, oldest first."""
        return [entry_as_json(each) for each in await self._trail.latest(latest, name)]


def _key_as_json(key: ApiKey) -> dict[str, Any]:
    moments = ("created_at", "expires_at", "revoked_at", "last_used_at")
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        **{name: to_moment(getattr(key, name)) for name in moments},
    }


def _listed_as_json(listed: ListedKey) -> dict[str, Any]:
    budget = listed.budget_cents
    return {
        **_key_as_json(listed.key),
        # Strings, as in the API: JSON numbers would round fractions of a cent.
        "spent_cents": _cents(listed.spent_cents),
        "budget_cents": None if budget is None else _cents(budget),
        "concurrency": listed.concurrency,
    }


def _cents(amount: Any) -> str:
    return f"{amount.normalize():f}"
