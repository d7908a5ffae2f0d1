import json

import pytest

from browser_use_async.server import AgentSettings
from browser_use_async.server.executors.agent.executor import (
    Model,
    address_patterns,
    make_order,
    secrets_by_domain,
)
from browser_use_async.server.executors.agent.worker.channel import HEADER_BYTES, pack
from browser_use_async.server.records import Assignment

SECRETS = {"password": "hidden"}


@pytest.mark.parametrize(
    ("entry", "patterns"),
    [
        ("shop.example", ["http*://shop.example"]),
        (" Shop.Example. ", ["http*://shop.example"]),
        ("*.shop.example", ["http*://*.shop.example", "http*://shop.example"]),
        ("https://shop.example:8443/path", ["http*://shop.example"]),
        ("http://*.shop.example", ["http*://*.shop.example", "http*://shop.example"]),
        ("[::1]:80", ["http*://::1"]),
        ("bücher.example", ["http*://xn--bcher-kva.example"]),
        ("*", ["http*://*"]),
    ],
)
def test_allowed_domains_become_patterns(entry, patterns):
    """The agent gets hosts and wildcards with a scheme, whatever else an entry contains."""
    assert address_patterns([entry, entry]) == patterns


def test_without_domains_there_is_a_pattern():
    """A task without domains may open http and https, and no other scheme."""
    assert address_patterns(None) == ["http*://*"]


def test_an_empty_list_is_not_every_domain():
    """An empty list must not reach browser-use, which takes it for all domains."""
    assert address_patterns([]) == ["http*://nothing.invalid"]


@pytest.mark.parametrize("entry", ["", "a*.example", "*.*.example", "http://", "::::"])
def test_what_is_no_domain_allows_nothing(entry):
    """An invalid entry is no wildcard either, and allows no secret."""
    assert address_patterns([entry]) == ["http*://nothing.invalid"]
    assert secrets_by_domain(SECRETS, [entry]) == {}


def test_secrets_are_bound_to_domains():
    """With allowed domains each secret is for them only, by https unless an entry says more."""
    assert secrets_by_domain(SECRETS, None) == SECRETS
    assert secrets_by_domain({}, ["shop.example"]) == {}
    assert secrets_by_domain(SECRETS, []) == {}
    domains = ["*.shop.example", "https://bank.example", "localhost"]
    assert secrets_by_domain(SECRETS, domains) == {
        "https://*.shop.example": SECRETS,
        "http*://localhost": SECRETS,
        "https://bank.example": SECRETS,
    }


def test_an_order(tmp_path):
    """Files are written, cookies completed, and an endpoint without a key gets a placeholder."""
    assignment = Assignment(
        task_id="t",
        task="Do it",
        max_agent_steps=7,
        files={"notes.txt": b"text", "../up.txt": b"more"},
        cookies=[{"name": "a", "value": "b", "domain": "shop.example", "secure": True}],
    )
    model = Model.of(AgentSettings(llm_base_url="http://host/v1", llm_key=""))

    order = make_order(assignment, model, "mine", "ws://127.0.0.1:1/x", tmp_path)

    assert sorted(order["uploads"]) == [
        f"{tmp_path}/uploads/{each}" for each in ("notes.txt", "up.txt")
    ]
    assert (tmp_path / "uploads" / "notes.txt").read_bytes() == b"text"
    assert order["cookies"][0]["path"] == "/"
    assert order["cookies"][0]["secure"] is True
    assert (order["key"], order["model"], order["max_steps"]) == ("none", "mine", 7)


def test_messages_survive_the_pipe():
    """A message is its length and its JSON."""
    sent = pack({"text": "Grüße\n"})

    assert int.from_bytes(sent[:HEADER_BYTES], "big") == len(sent) - HEADER_BYTES
    assert json.loads(sent[HEADER_BYTES:]) == {"text": "Grüße\n"}
