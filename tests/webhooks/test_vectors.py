"""The specification's calls, computed without this package, in every notation."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from browser_use_async import errors, webhooks

SECRET = "whsec_example"
STAMP = "1748164942"
NOW = datetime(2025, 5, 25, 9, 22, 22, tzinfo=UTC)

# The specification's own bytes. The signatures come from another program:
#   printf '%s' '1748164942.{"payload":{"metadata":{...' | openssl dgst -sha256 -hmac whsec_example
# over the timestamp, a full stop, and the JSON with sorted keys and without spaces.
EXAMPLE = b"""{
  "type": "agent.task.status_update",
  "timestamp": "2025-05-25T09:22:22.269116+00:00",
  "payload": {
    "session_id": "cd9cc7bf-e3af-4181-80a2-73f083bc94b4",
    "task_id": "5b73fb3f-a3cb-4912-be40-17ce9e9e1a45",
    "status": "finished",
    "metadata": {
      "campaign": "q4-automation",
      "team": "marketing"
    }
  }
}"""
EXAMPLE_SIGNATURE = "6e75159b6c24ee80c01bf066e832bbf88e30465c6671e04bac7ac651f816647c"
TEST = b'{"type": "test", "timestamp": "2024-03-21T12:00:00Z", "payload": {"test": "ok"}}'
TEST_SIGNATURE = "9c99571c0dabc5f940c47f90b95ce219e490bec5794f6629dbce26fd225e21e0"
VECTORS = [(EXAMPLE, EXAMPLE_SIGNATURE), (TEST, TEST_SIGNATURE)]


def _headers(signature: str) -> dict[str, str]:
    return {"x-browser-use-timestamp": STAMP, "x-browser-use-signature": signature}


def _hmac(message: bytes) -> str:
    whole = STAMP.encode() + b"." + message
    return hmac.new(SECRET.encode(), whole, hashlib.sha256).hexdigest()


def _sample_accepts(payload: object, timestamp: str, received: str) -> bool:
    """The answer of the specification's sample to a call, by its description."""
    text = f"{timestamp}.{json.dumps(payload, separators=(',', ':'), sort_keys=True)}"
    expected = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, received)


def _accepts(body: bytes, signature: str) -> bool:
    try:
        webhooks.verify(body, _headers(signature), SECRET, now=NOW)
    except errors.WebhookVerificationError:
        return False
    return True


@pytest.mark.parametrize(("body", "signature"), VECTORS, ids=["example", "test"])
def test_the_specifications_calls(body: bytes, signature: str):
    """Another program, the specification's sample and this package sign alike; all are accepted."""
    assert _sample_accepts(json.loads(body), STAMP, signature)
    assert webhooks.sign(body, STAMP, SECRET) == signature

    event_read = webhooks.unwrap(body, _headers(signature), SECRET, now=NOW)

    if isinstance(event_read, webhooks.TaskStatusUpdate):
        assert event_read.task_id == "5b73fb3f-a3cb-4912-be40-17ce9e9e1a45"
        assert event_read.session_id == "cd9cc7bf-e3af-4181-80a2-73f083bc94b4"
        assert event_read.metadata == {"campaign": "q4-automation", "team": "marketing"}
        assert event_read.timestamp == datetime(2025, 5, 25, 9, 22, 22, 269116, UTC)
    else:
        assert event_read == webhooks.TestEvent(
            {"test": "ok"}, datetime(2024, 3, 21, 12, 0, 0, tzinfo=UTC)
        )


PAYLOADS: list[Any] = [
    {},
    {"a": "b"},
    {"b": 1, "a": 2},
    {"nested": {"z": [1, {"y": None}], "a": True}},
    {"text": "märketing"},
    {"text": "日本語"},
    {"text": "🎉"},
    {"text": "\u2028\u2029"},
    {"text": '"\\/\b\f\n\r\t'},
    {"text": "\x7f\x80"},
    {"ümlaut": 1, "zebra": 2},
    {"10": 1, "9": 2},
    {"number": 1.5},
    {"number": 1.0},
    {"number": 2**53 + 1},
    {"number": -0.0},
]
LAYOUTS: dict[str, Callable[[Any], bytes]] = {
    "compact": lambda value: json.dumps(value, separators=(",", ":")).encode(),
    "sorted": lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True).encode(),
    "indented": lambda value: json.dumps(value, indent=2).encode(),
    "unescaped": lambda value: json.dumps(value, ensure_ascii=False).encode(),
    "reversed": lambda value: json.dumps(dict(reversed(value.items()))).encode(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_event_in_every_form(layout: str):
    """For any layout; signed unchanged, canonically, or canonically without escapes."""
    accepted, others = 0, 0
    for payload in PAYLOADS:
        body = LAYOUTS[layout](payload)
        value = json.loads(body)
        compact: dict[str, Any] = {"separators": (",", ":"), "sort_keys": True}
        signed = [
            body,
            json.dumps(value, **compact).encode(),
            json.dumps(value, ensure_ascii=False, **compact).encode(),
        ]
        accepted += sum(_accepts(body, _hmac(each)) for each in signed)
        others += _accepts(body, _hmac(body + b" "))

    assert accepted == 3 * len(PAYLOADS)
    assert others == 0


NUMBERS = (
    "1e3 1E3 1e16 10000000000000000.0 0.1000000000000000055 -0 1e400 5e-325 1.10 1 -1 0 0.5 1e-7 "
    "123456789012345678901234567890"
).split()
TEXTS = (
    r"\u0041 \/ \u00E9 \u00e9 \u0008 \b \n \t \" \\ é 🎉 \ud83c\udf89 a \u2028 \u007f ü \u0000 "
    r"\uFFFF ß"
).split()
STRANGE = [
    b' {"a":1}',
    b'{"a":1}\n',
    b'{ "a" : 1 }',
    b'\xef\xbb\xbf{"a":1}',
    b'{"b":1,"a":2}',
    b'{"a":1,"a":2}',
    b'{"a":NaN}',
    b"{}",
    b'{"a":\t[1,\r\n2]}',
    b'{"\\u0061":1}',
]
BODIES = [
    *(f'{{"a":{number}}}'.encode() for number in NUMBERS),
    *(f'{{"a":"{text}"}}'.encode() for text in TEXTS),
    *STRANGE,
]
NEVER = {b'{"a":1e400}', b'\xef\xbb\xbf{"a":1}', b'{"a":1,"a":2}', b'{"a":NaN}'}
"""What two readers read in two ways, or none does: refused though the signature is right."""


def test_bodies_that_change_when_they_are_read():
    """Signed unchanged, all bodies with one meaning are accepted, and none with two."""
    accepted = {body for body in BODIES if _accepts(body, _hmac(body))}
    changed = [
        body
        for body in BODIES
        if body not in NEVER
        and json.dumps(json.loads(body), separators=(",", ":"), sort_keys=True).encode() != body
    ]

    assert accepted == set(BODIES) - NEVER
    assert len(changed) >= 20
