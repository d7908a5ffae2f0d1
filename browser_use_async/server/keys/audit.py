"""The audit trail: who did what, when and from where, without any value or text."""

from datetime import datetime
from typing import Any

import attrs

from browser_use_async.api.scalars import format_timestamp
from browser_use_async.errors import ConfigurationError

KEPT_ENTRIES = 100_000
"""The most entries of one name that are kept, unless the operator says otherwise."""
KEPT_DAYS = 90
"""The days after which entries are deleted, unless the operator says otherwise."""

FILE_ID = "database_file"
"""What the trail has in place of the id of a key for what was done with the database itself."""


@attrs.frozen
class AuditEntry:
    """One call that changed something, was refused, or administrated the server."""

    at: datetime
    key_id: str | None  # None for a call with a wrong key
    name: str | None  # the name of the key
    call: str  # the name of the operation or route
    subject: str | None  # the id of the task, profile, schedule, webhook or key
    address: str | None  # where it came from
    status: int  # the HTTP status of the answer


def entry_as_json(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as a JSON object."""
    return {**attrs.asdict(entry), "at": format_timestamp(entry.at)}


def check_bounds(entries: object, days: object) -> None:
    """Check how much of the trail is to be kept.

    Raises:
        ConfigurationError: One of them is no whole number from 1.
    """
    for name, value in (("audit_entries", entries), ("audit_days", days)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ConfigurationError(f"{name} must be a whole number from 1")
