"""Signing and verifying, compared with the text of the specification."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async import errors, webhooks

SECRET = "whsec_for_tests"
NOW = datetime(2025, 5, 25, 9, 22, 22, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
EVENT: dict[str, Any] = {
    "type": "agent.task.status_update",
    "timestamp": "2025-05-25T09:22:22.269116+00:00",
    "payload": {
        "session_id": "cd9cc7bf-e3af-4181-80a2-73f083bc94b4",
        "task_id": "5b73fb3f-a3cb-4912-be40-17ce9e9e1a45",
        "status": "finished",
        "metadata": {"campaign": "q4-automation", "team": "märketing"},
    },
}


def _by_the_specification(payload: object, timestamp: str, secret: str = SECRET) -> str:
    message = f"{timestamp}.{json.dumps(payload, separators=(',', ':'), sort_keys=True)}"
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def _hmac(message: bytes) -> str:
    return hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()


def _headers(signature: str, timestamp: str = STAMP) -> dict[str, str]:
    return {webhooks.TIMESTAMP_HEADER: timestamp, webhooks.SIGNATURE_HEADER: signature}


def test_the_specifications_formula():
    """The signature is that of the specification's sample, for a mapping and for bytes."""
    body = json.dumps(EVENT, indent=2).encode()

    assert webhooks.sign(EVENT, STAMP, SECRET) == _by_the_specification(EVENT, STAMP)
    assert webhooks.sign(body, STAMP, SECRET) == _by_the_specification(EVENT, STAMP)


def test_the_event_is_read():
    """A call of the service becomes a typed event."""
    body = json.dumps(EVENT).encode()

    event = webhooks.unwrap(body, _headers(_by_the_specification(EVENT, STAMP)), SECRET, now=NOW)

    assert isinstance(event, webhooks.TaskStatusUpdate)
    assert event.task_id == EVENT["payload"]["task_id"]
    assert event.status is webhooks.WebhookStatus.FINISHED
    assert event.metadata == {"campaign": "q4-automation", "team": "märketing"}


def test_the_test_call_is_read():
    """The payload that the service sends on registration."""
    test = {"type": "test", "timestamp": "2024-03-21T12:00:00Z", "payload": {"test": "ok"}}

    event = webhooks.unwrap(
        json.dumps(test).encode(), _headers(_by_the_specification(test, STAMP)), SECRET, now=NOW
    )

    assert isinstance(event, webhooks.TestEvent)
    assert event.payload == {"test": "ok"}


@pytest.mark.parametrize("form", ["raw", "escaped", "unescaped"])
def test_each_form_that_a_service_may_sign_is_accepted(form: str):
    """The body unchanged, and canonical with and without escapes."""
    body = json.dumps(EVENT, indent=1, ensure_ascii=False).encode()
    canonical = json.dumps(
        EVENT, separators=(",", ":"), sort_keys=True, ensure_ascii=form == "escaped"
    ).encode()
    signed = body if form == "raw" else canonical

    verified = webhooks.verify(
        body, _headers(_hmac(STAMP.encode() + b"." + signed)), SECRET, now=NOW
    )

    assert verified.body == EVENT


def test_nothing_that_was_changed_is_accepted():
    """If one bit of the body, the timestamp or the signature changes, the call is refused."""
    body = json.dumps(EVENT).encode()
    signature = _by_the_specification(EVENT, STAMP)
    changed = [
        body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :] for place in range(len(body))
    ]
    calls = [(each, _headers(signature)) for each in changed]
    calls.append((body, _headers(signature, str(int(STAMP) + 1))))
    calls.append((body, _headers(signature, f"{STAMP}.0")))
    calls += [
        (
            body,
            _headers(
                signature[:place]
                + ("0" if signature[place] != "0" else "1")
                + signature[place + 1 :]
            ),
        )
        for place in range(len(signature))
    ]

    for content, headers in calls:
        with pytest.raises(errors.WebhookVerificationError):
            webhooks.verify(content, headers, SECRET, now=NOW)


def test_several_secrets():
    """During a rotation both are accepted, and the matching one is named."""
    body = json.dumps(EVENT).encode()

    verified = webhooks.verify(
        body, _headers(_by_the_specification(EVENT, STAMP, "old")), ["new", "old"], now=NOW
    )

    assert verified.secret_index == 1
    with pytest.raises(errors.WebhookVerificationError):
        webhooks.verify(
            body, _headers(_by_the_specification(EVENT, STAMP, "third")), ["new", "old"], now=NOW
        )


@pytest.mark.parametrize("secret", ["", "  ", [], [""], None, b"bytes"])
def test_a_secret_that_is_none_is_refused(secret: Any):
    """An empty secret would accept every signature."""
    with pytest.raises(errors.ConfigurationError):
        webhooks.verify(b"{}", _headers("0" * 64), secret, now=NOW)


@pytest.mark.parametrize(
    ("seconds", "fresh"), [(-301, False), (-299, True), (0, True), (299, True), (301, False)]
)
@pytest.mark.parametrize("written", ["seconds", "milliseconds", "ISO"])
def test_the_window_has_two_sides(seconds: int, written: str, *, fresh: bool):
    """Too old and too new are refused, in every format of the time."""
    moment = NOW + timedelta(seconds=seconds)
    stamp = {
        "seconds": str(int(moment.timestamp())),
        "milliseconds": str(int(moment.timestamp() * 1000)),
        "ISO": moment.isoformat(),
    }[written]
    body = json.dumps(EVENT).encode()
    headers = _headers(_by_the_specification(EVENT, stamp), stamp)

    if fresh:
        webhooks.verify(body, headers, SECRET, now=NOW)
        return
    with pytest.raises(errors.WebhookVerificationError):
        webhooks.verify(body, headers, SECRET, now=NOW)
    webhooks.verify(body, headers, SECRET, now=NOW, tolerance=None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"test","type":"agent.task.status_update"}',
        b'{"type":NaN}',
        b"[1]",
        b'"text"',
        b"null",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"[" * 100_000,
        b'{"n":' + b"9" * 5000 + b"}",
        b"{" + b" " * 2_000_000 + b"}",
        b"",
        b"\xff",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_a_hostile_body_is_a_typed_error_though_its_signature_is_right(body: bytes):
    """A body that two readers could read in two ways is not read at all."""
    headers = _headers(_hmac(STAMP.encode() + b"." + body))

    with pytest.raises(errors.WebhookVerificationError) as caught:
        webhooks.unwrap(body, headers, SECRET, now=NOW)

    assert caught.value.status in {400, 403, 413}


@given(
    body=st.binary(max_size=200),
    signature=st.text(max_size=80),
    timestamp=st.one_of(st.just(STAMP), st.text(max_size=20)),
    extra=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3),
)
def test_whatever_comes_is_refused_and_nothing_else(
    body: bytes, signature: str, timestamp: str, extra: dict[str, str]
):
    """Any bytes and headers without the secret: never accepted, never another exception."""
    with pytest.raises(errors.WebhookVerificationError):
        webhooks.unwrap(body, {**extra, **_headers(signature, timestamp)}, SECRET, now=NOW)


@pytest.mark.parametrize("missing", [webhooks.TIMESTAMP_HEADER, webhooks.SIGNATURE_HEADER])
def test_a_missing_header_is_a_bad_request(missing: str):
    """The answer is 400, as in the specification's sample."""
    headers = _headers(_by_the_specification(EVENT, STAMP))
    del headers[missing]

    with pytest.raises(errors.WebhookVerificationError) as caught:
        webhooks.unwrap(json.dumps(EVENT).encode(), headers, SECRET, now=NOW)

    assert caught.value.status == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "something.new"},
        {"payload": None},
        {"payload": {"status": "finished"}},
        {"payload": [1]},
    ],
    ids=str,
)
def test_an_unknown_event_is_passed_on(changed: dict[str, Any]):
    """An authentic event of another kind or shape causes no crash."""
    event = {**EVENT, **changed}

    event_read = webhooks.unwrap(
        json.dumps(event).encode(), _headers(_by_the_specification(event, STAMP)), SECRET, now=NOW
    )

    assert isinstance(event_read, webhooks.UnknownEvent)
    assert event_read.type == event["type"]


def test_the_submission_mark_is_kept_apart():
    """The reserved pair is not in the user's metadata."""
    payload = {**EVENT["payload"], "metadata": {"a": "b", "bu_async.token": "mark"}}
    event = {**EVENT, "payload": payload}

    event_read = webhooks.unwrap(
        json.dumps(event).encode(), _headers(_by_the_specification(event, STAMP)), SECRET, now=NOW
    )

    assert isinstance(event_read, webhooks.TaskStatusUpdate)
    assert event_read.metadata == {"a": "b"}
    assert event_read.submission_mark == "mark"
    assert "mark" not in repr(event_read)
