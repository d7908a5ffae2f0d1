"""The CPU time of a created task over TLS: on a new connection each, and on kept ones.

A creating call to a server without keys uses a connection of its own, because a kept one may break
during the call. Both sides have a server of their own and take turns.
"""

import asyncio
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import aiohttp
import attrs

from benchmarks.harness import FULL, QUICK, Effort, Report, Row, compare, ratio, table
from benchmarks.servers.process import ServerProcess
from browser_use_async import BrowserUseSession
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.support.certificates import Certificate

_AT_ONCE = 4
_SIDES = {True: "kept connections, a server with keys", False: "fresh ones, a server without"}


@attrs.define
class _Figures:
    """Per created task, one figure for each round."""

    client: list[float] = attrs.field(factory=list)  # microseconds of CPU time
    server: list[float] = attrs.field(factory=list)
    handshakes: list[float] = attrs.field(factory=list)

    @property
    def both(self) -> list[float]:
        """The CPU time of both sides of the connection."""
        return [mine + its for mine, its in zip(self.client, self.server, strict=True)]


@attrs.define(eq=False)
class _Side:
    """A session, and its server."""

    session: BrowserUseSession
    pipe: Connection
    handshakes: int = 0
    figures: _Figures = attrs.field(factory=_Figures)

    def count(self, config: aiohttp.TraceConfig) -> None:
        """Count the connections that are made."""

        async def made(*_about: object) -> None:
            self.handshakes += 1

        config.on_connection_create_end.append(made)

    async def turn(self, calls: int) -> None:
        """Create tasks, and record the cost of each."""
        self.pipe.send(None)
        served, used, before = self.pipe.recv(), time.process_time(), self.handshakes

        async def work() -> None:
            for _call in range(calls // _AT_ONCE):
                await self.session.submit("Look")

        await asyncio.gather(*(work() for _each in range(_AT_ONCE)))
        used = time.process_time() - used
        self.pipe.send(None)
        served = self.pipe.recv() - served
        self.figures.client.append(used / calls * 1e6)
        self.figures.server.append(served / calls * 1e6)
        self.figures.handshakes.append((self.handshakes - before) / calls)


def _serve(pipe: Connection, folder: str, has_keys: bool) -> None:
    async def run() -> None:
        executor = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=0.0))
        certificate = Path(folder)
        async with LocalServer(
            executor=executor,
            balance_cents=10**9,
            submission_keys=has_keys,
            tls_cert=certificate / "certificate.pem",
            tls_key=certificate / "key.pem",
        ) as server:
            pipe.send((server.base_url, server.api_key))
            while True:
                await asyncio.to_thread(pipe.recv)
                pipe.send(time.process_time())

    asyncio.run(run())


async def measure(effort: Effort) -> dict[bool, _Figures]:
    """The figures of both sides, which take turns."""
    sides: dict[bool, _Side] = {}
    calls = effort.calls // (2 * _AT_ONCE) * _AT_ONCE
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        trusting = Certificate(Path(folder), "IP:127.0.0.1").trusting
        for has_keys in _SIDES:
            server = stack.enter_context(ServerProcess(_serve, folder, has_keys))
            url, key = server.pipe.recv()
            trace = aiohttp.TraceConfig()
            session = BrowserUseSession(key, base_url=url, ssl=trusting, trace_configs=[trace])
            sides[has_keys] = side = _Side(session, server.pipe)
            side.count(trace)
            await stack.enter_async_context(session)
            await session.submit("Look")  # its answer shows that keys are kept
        for _round in range(effort.rounds):
            for side in sides.values():
                await side.turn(calls)
    return {has_keys: side.figures for has_keys, side in sides.items()}


def report(effort: Effort) -> Report:
    """Measure, and compare the two."""
    figures = asyncio.run(measure(effort))
    kept, fresh = figures[True], figures[False]

    def row(what: str, unit: str, ours: list[float], theirs: list[float], bound: float) -> Row:
        return compare(what, unit, (_SIDES[False], ours, theirs), at_most=bound)

    rows = [
        row("CPU of a created task over TLS, client", "µs", kept.client, fresh.client, 0.9),
        row("the same, client and server", "µs", kept.both, fresh.both, 0.9),
        row("TLS handshakes for a created task", "", kept.handshakes, fresh.handshakes, 0.1),
    ]
    head = [f"per created task, {_AT_ONCE} at once", *_SIDES.values(), "ratio"]
    named = {
        "CPU µs, client": (kept.client, fresh.client),
        "CPU µs, server": (kept.server, fresh.server),
        "TLS handshakes": (kept.handshakes, fresh.handshakes),
    }
    lines = [
        [name, _text(ours), _text(theirs), f"{ratio(ours, theirs):.2g}x"]
        for name, (ours, theirs) in named.items()
    ]
    return Report(rows, f"Medians of {effort.rounds} rounds.\n\n{table(head, lines)}")


def _text(figures: list[float]) -> str:
    middle = median(figures)
    return f"{middle:,.0f}" if middle > 1 else f"{middle:.3f}"


if __name__ == "__main__":
    found = report(QUICK if "--quick" in sys.argv else FULL)
    print(*found.rows, found.details, sep="\n")
