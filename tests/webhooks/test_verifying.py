"""Which calls are genuine, and what they become; signatures are computed without this package."""

import ast
import inspect
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from browser_use_async import errors, webhooks
from browser_use_async.webhooks import signature as signatures
from tests.webhooks.calls import SECRET, body_of, signature

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
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
BODY = body_of(EVENT)


def _canonical(value: object, *, ascii_only: bool = True) -> bytes:
    return json.dumps(
        value, separators=(",", ":"), sort_keys=True, ensure_ascii=ascii_only
    ).encode()


GOOD = signature(_canonical(EVENT), STAMP)


def _headers(signed: str = GOOD, stamp: str = STAMP) -> dict[str, str]:
    return {"X-Browser-Use-Timestamp": stamp, "X-Browser-Use-Signature": signed}


def _verdict(
    body: bytes = BODY, headers: Any = None, secret: Any = SECRET, *, now: Any = NOW, **options: Any
) -> Any:
    """The status and the reason of a refusal, or the event of a call that is accepted."""
    try:
        given = _headers() if headers is None else headers
        return webhooks.unwrap(body, given, secret, now=now, **options)
    except errors.WebhookVerificationError as refusal:
        return refusal.status, refusal.reason


# --- calls that others have signed ------------------------------------------------------

# The specification's own bytes. The signatures come from another program:
#   printf '%s' '1748164942.{"payload":{"metadata":{...' | openssl dgst -sha256 -hmac whsec_example
# over the timestamp, a full stop, and the JSON with sorted keys and without spaces.
EXAMPLE = json.dumps(EVENT, indent=2).replace("m\\u00e4rketing", "marketing").encode()
TEST = b'{"type": "test", "timestamp": "2024-03-21T12:00:00Z", "payload": {"test": "ok"}}'
PUBLISHED = json.loads((Path(__file__).parent / "published_signatures.json").read_bytes())
CALLS = {
    "example": (
        *(EXAMPLE, "6e75159b6c24ee80c01bf066e832bbf88e30465c6671e04bac7ac651f816647c"),
        *("1748164942", "whsec_example"),
    ),
    "test": (
        *(TEST, "9c99571c0dabc5f940c47f90b95ce219e490bec5794f6629dbce26fd225e21e0"),
        *("1748164942", "whsec_example"),
    ),
    **{
        each["name"]: (
            *(each["body"].encode(), each["signature"], each["timestamp"], PUBLISHED["secret"]),
        )
        for each in PUBLISHED["vectors"]
    },
}


@pytest.mark.parametrize(("body", "signed", "stamp", "secret"), CALLS.values(), ids=CALLS)
def test_published_calls(body, signed, stamp, secret):
    """They are signed here alike, from bytes and values, and accepted with their secret alone."""
    now, headers = datetime.fromtimestamp(int(stamp), UTC), _headers(signed, stamp)

    assert {webhooks.sign(each, stamp, secret) for each in (body, json.loads(body))} == {signed}
    assert webhooks.verify(body, headers, secret, now=now).body == json.loads(body)
    assert _verdict(body, headers, "another", now=now) == (403, "signature")
    other = body.replace(b"idle", b"done").replace(b"1.0", b"2.0").replace(b"M", b"N")
    other = other.replace(b"ok", b"OK").replace(b"finished", b"stopped!")
    assert _verdict(other, headers, secret, now=now) == (403, "signature")


# --- forms of a genuine call -------------------------------------------------------------

PAYLOADS = [
    *({}, {"a": "b"}, {"b": 1, "a": 2}, {"nested": {"z": [1, {"y": None}], "a": True}}),
    *({"text": text} for text in ("märketing", "日本語", "🎉", "\u2028\u2029", '"\\/\b\f\n\r\t')),
    *({"text": "\x7f\x80"}, {"ümlaut": 1, "zebra": 2}, {"10": 1, "9": 2}),
    *({"number": number} for number in (1.5, 1.0, 2**53 + 1, -0.0)),
]
LAYOUTS: dict[str, Callable[[Any], bytes]] = {
    "compact": lambda value: json.dumps(value, separators=(",", ":")).encode(),
    "sorted": _canonical,
    "indented": lambda value: json.dumps(value, indent=2).encode(),
    "unescaped": lambda value: json.dumps(value, ensure_ascii=False).encode(),
    "reversed": lambda value: json.dumps(dict(reversed(value.items()))).encode(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_event_in_every_form(layout):
    """For any layout; signed unchanged, canonically, or canonically without escapes."""
    for payload in PAYLOADS:
        body = LAYOUTS[layout](payload)
        value = json.loads(body)
        for signed in (body, _canonical(value), _canonical(value, ascii_only=False)):
            call = webhooks.verify(body, _headers(signature(signed, STAMP)), SECRET, now=NOW)
            assert call.body == value
        wrong = _headers(signature(body + b" ", STAMP))
        assert _verdict(body, wrong) == (403, "signature")


def _numbers(texts: str) -> list[bytes]:
    return [f'{{"a":{each}}}'.encode() for each in texts.split()]


ONE_MEANING = [
    *_numbers("1e3 1E3 1e16 10000000000000000.0 0.1000000000000000055 -0 5e-325 1.10 1 -1 0 0.5"),
    *_numbers("1e-7 123456789012345678901234567890"),
    *_numbers(r'"\u0041" "\/" "\u00E9" "\u00e9" "\u0008" "\b" "\n" "\t" "\"" "\\" "é" "🎉"'),
    *_numbers(r'"\ud83c\udf89" "a" "\u2028" "\u007f" "ü" "\u0000" "\uFFFF" "ß"'),
    *(b' {"a":1}', b'{"a":1}\n', b'{ "a" : 1 }', b'{"b":1,"a":2}', b"{}", b'{"a":\t[1,\r\n2]}'),
    b'{"\\u0061":1}',
]
NO_MEANING = [
    *(b'{"a":1e400}', b'\xef\xbb\xbf{"a":1}', b'{"a":NaN}'),
    *(b"[1]", b'"text"', b"null", b"", b"\xff", b"\xef\xbb\xbf{}", b'{"type":NaN}'),
    *("{}".encode("utf-16"), b"[" * 100_000, b'{"n":' + b"9" * 5000 + b"}"),
]
TWICE = [
    b'{"type":"test","payload":{"status":"failed","status":"finished"}}',
    *(b'{"type":"test","type":"agent.task.status_update"}', b'{"payload":1,"payload":2}'),
    *(b'{"a":{"b":[{"c":1,"c":1}]}}', b'{"a":1,"\\u0061":2}', b'{"a":1,"a":2}'),
]


def test_bodies_that_two_readers_could_read_in_two_ways():
    """They are refused although their signature is right; any other is accepted unchanged."""
    verdicts = {body: _verdict(body, _headers(signature(body, STAMP))) for body in ONE_MEANING}
    refused = {
        body: _verdict(body, _headers(signature(body, STAMP))) for body in NO_MEANING + TWICE
    }
    large = b"{" + b" " * 2_000_000 + b"}"

    assert {type(each) for each in verdicts.values()} == {webhooks.UnknownEvent}
    assert len([body for body in ONE_MEANING if _canonical(json.loads(body)) != body]) >= 20
    assert {reason for _, reason in refused.values()} == {"body"}
    for body in TWICE:
        with pytest.raises(errors.WebhookVerificationError, match="same key twice"):
            webhooks.unwrap(body, _headers(signature(body, STAMP)), SECRET, now=NOW)
    assert _verdict(large, _headers(signature(large, STAMP))) == (413, "too_large")


# --- headers ------------------------------------------------------------------------------

STAMP_PAIR = ("X-Browser-Use-Timestamp", STAMP)
ACCEPTED = {
    "two headers": [("X-Browser-Use-Signature", "0" * 64), ("X-Browser-Use-Signature", GOOD)],
    "one header with two": [("x-browser-use-signature", f"{'0' * 64}, {GOOD}")],
    "capitals and spaces": [("X-BROWSER-USE-SIGNATURE", f" {GOOD} ")],
}
OF_ASGI = [(name.lower().encode(), text.encode()) for name, text in _headers().items()]
REFUSED = {
    **dict.fromkeys(("ä" * 64, "\ud800" * 64, GOOD.upper(), GOOD[:63], GOOD + "0"), "signature"),
    **dict.fromkeys((f"sha256={GOOD}", f"v1={GOOD}", "\x00" * 64, "0" * 100_000), "signature"),
    f"{GOOD[:32]} {GOOD[32:]}": "signature",
    **dict.fromkeys(("", " ", ",,,", ",".join(["0" * 64] * 9)), "header"),
}


@pytest.mark.parametrize("pairs", ACCEPTED.values(), ids=ACCEPTED)
@pytest.mark.parametrize("kind", [list, CIMultiDict])
def test_signatures_that_are_found(pairs, kind):
    """Each of several is tried, in any form in which a proxy or framework passes them on."""
    for headers in (kind([STAMP_PAIR, *pairs]), OF_ASGI, [STAMP_PAIR, OF_ASGI[1]]):
        assert webhooks.verify(BODY, headers, SECRET, now=NOW).secret_index == 0


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=lambda each: ascii(each)[:20])
def test_signatures_that_are_none(text, reason):
    """Each is a typed refusal, and nothing else is raised."""
    assert _verdict(headers=_headers(text)) == (400 if reason == "header" else 403, reason)


def test_nothing_that_was_changed_is_accepted():
    """If one bit of the body, the timestamp or the signature changes, the call is refused."""
    for place in range(len(BODY)):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert _verdict(changed) == (403, "signature")
    for place, digit in enumerate(GOOD):
        other = "0" if digit != "0" else "1"
        wrong = _headers(GOOD[:place] + other + GOOD[place + 1 :])
        assert _verdict(headers=wrong) == (403, "signature")
    for stamp in (str(int(STAMP) + 1), f"{STAMP}.0"):
        assert _verdict(headers=_headers(stamp=stamp)) == (403, "signature")
    for missing in _headers():
        rest = {name: text for name, text in _headers().items() if name != missing}
        assert _verdict(headers=rest) == (400, "header")


SPELLINGS = [
    *(STAMP, f"{STAMP}.25", f"{STAMP}000", "2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00"),
    *("2026-03-01T12:00:00", "2026-03-01T12:00:00.123456+00:00", f"  {STAMP}\t"),
]
NO_SPELLINGS = ["yesterday", "NaN", "inf", "1" + "0" * 20, "-1", "1e9", "0x10", "٣٤٥", "1,5", "é"]


def test_timestamps_in_every_spelling():
    """They are read by their value and signed as they are written; others are no timestamps."""
    for text in SPELLINGS:
        headers = _headers(signature(BODY, text.strip()), text)
        call = webhooks.verify(BODY, headers, SECRET, now=NOW)
        assert abs(call.sent_at - NOW) < timedelta(seconds=1)
    for text in NO_SPELLINGS:
        headers = _headers(signature(BODY, text), text)
        assert _verdict(headers=headers, tolerance=None) == (400, "header")


@pytest.mark.parametrize("seconds", [-301, -299, 0, 299, 301])
def test_the_window_has_two_sides(seconds):
    """Too old and too new are refused, in every format of the time."""
    sent = NOW + timedelta(seconds=seconds)
    unix = int(sent.timestamp())
    for stamp in (str(unix), str(unix * 1000), sent.isoformat()):
        headers = _headers(signature(BODY, stamp), stamp)
        is_fresh = isinstance(_verdict(headers=headers), webhooks.TaskStatusUpdate)
        assert is_fresh is (abs(seconds) < 300)
        assert isinstance(_verdict(headers=headers, tolerance=None), webhooks.TaskStatusUpdate)


# --- secrets ------------------------------------------------------------------------------


def test_several_secrets():
    """During a rotation both are accepted, and the matching one is named."""
    headers = _headers(signature(_canonical(EVENT), STAMP, "old"))

    assert webhooks.verify(BODY, headers, ["new", "old"], now=NOW).secret_index == 1
    assert _verdict(headers=headers, secret=["new", "third"]) == (403, "signature")


@pytest.mark.parametrize("secret", ["", "  ", [], [""], None, b"bytes"])
def test_a_secret_that_is_none_is_refused(secret):
    """An empty secret would accept every signature."""
    with pytest.raises(errors.ConfigurationError):
        webhooks.verify(b"{}", _headers("0" * 64), secret, now=NOW)


def test_signatures_are_compared_in_constant_time():
    """The file of the signatures compares them by `compare_digest` on bytes, and only by it."""
    source = inspect.getsource(signatures)
    compared = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(each, (ast.Eq, ast.NotEq, ast.In, ast.NotIn)) for each in node.ops)
    ]

    assert source.count("hmac.compare_digest(expected, signature)") == 1
    assert sorted(compared) == ["key == name.lower()", "len(each) == MAX_LENGTH"]
    assert {type(each) for each in signatures.signatures_of(_headers())} == {bytes}


# --- what a call becomes -------------------------------------------------------------------


def _read(event: dict[str, Any]) -> Any:
    return _verdict(body_of(event), _headers(signature(_canonical(event), STAMP)))


def test_events():
    """A call becomes a typed event; a kind or shape that is not known is passed on."""
    update = _read(EVENT)
    marked = EVENT["payload"] | {"metadata": {"a": "b", "bu_async.token": "mark"}}
    with_mark = _read(EVENT | {"payload": marked})

    assert isinstance(update, webhooks.TaskStatusUpdate)
    assert (update.task_id, update.session_id, update.metadata) == tuple(
        EVENT["payload"][name] for name in ("task_id", "session_id", "metadata")
    )
    assert update.status is webhooks.WebhookStatus.FINISHED
    assert update.timestamp == datetime(2025, 5, 25, 9, 22, 22, 269116, UTC)
    assert _read(json.loads(TEST)) == webhooks.TestEvent(
        {"test": "ok"}, datetime(2024, 3, 21, 12, tzinfo=UTC)
    )
    assert (with_mark.metadata, with_mark.submission_mark) == ({"a": "b"}, "mark")
    assert "mark" not in repr(with_mark)
    for changed in (
        {"type": "something.new"},
        *({"payload": each} for each in (None, [1], {"status": "finished"})),
    ):
        odd = _read(EVENT | changed)
        assert isinstance(odd, webhooks.UnknownEvent)
        assert odd.type == (EVENT | changed)["type"]


@given(
    body=st.binary(max_size=200),
    signed=st.text(max_size=80),
    stamp=st.just(STAMP) | st.text(max_size=20),
    extra=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=3),
)
def test_whatever_comes_is_refused_and_nothing_else(body, signed, stamp, extra):
    """Any bytes and headers without the secret: never accepted, never another exception."""
    assert isinstance(_verdict(body, {**extra, **_headers(signed, stamp)}), tuple)
