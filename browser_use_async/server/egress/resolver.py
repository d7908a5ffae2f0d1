"""Name look-ups, bounded for each task, and resolving of exactly the judged addresses.

`getaddrinfo` blocks a thread for as long as a name server is silent. In the threads that
a whole server shares, one page with a few hundred such names would keep all other tasks from
looking anything up, or from reading a file.
"""

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections import deque

import attrs
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from browser_use_async.server.egress.policy import (
    AddressKind,
    Destination,
    EgressPolicy,
    Refusal,
    kind_of,
)

# Number of names that one task looks up concurrently.
THREADS = 4
# Number of further names that wait for one task.
MOST_WAITING = 64
# Seconds that a connection waits for the addresses of its host.
LOOK_UP_SECONDS = 15.0
_KEPT_SECONDS = 30.0
_MOST_KEPT = 1000
_KEPT_NOTES = 500


class EgressRefusedError(Exception):
    """The policy does not allow a connection."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class UnknownHostError(Exception):
    """A name has no address, or none in time. The text is a clause about the host."""


class RefusalNotes:
    """Refused connections and unreachable hosts, for the steps of one task."""

    def __init__(self) -> None:
        self._refusals: dict[Refusal, None] = {}
        self._problems: dict[tuple[str, int], str] = {}

    def note(self, place: tuple[str, int], problem: str, refusal: Refusal | None = None) -> None:
        """Note why a host and port could not be asked, as a sentence."""
        # A page that tries again and again must not fill the memory.
        if len(self._problems) < _KEPT_NOTES:
            self._problems[place] = problem
        if refusal is not None and len(self._refusals) < _KEPT_NOTES:
            self._refusals[refusal] = None

    def forget(self, place: tuple[str, int]) -> None:
        """Forget what was wrong with a host and port, since it can be asked now."""
        self._problems.pop(place, None)

    def take_refusals(self) -> list[Refusal]:
        """Return the refusals since the last call, each destination once."""
        taken, self._refusals = self._refusals, {}
        return list(taken)

    def problem(self, url: str) -> str | None:
        """Why there is no connection to the host of an address, as a sentence, or None."""
        target = URL(url)
        return self._problems.get(((target.raw_host or "").lower(), target.port or 0))


@attrs.define
class _LookUp:
    result: asyncio.Future[tuple[str, ...]]
    waiters: int = 0


class NameLookups:
    """Looks up the names of one task, at most four at once and 64 more in a queue.

    A thread whose caller has given up ends with its look-up, and delays neither
    another task nor the end of the program. What was found, and what was not, is kept for half a
    minute.
    """

    def __init__(self) -> None:
        self._threads = 0
        self._queue: deque[str] = deque()
        self._under_way: dict[str, _LookUp] = {}
        self._known: dict[str, tuple[tuple[str, ...], float]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host; a number is its own."""
        with contextlib.suppress(ValueError):
            return (str(ipaddress.ip_address(host)),)
        if host.replace(".", "").isdecimal():
            # aiohttp takes it for a number, and would have the system read it once more.
            raise UnknownHostError(f"{host} is no address in its usual form")
        found, until = self._known.get(host, ((), 0.0))
        if until <= asyncio.get_running_loop().time():
            found = await self._looked_up(host)
        if not found:
            raise UnknownHostError(f"the host name {host} is not known")
        return found

    async def _looked_up(self, host: str) -> tuple[str, ...]:
        """The result of a look-up, which several connections may wait for."""
        if host not in self._under_way:
            if len(self._queue) >= MOST_WAITING:
                raise UnknownHostError(
                    f"the host name {host} is not looked up while {MOST_WAITING} others wait for it"
                )
            self._under_way[host] = _LookUp(asyncio.get_running_loop().create_future())
            self._queue.append(host)
            self._start_threads()
        look_up = self._under_way[host]
        look_up.waiters += 1
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                return await asyncio.shield(look_up.result)
        except TimeoutError:
            raise UnknownHostError(
                f"the host name {host} was not found within {LOOK_UP_SECONDS:.0f} seconds"
            ) from None
        finally:
            look_up.waiters -= 1
            if not look_up.waiters and host in self._queue:
                self._queue.remove(host)
                del self._under_way[host]

    def _start_threads(self) -> None:
        while self._queue and self._threads < THREADS:
            self._threads += 1
            loop, host = asyncio.get_running_loop(), self._queue.popleft()
            # Daemons, which the end of the program does not wait for.
            work = threading.Thread(target=self._work, args=(loop, host), daemon=True)
            work.start()

    def _work(self, loop: asyncio.AbstractEventLoop, host: str) -> None:
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # unknown, or no name at all
            rows = []
        found = tuple(dict.fromkeys(str(row[4][0]) for row in rows))
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._finish, host, found)

    def _finish(self, host: str, found: tuple[str, ...]) -> None:
        self._threads -= 1
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[host] = found, asyncio.get_running_loop().time() + _KEPT_SECONDS
        look_up = self._under_way.pop(host)
        if not look_up.result.done():
            look_up.result.set_result(found)
        self._start_threads()


async def judged_addresses(
    policy: EgressPolicy, lookups: NameLookups, destination: Destination
) -> tuple[str, ...]:
    """Look a host up, and return its addresses if all of them are allowed."""
    if (refusal := policy.refusal(destination)) is not None:
        raise EgressRefusedError(refusal)
    addresses = await lookups.addresses(destination.host)
    for address in addresses:
        if (refusal := policy.refusal_of(destination, address)) is not None:
            raise EgressRefusedError(refusal)
    return addresses


class JudgingResolver(AbstractResolver):
    """Gives aiohttp the addresses of one destination after the policy has judged them.

    aiohttp connects to what it is given and looks up nothing again, so that a name cannot mean
    something else meanwhile. It asks no resolver for a number; so `judge` comes first.
    """

    def __init__(self, policy: EgressPolicy, lookups: NameLookups) -> None:
        self._policy = policy
        self._lookups = lookups
        self._judged: dict[tuple[str, int], tuple[str, ...]] = {}

    async def judge(self, destination: Destination) -> tuple[str, ...]:
        """Return the addresses that will be connected to."""
        addresses = await judged_addresses(self._policy, self._lookups, destination)
        self._judged[destination.host, destination.port] = addresses
        return addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return what was judged."""
        addresses = self._judged.get((host.lower(), port))
        if addresses is None:
            raise OSError(f"{host}:{port} was not judged")
        families = {each: socket.AF_INET6 if ":" in each else socket.AF_INET for each in addresses}
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=of,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address, of in families.items()
            if family in {socket.AF_UNSPEC, of}
        ]

    async def close(self) -> None:
        """Nothing is open."""


def is_public(addresses: tuple[str, ...]) -> bool:
    """Whether addresses are those of a public host."""
    return all(kind_of(address) is AddressKind.PUBLIC for address in addresses)
