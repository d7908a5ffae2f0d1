"""Which connections are allowed: by the kind of an address, and by the hosts that a task names."""

import subprocess
import sys

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import ChromiumSettings
from browser_use_async.server.egress.policy import (
    AddressKind,
    Destination,
    EgressPolicy,
    PrivateAddresses,
    kind_of,
)
from browser_use_async.server.records import Assignment

NAMED = "Open http://127.0.0.1:8000/prices, then http://[::1]:9000/ and localhost:7000/x"


def _policy(settings: ChromiumSettings, task: str) -> EgressPolicy:
    return settings.egress().policy(Assignment("t-1", task))


def _opens(settings: ChromiumSettings, host: str, port: int, task: str = NAMED) -> bool:
    address = {"localhost": "127.0.0.1"}.get(host, host)
    destination = Destination(host, port, ("http",))
    return _policy(settings, task).refusal_of(destination, address) is None


@pytest.mark.parametrize(
    ("host", "port", "opens"),
    [
        ("127.0.0.1", 8000, True),
        ("::1", 9000, True),
        ("localhost", 7000, True),
        ("127.0.0.1", 8001, False),
        ("localhost", 8000, False),
        ("10.0.0.1", 80, False),
    ],
)
def test_what_the_task_names_is_opened_and_nothing_beside_it(host, port, opens):
    """Host and port must be those of the text; a neighbouring port stays closed."""
    assert _opens(ChromiumSettings(allow_named_addresses=True), host, port) is opens


@pytest.mark.parametrize(
    ("task", "host", "port"),
    [
        ("Open http://169.254.169.254/latest/meta-data/iam/", "169.254.169.254", 80),
        ("Open http://169.254.169.254:80/latest/meta-data/iam/", "169.254.169.254", 80),
        ("Find the head office of http://169.254.169.254/ Ltd", "169.254.169.254", 80),
        ("Open 10.0.0.7/admin", "10.0.0.7", 443),
        ("Open http://10.0.0.7:8080/admin", "10.0.0.7", 8080),
        ("Find the head office of http://127.0.0.1/latest/meta-data/", "127.0.0.1", 80),
        ("Open https://localhost/", "localhost", 443),
        ("Open http://0.0.0.0:8000/", "0.0.0.0", 8000),
        ("Open http://[fd00:ec2::254]:80/", "fd00:ec2::254", 80),
        ("Open http://168.63.129.16:80/", "168.63.129.16", 80),
        ("Open http://100.100.100.200:80/", "100.100.100.200", 80),
    ],
)
def test_naming_opens_this_machine_only_and_only_with_the_port(task, host, port):
    """A number in a sentence without a port, or of a private network, stays closed."""
    assert not _opens(ChromiumSettings(allow_named_addresses=True), host, port, task=task)


def test_a_name_that_leads_here_by_its_name_server_is_not_named():
    """A host that the task names is this machine only if its spelling says so."""
    settings = ChromiumSettings(allow_named_addresses=True)
    policy = _policy(settings, "Open http://rebind.example:8000/ and http://a.localhost:8000/")

    assert policy.refusal_of(Destination("rebind.example", 8000, ("http",)), "127.0.0.1")
    assert not policy.refusal_of(Destination("a.localhost", 8000, ("http",)), "127.0.0.1")
    assert policy.refusal_of(Destination("a.localhost", 8000, ("http",)), "10.0.0.1")


def test_without_permission_naming_opens_nothing():
    """An executor alone does not know who can reach it, so no address is open by default."""
    assert not _opens(ChromiumSettings(), "127.0.0.1", 8000)
    assert not _opens(ChromiumSettings(allow_named_addresses=False), "127.0.0.1", 8000)


def test_the_operators_addresses_stay_open():
    """Addresses that the operator has opened are open to every task, whatever its text names."""
    some = ChromiumSettings(
        allow_private_addresses=["http://10.0.0.1:80"], allow_named_addresses=True
    )

    assert _opens(some, "10.0.0.1", 80, task="Read it")
    assert not _opens(some, "10.0.0.2", 80, task="Read it")
    assert _opens(ChromiumSettings(allow_private_addresses=True), "10.0.0.2", 80, task="Read it")


@pytest.mark.parametrize("wrong", ["127.0.0.1:80:90", "somewhere", "http://["])
def test_wrong_private_addresses(wrong):
    """A text that is no address is refused."""
    with pytest.raises(ConfigurationError, match="is no address such as"):
        PrivateAddresses.of([wrong])


KINDS = {
    AddressKind.PUBLIC: ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8"],
    AddressKind.LOOPBACK: ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"],
    AddressKind.PRIVATE: [
        *("10.0.0.1", "10.255.255.254", "172.16.0.1", "172.31.255.254", "192.168.255.254"),
        *("100.64.0.1", "100.127.255.254", "fd12::1"),
    ],
    AddressKind.CLOSED: [
        "64:ff9b::7f00:1",  # NAT64
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",  # 6to4
        "2002:a9fe:a9fe::1",
        "192.88.99.1",
        "2001:0:7f00:1::",  # Teredo
        "::7f00:1",  # IPv4 in IPv6, in its old form
        "::ffff:0:7f00:1",
        "fec0::1",
        "fe80::1%eth0",
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
        "fd00:ec2::254",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
    ],
}


@pytest.mark.parametrize(
    ("address", "kind"), [(each, kind) for kind, found in KINDS.items() for each in found]
)
def test_addresses_are_what_they_lead_to(address, kind):
    """Translations into private addresses, and cloud metadata services, are closed."""
    assert kind_of(address) is kind


def test_closed_addresses_are_closed_for_all():
    """Not even the operator's `*` opens an address that is no host of a network."""
    policy = _policy(ChromiumSettings(allow_private_addresses=True), "Read it")
    closed = KINDS[AddressKind.CLOSED]

    refused = [policy.refusal_of(Destination("a.example", 80, ("http",)), each) for each in closed]
    assert None not in refused


def test_addresses_of_this_machines_own_are_private():
    """A public address of an interface of this machine belongs to this machine."""
    here = "import sys; from browser_use_async.server.egress.policy import kind_of; "
    program = f'{here} print(kind_of("8.8.8.8"), kind_of("2606:4700::1"), kind_of("8.8.4.4"))'
    script = (
        "ip link set lo up && ip address add 8.8.8.8/32 dev lo && "
        f"ip address add 2606:4700::1/128 dev lo && exec {sys.executable} -c '{program}'"
    )
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"this machine gives no network namespace: {done.stderr.strip()}")

    assert done.stdout.split() == ["private", "private", "public"]


def test_public_pages_do_not_use_the_operators_word():
    """The operator's private addresses are open to tasks, not to links of public pages."""
    private = PrivateAddresses.of(allowed=True).opening(["http://10.0.0.1:80"])
    policy = EgressPolicy(private=private)
    other, listed = Destination("10.0.0.2", 80, ("http",)), Destination("10.0.0.1", 80, ("http",))

    assert policy.refusal_of(other, "10.0.0.2") is None
    assert policy.after_public().refusal_of(other, "10.0.0.2") is not None
    assert policy.after_public().refusal_of(listed, "10.0.0.1") is None
