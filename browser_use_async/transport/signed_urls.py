"""Signed URLs: never shown, sent byte for byte, and only to hosts where that is safe."""

import ipaddress
import socket
import string
from enum import IntEnum
from typing import NoReturn
from urllib.parse import quote, unquote

from yarl import URL

from browser_use_async.types.secrets import hidden_url

# Characters that are allowed in a URL stay unchanged, because they were signed; any other, such as
# a raw space or line break, cannot be in an HTTP request and is quoted.
_KEPT = string.ascii_letters + string.digits + string.punctuation.replace("\\", "")
_NEITHER_HTTP = "it is neither an https:// nor an http:// URL"


class Reach(IntEnum):
    """From where a host can be reached; a host of a higher value trusts its clients more."""

    ANYWHERE = 0
    PRIVATE_NETWORK = 1
    THIS_MACHINE = 2

    @classmethod
    def of(cls, host: str | None) -> "Reach":
        """The reach of a host, by its text only; names are not resolved."""
        # A name that resolves to a private address is harmless: it has to speak https, and its
        # content goes only to a file of the user.
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
        # The resolver accepts 127.1, 0x7f000001 and 2130706433 as addresses as well.
        try:
            return ipaddress.IPv4Address(socket.inet_aton(name))
        except (OSError, ValueError):
            return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


class SignedUrl:
    """A URL that grants access by itself, so that it is a secret."""

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
        """Why a URL of the API is refused, or None."""
        problem = self.problem_in_itself(allow_insecure_http=allow_insecure_http)
        if problem is not None or allow_insecure_http:
            return problem
        # A service on another machine must not reach services of this one through the SDK.
        here = self.reach is Reach.THIS_MACHINE
        if here and Reach.of(URL(api).raw_host) is not Reach.THIS_MACHINE:
            return "it points at this machine, on which the API does not run"
        return None

    def redirected(self, location: str) -> "SignedUrl":
        """The target of a redirect."""
        target = SignedUrl("")
        step = _parsed(location)
        target._url = None if step is None else self.reveal().join(step)
        return target

    def redirect_problem(self, target: "SignedUrl", *, allow_insecure_http: bool) -> str | None:
        """Why a redirect from this URL is not followed, or None."""
        problem = target.problem_in_itself(allow_insecure_http=allow_insecure_http)
        if problem is not None:
            return problem
        if self.reveal().scheme == "https" and target.reveal().scheme != "https":
            return "it leads from https:// to http://"
        # Storage on the internet must not reach services here through the SDK.
        if target.reach > self.reach:
            return "it leads into a private network or to this machine"
        return None

    def redact(self, text: str) -> str:
        """Replace this URL's secret parts in a text."""
        url = self.reveal()
        # Single values and decoded ones too: an answer may quote any part differently.
        parts = [url.raw_query_string, *url.raw_query_string.split("&"), url.raw_path]
        parts += [part.partition("=")[2] for part in parts]
        secrets = {part for part in (*parts, *map(unquote, parts)) if len(part) >= 8}
        # The longest first: a shorter one may be part of it.
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def problem_in_itself(self, *, allow_insecure_http: bool) -> str | None:
        """Why a URL is refused, whatever its source, or None."""
        url = self._url
        if url is None or url.scheme not in {"http", "https"} or not url.raw_host:
            return _NEITHER_HTTP
        if url.raw_user is not None or url.raw_password is not None:
            return "it contains a user name or password"
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
    # By the same parser as aiohttp's: two parsers may find two hosts in one text.
    try:
        url = URL(quote(text, safe=_KEPT), encoded=True)
        # Read here, since they may raise an exception, which is expected nowhere else.
        _ = url.port, url.raw_host
    except (ValueError, TypeError):
        return None
    return url
