"""The sending of events: the test event, signatures and the retry schedule. No I/O."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from browser_use_async.server.storage.outbox import canonical
from browser_use_async.webhooks.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from browser_use_async.webhooks.standard import standard_headers

_MINUTE, _HOUR = 60.0, 3600.0

RETRY_PAUSES = (
    *(5.0, 10.0, 15.0, 30.0, 1 * _MINUTE, 3 * _MINUTE, 5 * _MINUTE),
    *(10 * _MINUTE, 20 * _MINUTE, 40 * _MINUTE, 100 * _MINUTE),
    *(3 * _HOUR, 6 * _HOUR, 8 * _HOUR, 10 * _HOUR, 12 * _HOUR, 14 * _HOUR, 15 * _HOUR),
)
"""The seconds between the attempts to deliver one event: 71 hours in all.

The API documents "up to 5 times" and no pauses. Five attempts are not enough for both: a receiver
that is back after a minute should not wait for hours, and one that is away for a weekend should
lose nothing. A receiver handles an event once however often it is sent, so more attempts cost it
nothing. Standard Webhooks recommends retries over days as well.
"""

LIFETIME = timedelta(days=3)
"""The age at which an event is given up, also one that waits behind another of its task."""

# The test event, which a new webhook must answer with a 2xx status; as the API documents it.
TEST_BODY = canonical(
    {"type": "test", "timestamp": "2024-03-21T12:00:00Z", "payload": {"test": "ok"}}
)


def signed_headers(message_id: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """Return the signed headers of one attempt: the service's, and those of Standard Webhooks."""
    timestamp = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: sign(body, timestamp, secret),
        **standard_headers(message_id, body, secret, now),
    }


def retry_pause(attempts: int, age: timedelta, pauses: Sequence[float]) -> timedelta | None:
    """Return the time until the next attempt, or None after the last one.

    Args:
        attempts: How many have failed.
        age: The time since the event was written.
        pauses: The seconds between the attempts.
    """
    if attempts > len(pauses):
        return None
    pause = timedelta(seconds=pauses[attempts - 1])
    return pause if age + pause <= LIFETIME else None
