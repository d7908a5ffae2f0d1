"""The only way out of one task's browser: a proxy on this machine that applies the policy.

The protocol's own interception sees neither WebSockets nor what a window asks for before it is
attached, and it sees names where only addresses show what is private. A proxy sees every
connection of pages, frames, workers and windows, redirects included, looks each name up once, and
connects to exactly the address that it has judged.
"""

import asyncio
import base64
import contextlib
import logging
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any

import attrs
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.egress import resolver
from browser_use_async.server.egress.policy import (
    CLOSED_PORTS,
    NOWHERE,
    AdHosts,
    AllowedDomains,
    Destination,
    EgressPolicy,
    PrivateAddresses,
)
from browser_use_async.server.egress.web_addresses import find_addresses
from browser_use_async.server.loops import BackgroundTasks
from browser_use_async.server.records import Assignment

_HEAD_BYTES = 256 * 1024
_HEAD_SECONDS = 60.0
_CONNECT_SECONDS = 15.0
_CHUNK = 64 * 1024
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "proxy-authorization"})
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_TLS_HANDSHAKE = b"\x16"
_COUNTRIES = {
    "us": "the United States",
    "uk": "the United Kingdom",
    "fr": "France",
    "it": "Italy",
    "jp": "Japan",
    "au": "Australia",
    "de": "Germany",
    "fi": "Finland",
    "ca": "Canada",
    "in": "India",
}
_logger = logging.getLogger(__name__)

_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _UnreachableError(Exception):
    """There is no connection. The text is a sentence for a person."""


@attrs.frozen
class Upstream:
    """A proxy of the operator, through which a task's connections go."""

    host: str
    port: int
    # the value of `Proxy-Authorization`, if it needs one
    authorization: str = attrs.field(default="", repr=False)

    @classmethod
    def of(cls, address: str) -> "Upstream":
        """The proxy at an address."""
        try:
            url = URL(address)
        except ValueError:
            url = URL()
        if url.scheme != "http" or not url.host or not url.port:
            raise ConfigurationError("a proxy has an address such as http://proxy.example:3128")
        if url.user is None:
            return cls(url.host, url.port)
        pair = f"{url.user}:{url.password or ''}".encode()
        return cls(url.host, url.port, f"Basic {base64.b64encode(pair).decode()}")


@attrs.frozen
class _Request:
    method: str
    target: str
    headers: list[tuple[str, str]]

    @property
    def is_tunnel(self) -> bool:
        return self.method == "CONNECT"

    def destination(self) -> Destination:
        if self.is_tunnel:
            found = Destination.of(URL(f"https://{self.target}/"))
            plain = ("http",) if found.port != 443 else ()  # a WebSocket without TLS
            return attrs.evolve(found, schemes=("https", *plain))
        url = URL(self.target)  # as `problem` reads it, so that one address has one spelling
        if url.scheme != "http" or not url.raw_host:
            raise ValueError(self.target)
        return Destination.of(url)

    def head(self, target: str, more: Sequence[tuple[str, str]] = ()) -> bytes:
        """The forwarded request; the connection serves no second one."""
        upgrades = any(name.lower() == "upgrade" for name, _ in self.headers)
        kept = [pair for pair in self.headers if pair[0].lower() not in _HOP_BY_HOP]
        kept += [("Connection", "Upgrade" if upgrades else "close"), *more]
        lines = [f"{self.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in kept)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Gateway:
    """Connects one task's browser with the internet, perhaps through the operator's proxy.

    Behind such a proxy names are looked up here too, so that private ones are refused, but the
    proxy looks them up again.
    """

    def __init__(self, policy: EgressPolicy = NOWHERE, upstream: Upstream | None = None) -> None:
        self._lookups = resolver.NameLookups()
        self.admit(policy, upstream)
        self._server: asyncio.Server | None = None
        self.port = 0  # on 127.0.0.1, at which it listens
        self._work = BackgroundTasks("passes on a connection of a browser")
        self.notes = resolver.RefusalNotes()

    def admit(self, policy: EgressPolicy, upstream: Upstream | None = None) -> None:
        """Set the policy of a task, and the proxy that it uses."""
        self._policy, self._upstream = policy, upstream

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, limit=_HEAD_BYTES, start_serving=True
        )
        self.port = self._server.sockets[0].getsockname()[1]
        CLOSED_PORTS.add(self.port)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._server is not None:
            self._server.close()
            CLOSED_PORTS.discard(self.port)
        await self._work.aclose()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._work.start(self._serve((reader, writer)))

    async def _serve(self, client: _Ends) -> None:
        try:
            # ValueError: no proper request; the browser that sends none is no browser.
            with contextlib.suppress(OSError, EOFError, ValueError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_HEAD_SECONDS):
                    request = await _read_request(client[0])
                await self._pass_on(request, client)
        finally:
            client[1].close()

    async def _pass_on(self, request: _Request, client: _Ends) -> None:
        destination = request.destination()
        place = destination.host, destination.port
        try:
            server = await self._connect(request, destination)
        except resolver.EgressRefusedError as refused:
            self.notes.note(place, f"{refused}.", refused.refusal)
            return await _answer(client[1], "403 Forbidden", f"{refused}.")
        except _UnreachableError as error:
            self.notes.note(place, str(error))
            return await _answer(client[1], "502 Bad Gateway", str(error))
        # No sooner: a page that failed is followed by a look for its icon, which says nothing yet.
        self.notes.forget(place)
        try:
            if request.is_tunnel:
                client[1].write(_ESTABLISHED)
                sent = self._pump_tunnel(destination, client[0], server[1])
                await _join(sent, _pump(server[0], client[1]))
            else:
                await _join(_pump(client[0], server[1]), _pump_answer(server[0], client[1]))
        finally:
            server[1].close()

    async def _pump_tunnel(
        self, destination: Destination, client: asyncio.StreamReader, server: asyncio.StreamWriter
    ) -> None:
        """Forward what the browser sends, if its first byte shows an allowed scheme."""
        first = await client.read(_CHUNK)
        # Only here a tunnel shows what is spoken in it: TLS begins with a handshake record.
        spoken = "https" if first[:1] == _TLS_HANDSHAKE else "http"
        refusal = self._policy.refusal(attrs.evolve(destination, schemes=(spoken,)))
        if refusal is not None:
            self.notes.note((destination.host, destination.port), f"{refusal}.", refusal)
            return
        server.write(first)
        await _pump(client, server)

    async def _connect(self, request: _Request, destination: Destination) -> _Ends:
        try:
            addresses = await resolver.judged_addresses(self._policy, self._lookups, destination)
        except resolver.UnknownHostError as error:
            if self._upstream is None:
                raise _UnreachableError(_sentence(error)) from None
            addresses = ()  # a name that only the proxy knows
        if self._upstream is not None:
            return await self._through(self._upstream, request, destination)
        server = await _open(addresses, destination.port, str(destination))
        if not request.is_tunnel:
            server[1].write(request.head(URL(request.target, encoded=True).raw_path_qs or "/"))
        return server

    async def _through(
        self, upstream: Upstream, request: _Request, destination: Destination
    ) -> _Ends:
        credentials = [("Proxy-Authorization", upstream.authorization)]
        more = credentials if upstream.authorization else []
        try:
            addresses = await self._lookups.addresses(upstream.host)
        except resolver.UnknownHostError:
            raise _UnreachableError("The host name of the operator's proxy is not known.") from None
        server = await _open(addresses, upstream.port, "the operator's proxy")
        if not request.is_tunnel:
            server[1].write(request.head(request.target, more))
            return server
        tunnel = _Request("CONNECT", request.target, [("Host", request.target)])
        server[1].write(tunnel.head(request.target, more))
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                status = (await server[0].readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
        except (OSError, EOFError, TimeoutError, IndexError, asyncio.LimitOverrunError):
            status = b"no answer"
        if status != b"200":
            server[1].close()
            words = status.decode("latin-1")
            raise _UnreachableError(f"The operator's proxy gave {words} for {destination}.")
        return server


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[0].upper()}{text[1:]}."


async def _read_request(reader: asyncio.StreamReader) -> _Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    return _Request(method, target, [(name, value.strip()) for name, _, value in pairs])


async def _open(addresses: Sequence[str], port: int, name: str) -> _Ends:
    for address in addresses:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await asyncio.open_connection(address, port, limit=_HEAD_BYTES)
    raise _UnreachableError(f"Nothing answers at {name}.")


async def _answer(client: asyncio.StreamWriter, status: str, text: str) -> None:
    body = text.encode()
    client.write(
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body
    )
    await client.drain()


async def _join(*pumps: Coroutine[Any, Any, None]) -> None:
    """Forward both directions until one ends."""
    flowing = [
        asyncio.get_running_loop().create_task(
            pump, name="browser-use: copies one direction of a connection of a browser"
        )
        for pump in pumps
    ]
    try:
        await asyncio.wait(flowing, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in flowing:
            pump.cancel()
        await asyncio.gather(*flowing, return_exceptions=True)


async def _pump_answer(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Forward an answer, and prevent the browser from sending a second request after it.

    The connection leads to one server, and the next request may be for another.
    """
    while True:
        head = await source.readuntil(b"\r\n\r\n")
        status = head.split(b" ", 2)[1]
        sink.write(head if status == b"101" else _closing(head))
        if status == b"101" or not status.startswith(b"1"):
            break
    await _pump(source, sink)


def _closing(head: bytes) -> bytes:
    first, *lines = head.split(b"\r\n")[:-2]
    names = (line.partition(b":")[0].decode("latin-1").lower() for line in lines)
    kept = [line for line, name in zip(lines, names, strict=True) if name not in _HOP_BY_HOP]
    return b"\r\n".join([first, *kept, b"Connection: close", b"", b""])


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(_CHUNK):
        sink.write(chunk)
        await sink.drain()


class Egress:
    """The ways out of this machine, by the operator's settings."""

    def __init__(
        self,
        *,
        allow_private_addresses: bool | Sequence[str] = False,  # or these, as `http://host:port`
        allow_named_addresses: bool = False,  # of this machine, by a request, with their ports
        proxies: Mapping[str, str] | None = None,  # by country code; `*` is for all others
    ) -> None:
        self._private = PrivateAddresses.of(allow_private_addresses)
        self._opens_named = allow_named_addresses
        self._proxies = {
            country.lower(): Upstream.of(address) for country, address in (proxies or {}).items()
        }
        self._ads = AdHosts()

    def policy(self, assignment: Assignment) -> EgressPolicy:
        """The policy of a task."""
        named = self.policy_naming(mention.url for mention in find_addresses(assignment.task))
        domains = AllowedDomains(assignment.allowed_domains, https_only=bool(assignment.secrets))
        return attrs.evolve(
            named, domains=domains, ads=self._ads if assignment.use_adblock else None
        )

    def policy_naming(
        self, urls: Iterable[str] = (), *, opening: Iterable[str] = ()
    ) -> EgressPolicy:
        """The policy of a search or a webhook."""
        private = self._private.naming(urls) if self._opens_named else self._private
        return EgressPolicy(private=private.opening(opening))

    def upstream(self, assignment: Assignment) -> tuple[Upstream | None, str]:
        """The proxy of a task, and a sentence about it; empty if it asks for none."""
        if not assignment.use_proxy:
            return None, ""
        country = assignment.proxy_country_code.lower()
        upstream = self._proxies.get(country) or self._proxies.get("*")
        if upstream is not None:
            return upstream, f"Connections go through the operator's proxy for {country}."
        # Proxies are on by default: who did not ask for one learns nothing from its absence.
        if not assignment.proxy_requested:
            return None, ""
        name = _COUNTRIES.get(country)
        where = country if name is None else f"{name} ({country})"
        way_out = f"This server has no proxy for {where}, so connections are direct."
        _logger.info("task %s: %s", assignment.task_id, way_out)
        return None, way_out
