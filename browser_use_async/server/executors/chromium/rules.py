"""Where one task's browser may go."""

import ipaddress
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import attrs
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.html.addresses import find_addresses
from browser_use_async.server.reading.domains import AllowedDomains

_NAMES_OF_THIS_MACHINE = frozenset({"localhost", "broadcasthost", "local", "0.0.0.0"})  # noqa: S104


@attrs.frozen
class Destination:
    """What a connection leads to.

    Attributes:
        host: The host, as the page names it, in lower case.
        port: The port.
        schemes: What may be spoken there; a tunnel does not tell.
    """

    host: str
    port: int
    schemes: tuple[str, ...]

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
    """A connection that was not made.

    Attributes:
        destination: Where it would have led.
        reason: Why not: the end of a sentence that begins with the destination.
        is_advertising: Whether it was for an advertisement, as is every day's business.
    """

    destination: Destination
    reason: str
    is_advertising: bool = False

    def __str__(self) -> str:
        return f"{self.destination} {self.reason}"


class AdHosts:
    """Hosts of advertisements and trackers, with everything below them.

    Args:
        more: A hosts file with further ones: `0.0.0.0 ads.example` or `ads.example` in a line.

    Raises:
        ConfigurationError: The file cannot be read.
    """

    def __init__(self, more: Path | None = None) -> None:
        self._hosts = _known_ad_hosts()
        if more is not None:
            try:
                text = more.read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                raise ConfigurationError(f"the list of ad hosts cannot be read: {error}") from error
            self._hosts |= frozenset(_hosts_in(text.splitlines()))

    def __contains__(self, host: object) -> bool:
        labels = str(host).split(".")
        return any(".".join(labels[place:]) in self._hosts for place in range(len(labels)))


class PrivateAddresses:
    """Which addresses of this machine and of private networks may be opened.

    Args:
        allowed: All of them, none of them, or those at these `http://host:port`.
    """

    def __init__(self, allowed: bool | Sequence[str]) -> None:
        self._all = allowed is True
        self._some = frozenset(map(_host_and_port, [] if isinstance(allowed, bool) else allowed))

    def and_those_of(self, task: str) -> "PrivateAddresses":
        """The same, and those that a task names itself.

        Args:
            task: Its instructions.
        """
        if self._all:
            return self
        named = (URL(mention.url) for mention in find_addresses(task))
        found = {f"http://{url.host_subcomponent}:{url.port}" for url in named if url.port}
        known = (str(URL.build(scheme="http", host=host, port=port)) for host, port in self._some)
        return PrivateAddresses([*known, *found])

    def allow(self, destination: Destination, address: str) -> bool:
        """Whether a connection may be made to an address.

        Args:
            destination: What the page asked for.
            address: What the name stands for.
        """
        if self._all or (destination.host, destination.port) in self._some:
            return True
        found = ipaddress.ip_address(address.partition("%")[0])
        inner = getattr(found, "ipv4_mapped", None) or found
        return bool(inner.is_global) and not inner.is_multicast


@attrs.frozen
class NetworkRules:
    """What holds for the connections of one task.

    Attributes:
        domains: The domains that it may visit.
        private: The private addresses that it may open.
        ads: What is blocked as advertisement; None for nothing.
        own_ports: Ports of this machine that no page may reach: those that steer the browser.
    """

    domains: AllowedDomains
    private: PrivateAddresses
    ads: AdHosts | None
    own_ports: Collection[int] = ()

    def protecting(self, own_ports: Collection[int]) -> "NetworkRules":
        """The same rules, with ports of this machine that no page may reach.

        Args:
            own_ports: The ports.
        """
        return attrs.evolve(self, own_ports=own_ports)

    def refusal(self, destination: Destination) -> Refusal | None:
        """Why a name may not be connected to, or None.

        Args:
            destination: What the page asked for.
        """
        if not any(map(self.domains.allows, destination.urls)):
            reason = f"is outside the allowed domains of this task ({self.domains})"
            return Refusal(destination, reason)
        if self.ads is not None and destination.host in self.ads:
            return Refusal(destination, "is blocked as advertising", is_advertising=True)
        return None

    def refusal_of(self, destination: Destination, address: str) -> Refusal | None:
        """Why an address may not be connected to, or None.

        Args:
            destination: What the page asked for.
            address: What the name stands for, which is what will be connected to.
        """
        steers = destination.port in self.own_ports and ipaddress.ip_address(address).is_loopback
        if steers or not self.private.allow(destination, address):
            reason = f"is a private address ({address}), which this server's browser does not open"
            return Refusal(destination, reason)
        return None


@cache
def _known_ad_hosts() -> frozenset[str]:
    folder = files("browser_use_async.server.executors.chromium")
    text = folder.joinpath("ad_hosts.txt").read_text(encoding="utf-8")
    return frozenset(_hosts_in(text.splitlines()))


def _hosts_in(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        words = line.partition("#")[0].split()
        # The first word of two is the address that a hosts file sends the name to.
        if words and words[-1].lower() not in _NAMES_OF_THIS_MACHINE:
            yield words[-1].lower().strip(".")


def _host_and_port(origin: str) -> tuple[str, int]:
    try:
        url = URL(origin)
        if url.host and url.port:
            return url.host, url.port
    except ValueError:
        pass
    raise ConfigurationError(f"{origin!r} is no address such as http://127.0.0.1:8000")
