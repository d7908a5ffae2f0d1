"""Standard Webhooks: signatures of the reference library are accepted, and no weaker ones."""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from browser_use_async import webhooks
from browser_use_async.errors import WebhookVerificationError
from browser_use_async.webhooks.standard import StandardSignature, standard_headers
from tests.webhooks.calls import body_of, event, headers_of

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
PLAIN = "a secret of the dashboard"


def _signed(
    body: bytes, secret: str = SECRET, message_id: str = "msg_1", sent: datetime | None = None
) -> dict[str, str]:
    """The headers, made by the reference library now or at another time."""
    sent = sent or datetime.now(UTC)
    key: str | bytes = secret if secret.startswith("whsec_") else secret.encode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(key).sign(message_id, sent, body.decode()),
    }


def _refused(body: bytes, headers: dict[str, str], secret: Any = SECRET) -> str:
    with pytest.raises(WebhookVerificationError) as caught:
        webhooks.verify(body, headers, secret)
    return caught.value.reason


def test_the_specifications_example():
    """The signature of the specification's own test vector."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    sent = datetime.fromtimestamp(1614265330, UTC)
    headers = standard_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", body, secret, sent)

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert webhooks.verify(body, headers, secret, now=sent).id == headers["webhook-id"]


@pytest.mark.parametrize("secret", [SECRET, SECRET.rstrip("="), PLAIN])
def test_both_directions_with_the_reference_library(secret):
    """Its signatures are accepted here, and signatures made here are accepted there."""
    body = body_of(event())
    sent = datetime.now(UTC)
    call = webhooks.verify(body, _signed(body, secret, sent=sent), ["another one", secret])
    ours = standard_headers("msg_2", body, secret, datetime.now(UTC))

    assert (call.id, call.secret_index, call.body) == ("msg_1", 1, json.loads(body))
    assert abs(call.sent_at - sent) < timedelta(seconds=1)
    key: str | bytes = secret if secret.startswith("whsec_") else secret.encode()
    assert Webhook(key).verify(body, ours) == json.loads(body)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": "msg.1"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(int(time.time()) + 60)},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1," + "A" * 43 + "="},
        {"webhook-signature": "v2," + "A" * 43 + "="},
        {"webhook-signature": ""},
    ],
)
def test_nothing_that_was_changed_is_accepted(change):
    """The id, the time and the signature each count."""
    body = body_of(event())

    _refused(body, {**_signed(body), **change})


def test_another_body_or_layout_is_refused():
    """This signature is over the unchanged bytes, and not over an equivalent body."""
    body = body_of(event())
    headers = _signed(body)

    assert _refused(body + b" ", headers) == "signature"
    assert _refused(body.replace(b"finished", b"stopped!"), headers) == "signature"


def test_the_time_window_is_that_of_the_other_signature():
    """A call that is six minutes old is refused, though its signature is right."""
    body = body_of(event())

    assert _refused(body, _signed(body, sent=datetime.now(UTC) - timedelta(minutes=6))) == "stale"


@pytest.mark.parametrize("text", ["", "YQ==", "YQ", "not base64", "A" * 31])
def test_a_secret_that_could_be_guessed_signs_nothing(text):
    """Short, or no base64: its key is not used, in either direction."""
    secret, body = f"whsec_{text}", body_of(event())
    guesses = [b"a", text.encode(), secret.encode()]
    if text.isalnum():
        guesses.append(base64.b64decode(text + "=="))
    for key in guesses:
        forged = Webhook(key or b"a").sign("msg_1", datetime.now(UTC), body.decode())
        assert _refused(body, {**_signed(body), "webhook-signature": forged}, secret)

    assert standard_headers("msg_1", body, secret, datetime.now(UTC)) == {}
    assert webhooks.verify(body, headers_of(body, secret=secret), secret).id is None


def test_either_signature_is_enough():
    """A call may have one that does not match, as with a secret that only one side has."""
    body = body_of(event())
    ours, theirs = headers_of(body, secret=SECRET), _signed(body)
    wrong = headers_of(body, secret="another one")

    assert webhooks.verify(body, {**ours, **theirs}, SECRET).id == "msg_1"
    assert webhooks.verify(body, {**wrong, **theirs}, SECRET).id == "msg_1"
    assert webhooks.verify(body, {**ours, **_signed(body, PLAIN)}, SECRET).id is None
    assert _refused(body, {**wrong, **_signed(body, PLAIN)}) == "signature"


def test_a_signature_of_one_kind_is_none_of_the_other():
    """The parts of the signed text cannot be moved from one field to another."""
    body = body_of(event())
    stamp = str(int(time.time()))
    signed = webhooks.sign(body, stamp, PLAIN)
    encoded = base64.b64encode(bytes.fromhex(signed)).decode()
    moved = {
        "webhook-id": stamp,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{encoded}",
    }

    assert _refused(body, moved, PLAIN) == "signature"
    theirs = _signed(body, PLAIN)
    digest = base64.b64decode(theirs["webhook-signature"].removeprefix("v1,")).hex()
    headers = {"X-Browser-Use-Timestamp": stamp, "X-Browser-Use-Signature": digest}
    assert _refused(f"{stamp}.".encode() + body, headers, PLAIN) == "signature"


async def test_a_receiver_knows_an_event_again_by_its_id():
    """It uses the content, too, however the call was changed on the way."""
    events: list[webhooks.Event] = []
    receiver = webhooks.WebhookReceiver(SECRET, on_event=events.append)
    first, second = body_of(event()), body_of(event())
    kind = {"Content-Type": "application/json"}
    calls = [
        (first, _signed(first)),
        (first, _signed(first, sent=datetime.now(UTC) - timedelta(seconds=9))),  # another attempt
        (first, _signed(first, message_id="msg_2")),  # sent again by hand
        (first, headers_of(first, secret=SECRET)),  # without the headers that have the id
        (first, {**headers_of(first, secret=SECRET), "webhook-id": "msg_3"}),  # an id of others
        (second, _signed(second, message_id="msg_1")),  # another text under a known id
        (second, _signed(second, message_id="msg_3")),
    ]

    statuses = {receiver.receive(body, {**kind, **headers}).status for body, headers in calls}
    await receiver.aclose()

    assert statuses == {200}
    assert len(events) == 2
    assert receiver.metrics.duplicates == {"finished": 5}


def test_several_signatures_stand_in_one_header():
    """This is so during a rotation; signatures of other kinds are skipped."""
    body = body_of(event())
    headers, old = _signed(body), _signed(body, PLAIN)["webhook-signature"]
    signatures = f"v1a,{'A' * 86}== {old} {headers['webhook-signature']}"

    assert webhooks.verify(body, {**headers, "webhook-signature": signatures}, SECRET).id


@given(st.lists(st.tuples(st.sampled_from(["webhook-id", "webhook-timestamp"]), st.text())))
def test_any_headers_are_read_or_ignored(pairs):
    """Repeated with two values they are ignored."""
    headers = {name: {value for key, value in pairs if key == name} for name, _ in pairs}
    headers["webhook-signature"] = {"v1," + "A" * 43 + "="}
    read = StandardSignature.read(headers)

    assert read is None or read.sent_at.tzinfo is UTC
