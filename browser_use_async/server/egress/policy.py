"""The policy for connections: hosts by the task's domains, addresses by their kind.

A name says nothing about where it leads. So names are compared with the allowed domains and with
the hosts of advertisements, and the address that will be connected to decides about the rest.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files

import attrs
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.errors import ConfigurationError

_NAMES_OF_THIS_MACHINE = frozenset({"localhost", "broadcasthost", "local", "0.0.0.0"})  # noqa: S104
_ENTRY = re.compile(
    r"""(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?
        (?P<wildcard>\*\.)?
        (?P<host>\[[0-9a-f:.]+\]|[^\s/:?#@*]+|\*)
        (?::(?P<port>\d{1,5}))?
        (?:[/?#].*)?""",
    re.IGNORECASE | re.VERBOSE,
)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _networks(*networks: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, networks))


# Listed here, because `is_global` of the ipaddress module differs between versions of Python, and
# is true for addresses that lead to private ones by translation.
_CLOSED = _networks(
    "0.0.0.0/8",  # "this host", which connects to this machine
    "169.254.0.0/16",  # link-local, and the metadata services of most clouds
    "100.100.100.200/32",  # metadata of Alibaba Cloud
    "168.63.129.16/32",  # the platform's host of Azure
    "192.0.0.192/32",  # metadata of Oracle Cloud
    "192.88.99.0/24",  # relays of 6to4
    "224.0.0.0/3",  # multicast, reserved and broadcast
    "fd00:ec2::/32",  # metadata of Amazon
    "fd20:ce::254/128",  # metadata of Google Cloud
    "2001::/23",  # Teredo and other protocols
    "2002::/16",  # 6to4
)
_PRIVATE = _networks(
    "10.0.0.0/8",
    "100.64.0.0/10",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "fc00::/7",
    "2001:db8::/32",
    "3fff::/20",
)
# Outside of it and of fc00::/7 no IPv6 address may be reached: link-local and site-local,
# multicast, NAT64 (64:ff9b::), and other forms of IPv4.
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")


class AddressKind(StrEnum):
    """The kind of an address, as seen from this machine."""

    PUBLIC = "public"
    LOOPBACK = "loopback"
    PRIVATE = "private"  # in a private network, or another address of this machine
    CLOSED = "closed"  # never opened: link-local, metadata, translated and reserved ones


def kind_of(address: str) -> AddressKind:
    """Return the kind of a connection's address."""
    found = _parsed(address)
    if found.is_loopback:
        return AddressKind.LOOPBACK
    if any(found in network for network in _CLOSED if network.version == found.version):
        return AddressKind.CLOSED
    if any(found in network for network in _PRIVATE if network.version == found.version):
        return AddressKind.PRIVATE
    if isinstance(found, ipaddress.IPv6Address) and found not in _GLOBAL_IPV6:
        return AddressKind.CLOSED
    return AddressKind.PRIVATE if _is_own(found) else AddressKind.PUBLIC


def _parsed(address: str) -> _Address:
    found = ipaddress.ip_address(address.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _is_own(address: _Address) -> bool:
    """Whether an interface of this machine has the address."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            # Sends nothing: connecting a datagram socket chooses the route and the sender's
            # address, which is the destination itself only on the machine that has it.
            probe.connect((str(address), 9))
            return _parsed(probe.getsockname()[0]) == address
    except OSError:  # there is no route
        return False


@attrs.frozen
class _Rule:
    host: str
    subdomains: bool
    scheme: str | None
    port: int | None

    def fits(self, url: URL, host: str, *, https_only: bool) -> bool:
        if self.scheme is None and https_only and url.scheme != "https" and not is_here(host):
            return False
        if self.scheme is not None and self.scheme != url.scheme:
            return False
        if self.port is not None and self.port != url.port:
            return False
        if self.port is None and https_only and not (url.is_default_port() or is_here(host)):
            return False
        if self.subdomains and host.endswith(f".{self.host}"):
            return True
        return self.host in {"*", host}


class AllowedDomains:
    """The domains that a task may visit.

    `shop.example` allows exactly that host; `*.shop.example` allows every subdomain, and
    `shop.example` itself, which nearly always redirects to one of them; `*` allows all. An entry
    may carry a scheme and a port, which then have to fit as well; a path in it is ignored. An
    entry that cannot be understood allows nothing. No list allows every domain, an empty one none.

    With `https_only` an entry without a scheme stands for https only, and one without a port for
    the default one, except on this machine: the task has secrets, which must not be readable on the
    way or by another program of the host. Otherwise an entry without a port allows all ports.
    """

    def __init__(self, entries: Sequence[str] | None, *, https_only: bool = False) -> None:
        self._entries = None if entries is None else tuple(entries)
        self._https_only = https_only
        rules = (_rule(entry) for entry in self._entries or ())
        self._rules = tuple(rule for rule in rules if rule is not None)

    def allows(self, url: str) -> bool:
        """Whether an address may be opened."""
        if self._entries is None:
            return True
        try:
            target = URL(url)
        except ValueError:
            return False
        host = _normalised(target.raw_host or "")
        return any(rule.fits(target, host, https_only=self._https_only) for rule in self._rules)

    def __str__(self) -> str:
        if self._entries is None:
            return "all"
        listed = ", ".join(self._entries) or "none"
        return (
            f"{listed}; https and default ports only, because of its secrets"
            if self._https_only
            else listed
        )


_EVERYWHERE = AllowedDomains(None)


def _rule(entry: str) -> _Rule | None:
    match = _ENTRY.fullmatch(entry.strip())
    if match is None:
        return None
    scheme, port = match["scheme"], match["port"]
    host, wildcard = match["host"], match["wildcard"] is not None
    if host == "*" and wildcard:
        return None  # `*.*`: all domains are `*`, and no other pattern is as wide
    if host != "*":
        try:
            host = _normalised(URL(f"http://{host}/").raw_host or "")
        except ValueError:
            return None
    return _Rule(
        host=host,
        subdomains=wildcard,
        scheme=scheme.lower() if scheme else None,
        port=int(port) if port else None,
    )


def _normalised(host: str) -> str:
    return host.lower().rstrip(".")


def is_here(host: str) -> bool:
    """Whether a host is this machine by its spelling, whatever a name server says."""
    return is_loopback(host) or host.endswith(".localhost")


@attrs.frozen
class Destination:
    """The destination of a connection."""

    host: str  # the host, as the page names it, in lower case
    port: int
    schemes: tuple[str, ...]  # the possible protocols; several for a tunnel

    @classmethod
    def of(cls, url: URL) -> "Destination":
        """The destination of a request for an http or https address."""
        return cls((url.raw_host or "").lower(), url.port or 0, (url.scheme,))

    @property
    def urls(self) -> list[str]:
        """Its addresses without a path, one for each scheme."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return [str(URL(f"{scheme}://{host}:{self.port}/")) for scheme in self.schemes]

    def __str__(self) -> str:
        default = {80: "http", 443: "https"}.get(self.port)
        return self.host if default in self.schemes else f"{self.host}:{self.port}"


@attrs.frozen
class Refusal:
    """A refused connection."""

    destination: Destination
    reason: str  # why not: the end of a sentence that begins with the destination
    is_advertising: bool = False  # whether it was for an advertisement, which happens often

    def __str__(self) -> str:
        return f"{self.destination} {self.reason}"


class AdHosts:
    """Hosts of advertisements and trackers, with their subdomains."""

    def __init__(self) -> None:
        self._hosts = _known_ad_hosts()

    def __contains__(self, host: object) -> bool:
        labels = str(host).split(".")
        return any(".".join(labels[place:]) in self._hosts for place in range(len(labels)))


@attrs.frozen
class PrivateAddresses:
    """The permission to open addresses of this machine and of private networks."""

    all: bool = False  # whether the operator allows all of them
    # hosts and ports that the operator allows
    listed: frozenset[tuple[str, int]] = frozenset()
    # hosts and ports of this machine that the request names itself
    named: frozenset[tuple[str, int]] = frozenset()

    @classmethod
    def of(cls, allowed: bool | Iterable[str]) -> "PrivateAddresses":
        """The addresses that the operator allows."""
        return cls(all=allowed) if isinstance(allowed, bool) else cls().opening(allowed)

    def opening(self, origins: Iterable[str]) -> "PrivateAddresses":
        """With the addresses at these `http://host:port`, allowed by the operator."""
        return attrs.evolve(self, listed=self.listed | set(map(_host_and_port, origins)))

    def naming(self, urls: Iterable[str]) -> "PrivateAddresses":
        """With the addresses of this machine that a request names itself, with their ports.

        A port that is not written does not count: prose is full of names without one. Nor does a
        name that only a name server leads to this machine, since it can lead elsewhere next.
        """
        return attrs.evolve(self, named=self.named.union(*map(_named_place, urls)))

    def allow(self, destination: Destination, address: str) -> bool:
        """Whether a connection may be made to an address."""
        kind = kind_of(address)
        if kind in {AddressKind.PUBLIC, AddressKind.CLOSED}:
            return kind is AddressKind.PUBLIC
        place = destination.host, destination.port
        if self.all or place in self.listed:
            return True
        return kind is AddressKind.LOOPBACK and place in self.named


CLOSED_PORTS: set[int] = set()
"""Ports of this machine to which no connection may lead.

They are the ways out of tasks and the ports that steer browsers of agents: a client that reached
one of another owner's task would have its pages. The code that opens one adds it, and removes it at
the end.
"""


@attrs.frozen
class EgressPolicy:
    """The rules for the connections of one task, search or webhook."""

    domains: AllowedDomains = _EVERYWHERE  # the domains that it may visit
    private: PrivateAddresses = PrivateAddresses()  # the private addresses that it may open
    ads: AdHosts | None = None  # the blocked hosts; None for none

    @classmethod
    def of_operator(cls) -> "EgressPolicy":
        """The policy for what the person at this machine types: any address that can be opened."""
        return cls(private=PrivateAddresses(all=True))

    def after_public(self) -> "EgressPolicy":
        """The policy for addresses from a public page.

        The operator's permission for all private addresses is for users of that network; a public
        page must not use it.
        """
        return attrs.evolve(self, private=attrs.evolve(self.private, all=False))

    def refusal(self, destination: Destination) -> Refusal | None:
        """Why a name may not be connected to, or None."""
        if not any(map(self.domains.allows, destination.urls)):
            reason = f"is outside the allowed domains of this task ({self.domains})"
            return Refusal(destination, reason)
        if self.ads is not None and destination.host in self.ads:
            return Refusal(destination, "is blocked as advertising", is_advertising=True)
        return None

    def refusal_of(self, destination: Destination, address: str) -> Refusal | None:
        """Why an address may not be connected to, or None."""
        is_closed = destination.port in CLOSED_PORTS and _leads_here(address)
        if is_closed or not self.private.allow(destination, address):
            reason = f"is a private address ({address}), which this server does not open"
            return Refusal(destination, reason)
        return None


# The policy before there is a task: nothing may be connected to.
NOWHERE = EgressPolicy(domains=AllowedDomains(()))


def _leads_here(address: str) -> bool:
    found = _parsed(address)
    return found.is_loopback or found.is_unspecified or _is_own(found)


@cache
def _known_ad_hosts() -> frozenset[str]:
    folder = files("browser_use_async.server.egress")
    text = folder.joinpath("ad_hosts.txt").read_text(encoding="utf-8")
    return frozenset(_hosts_in(text.splitlines()))


def _hosts_in(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        words = line.partition("#")[0].split()
        # The first word of two is the address of the name in a hosts file.
        if words and words[-1].lower() not in _NAMES_OF_THIS_MACHINE:
            yield words[-1].lower().strip(".")


def _named_place(url: str) -> set[tuple[str, int]]:
    try:
        target = URL(url)
    except ValueError:
        return set()  # it will be opened neither
    host, port = (target.raw_host or "").lower(), target.explicit_port
    return {(host, port)} if port and is_here(host) else set()


def _host_and_port(origin: str) -> tuple[str, int]:
    try:
        url = URL(origin)
        if url.raw_host and url.port:
            return url.raw_host.lower(), url.port
    except ValueError:
        pass
    raise ConfigurationError(f"{origin!r} is no address such as http://127.0.0.1:8000")
