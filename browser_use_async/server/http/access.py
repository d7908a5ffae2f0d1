"""Access control: allowed hosts, API keys, and requests through proxies."""

import asyncio
import hmac
import logging
import math
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import attrs
from aiohttp import hdrs, web
from yarl import URL

from browser_use_async.api.limits import is_loopback
from browser_use_async.server.http.errors import HttpError
from browser_use_async.server.http.responses import json_response
from browser_use_async.server.keys.api_key import DEFAULT_KEY, REVOKED, ApiKey, digest_of
from browser_use_async.server.keys.api_keys import ApiKeys

# The most wrong keys that an address may send within `BRAKE_SECONDS`, unless said otherwise.
MAX_WRONG_KEYS = 20
BRAKE_SECONDS = 60.0

_MAX_ADDRESSES = 1024  # whose wrong keys are counted; the oldest are forgotten first
_MAX_WARNINGS = 10
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(?::\d{1,5})?", re.IGNORECASE)
_FORWARDED = re.compile(r"forwarded|via|x-real-ip|x-forwarded-.*|cf-.*|.*-client-ip", re.IGNORECASE)

_WRONG_HOST = (
    "This server does not answer for the name in the Host header; use its own address, or name "
    "this one with public_url (--public-url)"
)

_ELSEWHERE = "Only clients on this machine may do this"

# Raises `HttpError` for a client that may not administrate the server.
ClientCheck = Callable[[web.Request], None]

_logger = logging.getLogger(__name__)


class AllowedHosts:
    """The values of `Host` that are answered.

    A page of any website can have its own name resolve to this machine, and then ask this server
    as if it were a part of that website (DNS rebinding). Such a request still has the name of the
    website in `Host`; what cannot be resolved anew are addresses and `localhost`.

    Args:
        hosts: Names and addresses beside those of the loopback interface.
        any_address: Whether every IP address is allowed, as for a server that listens on all.
    """

    def __init__(self, hosts: Collection[str], *, any_address: bool) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._any_address = any_address

    def allows(self, header: str) -> bool:
        """Whether a request with this header is answered."""
        match = _HOST.fullmatch(header.strip())
        if match is None:
            return False
        host = match[1].strip("[]").lower().rstrip(".")
        if host in self._hosts or is_loopback(host):
            return True
        return self._any_address and _address(host) is not None

    def refusal(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a request for another host, or None."""
        # Without the header it is HTTP/1.0, which no browser speaks.
        if all(map(self.allows, request.headers.getall(hdrs.HOST, ()))):
            return None
        return json_response({"detail": _WRONG_HOST}, 403)


@lru_cache(maxsize=256)  # most calls come from few addresses
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=256)
def network_of(text: str) -> str:
    """The unit that limits count by: an IPv4 address, or the IPv6 network of one customer."""
    return _client_of(_address(text))


def _client_of(address: IPv4Address | IPv6Address | None) -> str:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return "an unknown address" if address is None else str(address)


def origin_of(text: str) -> str | None:
    """Scheme, host and port of an `Origin` header, with the default port left out; or None."""
    try:
        url = URL(text)
        is_origin = url.scheme in {"http", "https"} and bool(url.host) and url == url.origin() / ""
        return str(url.origin()).lower() if is_origin and not text.endswith("/") else None
    except (ValueError, TypeError):
        return None


def was_forwarded(request: web.BaseRequest) -> bool:
    """Whether the headers say that a proxy passed the request on."""
    return any(_FORWARDED.fullmatch(name) for name in request.headers)


@attrs.define
class _Guesses:
    """The wrong keys of one address."""

    times: deque[float]
    braked_until: float = -math.inf


@attrs.frozen(eq=False, repr=False)
class ApiKeyCheck:
    """Finds the key of a request, and slows addresses down that send wrong ones."""

    _api_key: bytes  # the key that the server was started with
    _keys: ApiKeys  # the others
    _now: Callable[[], datetime]  # at which keys expire
    # The proxies in front, which pass the client's address in `X-Forwarded-For`
    _proxies: Collection[IPv4Network | IPv6Network] = ()
    _warned_of: set[str] = attrs.field(factory=set, init=False)
    _guesses: OrderedDict[str, _Guesses] = attrs.field(factory=OrderedDict, init=False)

    async def check(self, request: web.BaseRequest) -> ApiKey:
        """Return the key of a request.

        Raises:
            HttpError: 403 without a Bearer header, 401 for a key that is wrong, revoked or
                expired, and 429 for a wrong one from an address that sent too many of them.
        """
        scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        scheme, credentials = scheme.lower(), credentials.strip()
        if not credentials:
            raise HttpError(403, "Not authenticated")
        if scheme != "bearer":
            raise HttpError(403, "Invalid authentication credentials")
        # In constant time, since the duration must not show how much of a guess was right.
        given = credentials.encode("utf-8", "surrogateescape")
        if hmac.compare_digest(given, self._api_key):
            return DEFAULT_KEY
        # An index does not compare in constant time. Its time could only show how much of a guess's
        # digest is right, which does not lead to a key.
        key = await self._keys.find(digest_of(credentials))
        if key is None:
            # Right keys are never refused: others behind the same address may send wrong ones. The
            # length of keys makes guesses hopeless.
            self._check_brake(request)
            self._record_wrong_key(request)
            raise HttpError(401, "Invalid API key")
        if not key.is_valid(self._now()):
            # No guess, so it is not counted: a program that was forgotten must not lock out others.
            expired = "The API key has expired"
            raise HttpError(401, REVOKED if key.revoked_at is not None else expired)
        return key

    def address_of(self, request: web.BaseRequest) -> IPv4Address | IPv6Address | None:
        """The client's address, or None if neither the connection nor the proxy has one."""
        address = _address(request.remote or "")
        if not self._proxies:
            return address
        headers = request.headers.getall("X-Forwarded-For", ())
        passed = [each.strip() for header in headers for each in header.split(",")]
        if passed and not self._is_proxy(address):
            self._warn_of(request.remote or "")
        # Each proxy adds the address of its client. Addresses before the last one that is no
        # trusted proxy are only claims of the client.
        while passed and self._is_proxy(address):
            address = _address(passed.pop())
        return address

    def _is_proxy(self, address: IPv4Address | IPv6Address | None) -> bool:
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        return address is not None and any(address in network for network in self._proxies)

    def _warn_of(self, remote: str) -> None:
        if len(self._warned_of) < _MAX_WARNINGS and remote not in self._warned_of:
            self._warned_of.add(remote)
            _logger.warning(
                "X-Forwarded-For from %s is ignored: if this is your proxy, name its address with "
                "trusted_proxies (--trusted-proxy)",
                remote,
            )

    def _check_brake(self, request: web.BaseRequest) -> None:
        guesses = self._guesses.get(self.client_of(request)) if self._guesses else None
        seconds = guesses.braked_until - _monotonic() if guesses is not None else 0.0
        if seconds > 0:
            refusal = HttpError(429, "Too many wrong API keys came from this address")
            refusal.headers["Retry-After"] = str(math.ceil(seconds))
            raise refusal

    def _record_wrong_key(self, request: web.BaseRequest) -> None:
        client, now = self.client_of(request), _monotonic()
        most = MAX_WRONG_KEYS
        guesses = self._guesses.setdefault(client, _Guesses(deque(maxlen=most)))
        self._guesses.move_to_end(client)
        while len(self._guesses) > _MAX_ADDRESSES:
            self._guesses.popitem(last=False)
        guesses.times.append(now)
        if len(guesses.times) == most and now - guesses.times[0] < BRAKE_SECONDS:
            guesses.times.clear()
            guesses.braked_until = now + BRAKE_SECONDS
            _logger.warning(
                "%d wrong API keys within %d s from %s; more are answered with 429 for %d s",
                most,
                BRAKE_SECONDS,
                client,
                BRAKE_SECONDS,
            )

    def client_of(self, request: web.BaseRequest) -> str:
        """The client's address, or for IPv6 the network of one customer."""
        return _client_of(self.address_of(request))


def _monotonic() -> float:
    return asyncio.get_running_loop().time()


def check_local_client(request: web.Request) -> None:
    """Refuse clients on other machines, also through a proxy on this one."""
    if not is_loopback(request.remote or ""):
        raise HttpError(403, _ELSEWHERE)
    check_direct_client(request)


def check_direct_client(request: web.Request) -> None:
    """Refuse requests through a proxy at the listener for this machine."""
    if was_forwarded(request):
        raise HttpError(403, _ELSEWHERE)


def refuse_client(request: web.Request) -> None:
    """Refuse all clients: behind a proxy each of them looks like the proxy."""
    raise HttpError(
        403,
        "Behind a proxy this is done on a listener of its own, which only this machine reaches: "
        "admin_socket (--admin-socket)",
    )
