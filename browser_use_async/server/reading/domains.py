"""Which hosts a task may visit."""

import re
from collections.abc import Sequence

import attrs
from yarl import URL

_ENTRY = re.compile(
    r"""(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?
        (?P<wildcard>\*\.)?
        (?P<host>\[[0-9a-f:.]+\]|[^\s/:?#@*]+|\*)
        (?::(?P<port>\d{1,5}))?
        (?:[/?#].*)?""",
    re.IGNORECASE | re.VERBOSE,
)


@attrs.frozen
class _Rule:
    host: str
    subdomains: bool
    scheme: str | None
    port: int | None

    def fits(self, url: URL, host: str) -> bool:
        if self.scheme is not None and self.scheme != url.scheme:
            return False
        if self.port is not None and self.port != url.port:
            return False
        if self.subdomains and host.endswith(f".{self.host}"):
            return True
        return self.host in {"*", host}


class AllowedDomains:
    """The domains that a task may visit.

    `shop.example` allows exactly that host; `*.shop.example` allows every subdomain, and
    `shop.example` itself, which nearly always redirects to one of them; `*` allows all. An entry
    may carry a scheme and a port, which then have to fit as well; a path in it is ignored. An
    entry that cannot be understood allows nothing.

    Args:
        entries: The entries; None or an empty sequence allows every domain.
    """

    def __init__(self, entries: Sequence[str] | None) -> None:
        self._entries = tuple(entries or ())
        rules = (_rule(entry) for entry in self._entries)
        self._rules = tuple(rule for rule in rules if rule is not None)

    def allows(self, url: str) -> bool:
        """Whether an address may be opened.

        Args:
            url: The address.
        """
        if not self._entries:
            return True
        try:
            target = URL(url)
        except ValueError:
            return False
        host = _normalised(target.raw_host or "")
        return any(rule.fits(target, host) for rule in self._rules)

    def __str__(self) -> str:
        return ", ".join(self._entries) or "all"


def _rule(entry: str) -> _Rule | None:
    match = _ENTRY.fullmatch(entry.strip())
    if match is None:
        return None
    scheme, port = match["scheme"], match["port"]
    host = match["host"]
    if host != "*":
        try:
            host = _normalised(URL(f"http://{host}/").raw_host or "")
        except ValueError:
            return None
    return _Rule(
        host=host,
        subdomains=match["wildcard"] is not None,
        scheme=scheme.lower() if scheme else None,
        port=int(port) if port else None,
    )


def _normalised(host: str) -> str:
    return host.lower().rstrip(".")
