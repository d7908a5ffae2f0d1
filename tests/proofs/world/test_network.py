"""The network in memory gives the same results as the real one."""

import asyncio

import looptime
import pytest

from browser_use_async import RetryPolicy
from browser_use_async.api import endpoint_table as table
from browser_use_async.transport.client import Transport
from browser_use_async.transport.config import Configuration
from browser_use_async.transport.connection_pool import PoolOptions
from browser_use_async.transport.request import prepare
from browser_use_async.transport.response import OutcomeKind
from browser_use_async.types import RunTaskRequest
from browser_use_async.types.secrets import Secret
from tests.support import clock
from tests.support.hygiene import KEY
from tests.support.network import Admission, Machine, Network
from tests.support.patience import PATIENCE
from tests.support.wire import Connection, Script, WireServer, bound_socket, response
from tests.support.wire_in_memory import WireServerInMemory

GOOD = response(200, '{"id":"t-1"}')
SECONDS = 0.3  # that an attempt may take whose time is to be up
ONCE = RetryPolicy(max_attempts=1)

Verdict = tuple[str, bool, bool, int | None]


def reads(count: int, *, reset: bool) -> Script:
    """Break the connection after this many bytes of the request."""

    async def script(connection: Connection) -> None:
        await connection.read(count)
        end(connection, reset=reset)

    return script


def reads_into_body(*, reset: bool) -> Script:
    """Break the connection after the first byte of the request's body."""

    async def script(connection: Connection) -> None:
        while b"\r\n\r\n" not in connection.received[: connection.position - 1]:
            await connection.read(1)
        end(connection, reset=reset)

    return script


def answers(answer: bytes, *, reset: bool = False, stalls: bool = False) -> Script:
    """Read the request, send these bytes, and break the connection."""

    async def script(connection: Connection) -> None:
        await connection.read_request()
        connection.send(answer)
        if stalls:
            await connection.stall()
        if reset:
            await asyncio.sleep(0.02)  # an RST may overtake bytes that were sent before it
        end(connection, reset=reset)

    return script


def end(connection: Connection, *, reset: bool) -> None:
    """Close with RST or with FIN."""
    if reset:
        connection.reset()
    else:
        connection.finish()


def drips(answer: bytes, pause: float) -> Script:
    """Read the request and answer byte by byte."""

    async def script(connection: Connection) -> None:
        await connection.read_request()
        await connection.drip(answer, pause)

    return script


async def _floods(connection: Connection) -> None:
    await connection.read_request()
    connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50 + GOOD)


CASES: dict[str, Script | None] = {
    "refused": None,
    "FIN at once": reads(0, reset=False),
    "RST at once": reads(0, reset=True),
    "FIN in the request's head": reads(40, reset=False),
    "RST in the request's head": reads(40, reset=True),
    "FIN in the request's body": reads_into_body(reset=False),
    "RST in the request's body": reads_into_body(reset=True),
    "FIN instead of an answer": answers(b""),
    "RST instead of an answer": answers(b"", reset=True),
    "FIN in the status line": answers(GOOD[:12]),
    "RST in the status line": answers(GOOD[:12], reset=True),
    "FIN in the headers": answers(GOOD[:40]),
    "RST in the headers": answers(GOOD[:40], reset=True),
    "FIN in the body": answers(GOOD[:-3]),
    "RST in the body": answers(GOOD[:-3], reset=True),
    "FIN after the answer": answers(GOOD),
    "RST after the answer": answers(GOOD, reset=True),
    "a stall before the answer": answers(b"", stalls=True),
    "a stall in the headers": answers(GOOD[:40], stalls=True),
    "a stall in the body": answers(GOOD[:-3], stalls=True),
    "a drip that ends in time": drips(GOOD, 0.0),
    "a drip that does not": drips(GOOD, 0.02),
    "garbage": answers(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "a huge header": answers(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"),
    "two lengths": answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
    "an unterminated chunk": answers(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"
    ),
    "an empty 200": answers(response(200, "")),
    "half of the JSON": answers(response(200, '{"id":"t-')),
    "no length, and FIN": answers(b'HTTP/1.1 200 OK\r\n\r\n{"id":"t-1"}'),
    "HTML": answers(response(200, "<html>", content_type="text/html")),
    "early hints without number": _floods,
    **{f"status {code}": answers(response(code, "{}")) for code in (302, 400, 429, 500, 503, 520)},
}


# Only these reach the timeout of an attempt. Over sockets their time is virtual, so that a process
# that stops for a moment loses none of it; all others have more than they need.
TIMED = frozenset(name for name in CASES if name.startswith(("a stall", "a drip")))


async def judged(url: str, options: PoolOptions, seconds: float = SECONDS) -> Verdict:
    """Send run-task once, and return how the transport classified it."""
    configuration = Configuration.resolve(Secret(KEY), url, seconds, allow_insecure_http=False)
    transport = Transport(configuration, retry=ONCE, options=options)
    prepared = prepare(table.RUN_TASK, None, RunTaskRequest("Buy milk"))
    outcome = await transport.perform(prepared)
    await transport.aclose()
    kind = outcome.kind.value
    return kind, outcome.timed_out, outcome.transient, outcome.status


async def on_sockets(script: Script | None, seconds: float) -> Verdict:
    """The result over the loopback interface."""
    if script is None:
        with bound_socket() as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
            return await judged(url, PoolOptions(), seconds)
    async with WireServer(script) as server:
        return await judged(server.url, PoolOptions(), seconds)


def over_loopback(name: str) -> Verdict:
    """The result of a case over real sockets, on a busy machine, too."""
    if name in TIMED:
        with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
            return runner.run(on_sockets(CASES[name], SECONDS))
    return asyncio.run(on_sockets(CASES[name], PATIENCE))


async def in_memory(script: Script | None, latency: float = 0.001) -> Verdict:
    """The result over the network in memory."""
    network = Network(accept=asyncio.Protocol, latency=lambda: latency)
    options = PoolOptions(connector=network.connector(Machine()))
    if script is None:
        network.admit = lambda: Admission.REFUSED
        return await judged("http://127.0.0.1:80", options)
    async with WireServerInMemory(script, network) as server:
        return await judged(server.url, options)


Verdicts = dict[str, tuple[Verdict, Verdict]]


def differing(verdicts: Verdicts) -> Verdicts:
    """The cases with different results."""
    return {name: (real, memory) for name, (real, memory) in verdicts.items() if real != memory}


@pytest.mark.long
def test_both_networks_give_the_same_results():
    """Every fault is classified in memory as over real sockets."""
    both = {
        name: (over_loopback(name), clock.run(in_memory(script))) for name, script in CASES.items()
    }

    assert not differing(both)
    assert len(both) >= 30
    assert {memory[0] for _real, memory in both.values()} == set(OutcomeKind)


def test_a_network_that_is_not_like_the_real_one_shows():
    """The control: where everything arrives too late, most results differ."""
    both = {
        name: (clock.run(in_memory(script)), clock.run(in_memory(script, 2 * SECONDS)))
        for name, script in CASES.items()
    }

    wrong = differing(both)
    assert len(wrong) > len(CASES) / 2
