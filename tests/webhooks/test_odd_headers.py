"""The two headers in every shape, and how they are compared."""

import ast
import inspect
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from multidict import CIMultiDict

from browser_use_async import errors, webhooks
from browser_use_async.webhooks import signature as signatures
from tests.webhooks.calls import SECRET, body_of, signature

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = body_of({"type": "test", "payload": {"test": "ok"}})
GOOD = signature(BODY, STAMP)


def _verify(headers: Any, **options: Any) -> webhooks.VerifiedCall:
    return webhooks.verify(BODY, headers, SECRET, now=NOW, **options)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("ä" * 64, 403),
        ("\ud800" * 64, 403),
        (GOOD.upper(), 403),
        (GOOD[:63], 403),
        (GOOD + "0", 403),
        (f"sha256={GOOD}", 403),
        (f"v1={GOOD}", 403),
        ("", 400),
        (" ", 400),
        (",,,", 400),
        ("\x00" * 64, 403),
        (",".join(["0" * 64] * 9), 400),
        (f"{GOOD[:32]} {GOOD[32:]}", 403),
        ("0" * 100_000, 403),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_signatures_that_are_none(given: str, status: int):
    """Each is a typed refusal, and nothing else is raised."""
    with pytest.raises(errors.WebhookVerificationError) as caught:
        _verify({"X-Browser-Use-Timestamp": STAMP, "X-Browser-Use-Signature": given})

    assert caught.value.status == status
    assert caught.value.reason == ("header" if status == 400 else "signature")


@pytest.mark.parametrize(
    "pairs",
    [
        [("X-Browser-Use-Signature", "0" * 64), ("X-Browser-Use-Signature", GOOD)],
        [("x-browser-use-signature", f"{'0' * 64}, {GOOD}")],
        [("X-BROWSER-USE-SIGNATURE", f" {GOOD} ")],
        [(b"x-browser-use-signature", GOOD.encode())],
    ],
    ids=["two headers", "one header with two", "capitals and spaces", "bytes"],
)
@pytest.mark.parametrize("kind", [list, CIMultiDict])
def test_signatures_that_are_found(pairs: list[tuple[Any, Any]], kind: Callable[[Any], Iterable]):
    """Each of several is tried, in any form in which a proxy or framework passes them on."""
    if kind is CIMultiDict and isinstance(pairs[0][0], bytes):
        pairs = [(name.decode(), value.decode()) for name, value in pairs]
    stamp = ("X-Browser-Use-Timestamp", STAMP)

    assert _verify(kind([stamp, *pairs])).secret_index == 0


SPELLINGS = {
    "seconds": STAMP,
    "fraction": f"{STAMP}.25",
    "milliseconds": f"{STAMP}000",
    "ISO Z": "2026-03-01T12:00:00Z",
    "ISO offset": "2026-03-01T13:00:00+01:00",
    "ISO naive": "2026-03-01T12:00:00",
    "ISO fraction": "2026-03-01T12:00:00.123456+00:00",
    "spaces": f"  {STAMP}\t",
}
NO_SPELLINGS = ["yesterday", "NaN", "inf", "1" + "0" * 20, "-1", "1e9", "0x10", "٣٤٥", "1,5", "é"]


@pytest.mark.parametrize("name", SPELLINGS)
def test_timestamps_in_every_spelling(name: str):
    """They are read by their value, and signed as they are written."""
    text = SPELLINGS[name]
    sent_at = _verify(
        {
            "X-Browser-Use-Timestamp": text,
            "X-Browser-Use-Signature": signature(BODY, text.strip()),
        }
    ).sent_at

    assert abs(sent_at - NOW) < timedelta(seconds=1)


@pytest.mark.parametrize("text", NO_SPELLINGS, ids=ascii)
def test_timestamps_that_are_none(text: str):
    """The answer is 400, even where the signature over them is right."""
    with pytest.raises(errors.WebhookVerificationError) as caught:
        _verify(
            {
                "X-Browser-Use-Timestamp": text,
                "X-Browser-Use-Signature": signature(BODY, text),
            },
            tolerance=None,
        )

    assert (caught.value.status, caught.value.reason) == (400, "header")


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"test","payload":{"status":"failed","status":"finished"}}',
        b'{"payload":1,"payload":2}',
        b'{"a":{"b":[{"c":1,"c":1}]}}',
        b'{"a":1,"\\u0061":2}',
    ],
)
def test_a_key_that_stands_twice(body: bytes):
    """It is refused although the signature is right, because another parser reads another event."""
    headers = {
        "X-Browser-Use-Timestamp": STAMP,
        "X-Browser-Use-Signature": signature(body, STAMP),
    }
    with pytest.raises(errors.WebhookVerificationError, match="same key twice") as caught:
        webhooks.unwrap(body, headers, SECRET, now=NOW)

    assert caught.value.reason == "body"


def _comparisons(module: ModuleType) -> list[str]:
    """Comparisons by == and != of any value that a signature could be."""
    tree = ast.parse(inspect.getsource(module))
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and any(isinstance(each, (ast.Eq, ast.NotEq, ast.In, ast.NotIn)) for each in node.ops)
    ]


def test_signatures_are_compared_in_constant_time():
    """The file of the signatures compares them by `compare_digest` on bytes, and only by it."""
    source = inspect.getsource(signatures)
    compared = _comparisons(signatures)

    assert source.count("hmac.compare_digest(expected, signature)") == 1
    assert sorted(compared) == ["key == name.lower()", "len(each) == MAX_LENGTH"]
    assert all(
        isinstance(each, bytes)
        for each in signatures.signatures_of({"X-Browser-Use-Signature": GOOD})
    )
