"""One lost answer to a creating POST: what is paid for, and does the caller know its id?

`make bench-lost-reply` runs it in an environment with the clients of the group `peers`.
"""

import asyncio
import logging
import platform
from pathlib import Path

import aiohttp
import attrs

from benchmarks.peers.peer import NAMES, Peer, load
from benchmarks.servers.counting import Count, CountingServer, Fault

ROUNDS = 5
SHORT_TIMEOUT = 1.0  # seconds
PATIENCE = 20.0  # seconds after which a call counts as hanging
RESULTS = Path(__file__).parent / "results" / "lost_reply.md"
HANGS = f"hangs, cut after {PATIENCE:.0f} s"
LOSSES = tuple(fault for fault in Fault if fault is not Fault.NONE)

INTRODUCTION = f"""\
The server carries out a creating POST and loses the answer to the first one; later POSTs are
answered. Each cell: POSTs that came / things created and paid for / those of them whose id the
caller does not know, and how the call ended. {ROUNDS} rounds each; one figure means that all
agreed. The two columns on the right add the {len(LOSSES)} losses up.

Clients are as their documentation sets them up, with the server's address; for
"{Fault.STALL}" also with a timeout of {SHORT_TIMEOUT:.0f} s, since defaults of up to ten minutes
cannot be sat out. The server honours `Idempotency-Key` of every client. With every answer
delivered, each call made one POST, created one thing and returned its id."""


@attrs.frozen
class Outcome:
    """The result of one run.

    Attributes:
        count: What the server saw.
        known: The id that the caller got, or None.
        failure: How the call failed, or "".
    """

    count: Count
    known: str | None
    failure: str

    @property
    def created(self) -> int:
        """Things that are paid for."""
        return len(self.count.created)

    @property
    def orphans(self) -> int:
        """Things that are paid for and whose id the client does not know."""
        return sum(made != self.known for made in self.count.created)


async def run_once(
    server: CountingServer, name: str, peer: Peer, call: str, fault: Fault
) -> Outcome:
    """Create one thing against a server that loses the first answer."""
    port = server.open(name, fault)
    known, failure = None, ""
    timeout = SHORT_TIMEOUT if fault is Fault.STALL else None
    async with peer.connect(f"http://127.0.0.1:{port}", timeout) as client:
        try:
            async with asyncio.timeout(PATIENCE) as patience:
                known = await peer.creates[call](client)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the caller gets
            failure = HANGS if patience.expired() else f"raises {type(error).__name__}"
    return Outcome(server.close(port), known, failure)


async def measure(server: CountingServer, name: str, call: str) -> dict[Fault, list[Outcome]]:
    """All rounds of all faults of one call, at once."""
    peer = load(name)
    faults = [fault for fault in Fault for _ in range(ROUNDS)]
    outcomes = await asyncio.gather(
        *(run_once(server, name, peer, call, fault) for fault in faults)
    )
    measured: dict[Fault, list[Outcome]] = {}
    for fault, outcome in zip(faults, outcomes, strict=True):
        measured.setdefault(fault, []).append(outcome)
    check(name, call, measured.pop(Fault.NONE))
    return measured


def check(name: str, call: str, outcomes: list[Outcome]) -> None:
    """With every answer delivered there must be one POST, one thing, and its id."""
    for outcome in outcomes:
        if (outcome.count.posts, outcome.created, outcome.orphans, outcome.failure) != (
            1,
            1,
            0,
            "",
        ):
            raise SystemExit(f"{name} {call} fails without a fault: {outcome}")


def span(figures: list[int]) -> str:
    """One figure if all rounds agree, else the smallest and the largest."""
    low, high = min(figures), max(figures)
    return str(low) if low == high else f"{low} to {high}"


def cell(outcomes: list[Outcome]) -> str:
    """The results of the rounds of one fault."""
    posts = span([outcome.count.posts for outcome in outcomes])
    created = span([outcome.created for outcome in outcomes])
    orphans = span([outcome.orphans for outcome in outcomes])
    endings = sorted({outcome.failure or "returns" for outcome in outcomes})
    return f"{posts} / {created} / {orphans}, {' or '.join(endings)}"


def row(peer: Peer, call: str, measured: dict[Fault, list[Outcome]]) -> str:
    """A line of the table."""
    rounds = list(zip(*measured.values(), strict=True))  # each round: one of every fault
    created = [sum(outcome.created for outcome in one) for one in rounds]
    orphans = [sum(outcome.orphans for outcome in one) for one in rounds]
    keyed = all(outcome.count.keys == 1 for one in rounds for outcome in one)
    cells = [
        f"{peer.distribution} {peer.version}",
        f"`{call}`",
        "yes" if keyed else "no",
        *(cell(measured[fault]) for fault in LOSSES),
        f"{span(created)} for {len(LOSSES)}",
        span(orphans),
    ]
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """Measure, and give the figures as Markdown."""
    with CountingServer() as server:
        rows = [
            row(load(name), call, asyncio.run(measure(server, name, call)))
            for name in NAMES
            for call in load(name).creates
        ]
    head = [
        "client",
        "call",
        "idempotency key",
        *(f"answer lost: {fault}" for fault in LOSSES),
        "created",
        "unknown to the caller",
    ]
    lines = [
        INTRODUCTION,
        "",
        f"| {' | '.join(head)} |",
        f"| {' | '.join('---' for _ in head)} |",
        *rows,
        "",
        f"Python {platform.python_version()}, aiohttp {aiohttp.__version__}.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Print the table and keep it."""
    logging.disable()
    text = table()
    print(text)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(f"# One lost answer to a creating call\n\n{text}\n", "utf-8")


if __name__ == "__main__":
    main()
