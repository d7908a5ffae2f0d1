"""The audit trail: who did what, when and from where, without any value or text.

It is bounded in number and age.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import attrs

from browser_use_async.api.scalars import format_timestamp
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.server.storage.table import Table

# The most entries of one name that are kept.
KEPT_ENTRIES = 100_000

_KEPT = timedelta(days=90)

_SHARE_OF_GUESSES = 10  # calls with a wrong key may have a tenth of the entries


@attrs.frozen
class AuditEntry:
    """One call that changed something, or was refused."""

    at: datetime
    key_id: str | None  # None for a call with a wrong key
    name: str | None  # the name of the key
    call: str  # the name of the operation or route
    subject: str | None  # the id of the task, profile, schedule, webhook or key
    address: str | None  # of the client
    status: int  # the HTTP status of the answer


_ENTRIES = Table("audit_trail", AuditEntry)


def entry_as_json(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as a JSON object."""
    return {**attrs.asdict(entry), "at": format_timestamp(entry.at)}


@attrs.frozen(eq=False, repr=False)
class AuditTrail:
    """The entries of a server; the oldest ones are deleted.

    Each name has room of its own, so that no client makes the trail forget what others did.
    """

    _database: Database
    _now: Callable[[], datetime]
    _recorded: Counter[str | None] = attrs.field(factory=Counter, init=False)

    async def record(self, entry: AuditEntry) -> None:
        """Add an entry."""
        await _ENTRIES.insert(self._database, entry)
        # Not with each entry, which would cost more than writing it.
        if self._recorded[entry.name] % max(1, KEPT_ENTRIES // 100) == 0:
            await self._expire(entry.name)
        self._recorded[entry.name] += 1

    async def latest(self, count: int, name: str | None = None) -> list[AuditEntry]:
        """The latest entries, of all names or of one, oldest first."""
        condition = "1 = 1" if name is None else "name = :name"
        found = await _ENTRIES.find(
            self._database, f"{condition} ORDER BY number DESC LIMIT :count", count=count, name=name
        )
        return found[::-1]

    async def _expire(self, name: str | None) -> None:
        """Delete entries that are too old, and those of a name, or guesses, that are too many."""
        before = to_moment(self._now() - _KEPT)
        await self._database.rows("DELETE FROM audit_trail WHERE at < :before", before=before)
        condition = "name IS NULL" if name is None else "name = :name"
        await self._database.rows(
            f"DELETE FROM audit_trail WHERE {condition} AND number <= ("
            f"SELECT number FROM audit_trail WHERE {condition} "
            "ORDER BY number DESC LIMIT 1 OFFSET :most)",
            most=KEPT_ENTRIES // _SHARE_OF_GUESSES if name is None else KEPT_ENTRIES,
            name=name,
        )
