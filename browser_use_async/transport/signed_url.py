"""Signed URLs: shown to nobody, sent byte for byte, and only to places where that is safe."""

import ipaddress
import socket
import string
from enum import IntEnum
from typing import NoReturn
from urllib.parse import quote, unquote

from yarl import URL

from browser_use_async.types.secrets import hidden_url

__all__ = ["Reach", "SignedUrl"]

# What may stand in a URL stays as it is, for it is what was signed; anything else, such as a raw
# space or line break, is what no HTTP request can carry.
_KEPT = string.ascii_letters + string.digits + string.punctuation.replace("\\", "")
_NEITHER_HTTP = "it is neither an https:// nor an http:// URL"


class Reach(IntEnum):
    """From where a host can be reached; the higher, the more it trusts who connects."""

    ANYWHERE = 0
    PRIVATE_NETWORK = 1
    THIS_MACHINE = 2

    @classmethod
    def of(cls, host: str | None) -> "Reach":
        """The reach of a host as it is written; names are not resolved.

        A name that secretly leads into a private network gains nothing: it is spoken to over
        https, and what it serves goes to a file of the user's own.
        """
        name = (host or "").rstrip(".").lower()
        if name == "localhost" or name.endswith(".localhost"):
            return cls.THIS_MACHINE
        address = _address(name)
        if address is None:
            return cls.ANYWHERE
        if address.is_loopback:
            return cls.THIS_MACHINE
        return cls.ANYWHERE if address.is_global else cls.PRIVATE_NETWORK


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        try:  # the resolver takes 127.1, 0x7f000001 and 2130706433 for addresses as well
            return ipaddress.IPv4Address(socket.inet_aton(name))
        except (OSError, ValueError):
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


class SignedUrl:
    """A URL that grants access to whoever knows it."""

    __slots__ = ("_url",)

    def __init__(self, text: str) -> None:
        self._url = _parsed(text)

    def reveal(self) -> URL:
        """The URL itself, exactly as it was given."""
        assert self._url is not None
        return self._url

    @property
    def file_name(self) -> str:
        """The last segment of the path, decoded. May be hostile."""
        return "" if self._url is None else unquote(self._url.raw_path.rpartition("/")[2])

    def problem(self, *, api: str, allow_insecure_http: bool) -> str | None:
        """Why a URL that the API gave is not used, or None."""
        problem = self.unfitness(allow_insecure_http=allow_insecure_http)
        if problem is not None or allow_insecure_http:
            return problem
        # A service elsewhere has no business with what runs on this machine.
        here = self.reach is Reach.THIS_MACHINE
        if here and Reach.of(URL(api).raw_host) is not Reach.THIS_MACHINE:
            return "it points at this machine, on which the API does not run"
        return None

    def redirected(self, location: str) -> "SignedUrl":
        """Where a redirect leads."""
        target = SignedUrl("")
        step = _parsed(location)
        target._url = None if step is None else self.reveal().join(step)
        return target

    def redirect_problem(self, target: "SignedUrl", *, allow_insecure_http: bool) -> str | None:
        """Why a redirect from this URL is not followed, or None."""
        problem = target.unfitness(allow_insecure_http=allow_insecure_http)
        if problem is not None:
            return problem
        if self.reveal().scheme == "https" and target.reveal().scheme != "https":
            return "it leads from https:// to http://"
        if target.reach > self.reach:
            return "it leads into a private network or to this machine"
        return None

    def redact(self, text: str) -> str:
        """A text without this URL's secret parts."""
        url = self.reveal()
        parts = [url.raw_query_string, *url.raw_query_string.split("&"), url.raw_path]
        parts += [part.partition("=")[2] for part in parts]
        secrets = {part for part in (*parts, *map(unquote, parts)) if len(part) >= 8}
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def unfitness(self, *, allow_insecure_http: bool) -> str | None:
        """Why a URL is not used wherever it comes from, or None."""
        url = self._url
        if url is None or url.scheme not in {"http", "https"} or not url.raw_host:
            return _NEITHER_HTTP
        if url.raw_user is not None or url.raw_password is not None:
            return "it holds a user name or password"
        if url.scheme == "https" or allow_insecure_http:
            return None
        if self.reach is Reach.THIS_MACHINE:
            return None
        return "it is an http:// URL, which everybody on the way can read"

    @property
    def reach(self) -> Reach:
        """From where its host can be reached."""
        return Reach.of(self.reveal().raw_host)

    def __repr__(self) -> str:
        return f"SignedUrl({hidden_url(None if self._url is None else str(self._url))})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signed URL is not pickled; ask the API for another one")


def _parsed(text: str) -> URL | None:
    # Read by the parser that aiohttp sends with: two parsers can see two hosts in one text.
    try:
        url = URL(quote(text, safe=_KEPT), encoded=True)
        _ = url.port, url.raw_host
    except (ValueError, TypeError):
        return None
    return url
