"""One lost answer to a creating POST: what is paid for, and does the caller know its id?

`make bench-lost-reply` runs it in an environment with the clients of the group `peers`.
"""

import asyncio
import logging
import platform
from pathlib import Path

import aiohttp
import attrs
from aiohttp import web

from benchmarks.peers.peer import NAMES, Peer, load
from tests.support.fake_api import LOST_AFTER, FakeApi, Fault
from tests.support.fake_service import Asked

ROUNDS = 5
SHORT_TIMEOUT = 1.0  # seconds
PATIENCE = 20.0  # seconds after which a call counts as hanging
RESULTS = Path(__file__).parent / "results" / "lost_reply.md"
HANGS = f"hangs, cut after {PATIENCE:.0f} s"
STALL = "no answer in time"
LOSSES: dict[str, Fault] = {
    "closed (FIN)": LOST_AFTER,
    "reset (RST)": attrs.evolve(LOST_AFTER, reset=True),
    "503": Fault(503, done=True),
    STALL: Fault(stall=1e6, done=True),
}  # of the answer to the first creating POST, which is executed

INTRODUCTION = f"""\
The server carries out a creating POST and loses the answer to the first one; later POSTs are
answered. Each cell: POSTs that came / things created and paid for / those of them whose id the
caller does not know, and how the call ended. {ROUNDS} rounds each; one figure means that all
agreed. The two columns on the right add the {len(LOSSES)} losses up.

Clients are as their documentation sets them up, with the server's address; for
"{STALL}" also with a timeout of {SHORT_TIMEOUT:.0f} s, since defaults of up to ten minutes
cannot be sat out. The server honours `Idempotency-Key` of every client. With every answer
delivered, each call made one POST, created one thing and returned its id."""


@attrs.frozen
class Outcome:
    """The result of one run.

    Attributes:
        posts: The creating POSTs that came.
        made: The ids of all that they created.
        keys: The different idempotency keys in them.
        known: The id that the caller got, or None.
        failure: How the call failed, or "".
    """

    posts: int
    made: list[str]
    keys: int
    known: str | None
    failure: str

    @property
    def created(self) -> int:
        """Things that are paid for."""
        return len(self.made)

    @property
    def orphans(self) -> int:
        """Things that are paid for and whose id the client does not know."""
        return sum(made != self.known for made in self.made)


class Service(FakeApi):
    """The service of a client, which honours an `Idempotency-Key`.

    Attributes:
        by_key: The ids that it created, by the key of the POST.
    """

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self._peer = peer
        self.by_key: dict[str, str] = {}
        self.read = self._read
        self.rows_tell_metadata = False  # as documented: finding a task needs a get as well

    def _read(self, method: str, target: str, body: bytes) -> Asked:
        asked = Asked.parse(method, target, body)
        # The other services create by another path, and their bodies do not matter here.
        is_other = method == "POST" and not asked.route
        return Asked("run", body={"task": "a task"}) if is_other else asked

    def respond(self, request: web.Request, asked: Asked) -> web.Response:
        """Execute a call, and a creating one as the client's service does."""
        if asked.route != "run":
            return super().respond(request, asked)
        key = request.headers.get("Idempotency-Key")
        made = self.by_key.get(key or "") or str(self.answer(asked)[1]["id"])
        if key is not None:
            self.by_key[key] = made
        return web.json_response(self._peer.created(made))


async def run_once(peer: Peer, call: str, loss: str | None) -> Outcome:
    """Create one thing against a server that loses the first answer."""
    timeout = SHORT_TIMEOUT if loss == STALL else None
    async with Service(peer) as service:
        if loss is not None:
            service.break_calls("run", {1: LOSSES[loss]})
        root = service.url.removesuffix("/api/v1")
        known, failure = await create(peer, call, root, timeout)
        keys = len(service.by_key)
        return Outcome(service.count("run"), list(service.tasks), keys, known, failure)


async def create(peer: Peer, call: str, root: str, timeout: float | None) -> tuple[str | None, str]:
    """The id that the caller gets, and the failure of the call."""
    known, failure = None, ""
    async with peer.connect(root, timeout) as client:
        try:
            async with asyncio.timeout(PATIENCE) as patience:
                known = await peer.creates[call](client)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the caller gets
            failure = HANGS if patience.expired() else f"raises {type(error).__name__}"
    return known, failure


async def measure(name: str, call: str) -> dict[str, list[Outcome]]:
    """All rounds of all losses of one call, at once."""
    peer = load(name)
    losses = [loss for loss in (None, *LOSSES) for _ in range(ROUNDS)]
    outcomes = await asyncio.gather(*(run_once(peer, call, loss) for loss in losses))
    measured: dict[str, list[Outcome]] = {}
    for loss, outcome in zip(losses, outcomes, strict=True):
        measured.setdefault(loss or "", []).append(outcome)
    check(name, call, measured.pop(""))
    return measured


def check(name: str, call: str, outcomes: list[Outcome]) -> None:
    """With every answer delivered there must be one POST, one thing, and its id."""
    for outcome in outcomes:
        if (outcome.posts, outcome.created, outcome.orphans, outcome.failure) != (
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
    posts = span([outcome.posts for outcome in outcomes])
    created = span([outcome.created for outcome in outcomes])
    orphans = span([outcome.orphans for outcome in outcomes])
    endings = sorted({outcome.failure or "returns" for outcome in outcomes})
    return f"{posts} / {created} / {orphans}, {' or '.join(endings)}"


def row(peer: Peer, call: str, measured: dict[str, list[Outcome]]) -> str:
    """A line of the table."""
    rounds = list(zip(*measured.values(), strict=True))  # each round: one of every fault
    created = [sum(outcome.created for outcome in one) for one in rounds]
    orphans = [sum(outcome.orphans for outcome in one) for one in rounds]
    keyed = all(outcome.keys == 1 for one in rounds for outcome in one)
    cells = [
        f"{peer.distribution} {peer.version}",
        f"`{call}`",
        "yes" if keyed else "no",
        *(cell(measured[loss]) for loss in LOSSES),
        f"{span(created)} for {len(LOSSES)}",
        span(orphans),
    ]
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """Measure, and give the figures as Markdown."""
    rows = [
        row(load(name), call, asyncio.run(measure(name, call)))
        for name in NAMES
        for call in load(name).creates
    ]
    head = [
        "client",
        "call",
        "idempotency key",
        *(f"answer lost: {loss}" for loss in LOSSES),
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
