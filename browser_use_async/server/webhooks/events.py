"""The sending of events: the test event, signatures and the retry schedule. No I/O."""

from datetime import datetime

from browser_use_async.server.storage.outbox import canonical
from browser_use_async.webhooks.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from browser_use_async.webhooks.standard import standard_headers

# The most attempts for one event: the first, and 5 retries.
MOST_ATTEMPTS = 6

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


def retry_delay(attempts: int, first: float) -> float | None:
    """Return the seconds until the next attempt, or None after the last one."""
    return None if attempts >= MOST_ATTEMPTS else first * 2.0 ** (attempts - 1)
