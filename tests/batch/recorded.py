"""Whole batches from seeded generators, and their ledgers at chosen moments."""

import heapq
import math
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from tests.cli.report.ledgers import BEGAN, write_ledger

__all__ = ["UNLIKE", "WORLDS", "Past", "Split", "World", "recorded", "splits_of"]

STEP_CENTS, START_CENTS, MOST_STEPS = 2.5, 1.0, 75
HALVES = (0.2, 0.35, 0.5, 0.65, 0.8)


@attrs.frozen
class Past:
    """The course of one item.

    Attributes:
        task: The text of its task.
        seconds: How long it took.
        cents: What it cost.
        state: How it ended.
    """

    task: str
    seconds: float
    cents: float
    state: str = "done"


@attrs.frozen
class World:
    """Batches of one kind.

    Attributes:
        name: Their special property.
        make: Makes the items of one, in the order of the input.
        concurrency: How many run at once.
        shares: The shares of ends at which a batch is evaluated.
    """

    name: str
    make: Callable[[random.Random], list[Past]]
    concurrency: int = 20
    shares: Sequence[float] = HALVES

    @property
    def is_wide(self) -> bool:
        """Whether so many run at once that a few of the longest tasks determine the time."""
        return self.concurrency > 100


def item(rng: random.Random, task: str, steps: float, *, failing: float = 0.05) -> Past:
    """An item whose number of steps is geometric; some fail early, and cost what they took."""
    count = min(1 + int(rng.expovariate(-math.log1p(-1.0 / steps))), MOST_STEPS)
    if rng.random() < failing:
        return timed(rng, task, max(1, int(count * rng.random())), "failed")
    return timed(rng, task, count)


def timed(rng: random.Random, task: str, steps: int, state: str = "done") -> Past:
    """An item of this many steps, each of which takes some 8 seconds."""
    seconds = rng.uniform(3.0, 10.0) + rng.gammavariate(4.0 * steps, 2.0)
    return Past(task, seconds, START_CENTS + steps * STEP_CENTS, state)


def one_site(rng: random.Random) -> list[Past]:
    """One template, one site."""
    return [item(rng, f"Find the price of part {n} on shop.test", 8.0) for n in range(1500)]


def two_sites(rng: random.Random) -> list[Past]:
    """Two sites, of which one takes four times the steps, in any order."""
    sites = [("quick.test", 4.0), ("slow.test", 16.0)]
    chosen = [rng.choice(sites) for _ in range(1500)]
    return [item(rng, f"Read page {n} of {site}", steps) for n, (site, steps) in enumerate(chosen)]


def sorted_sites(rng: random.Random) -> list[Past]:
    """Three sites, one after the other: the most expensive comes last."""
    sites = [("quick.test", 4.0, 900), ("middle.test", 8.0, 600), ("slow.test", 16.0, 700)]
    return [
        item(rng, f"Read page {n} of {site}", steps)
        for site, steps, count in sites
        for n in range(count)
    ]


def fifty_sites(rng: random.Random) -> list[Past]:
    """Fifty sites, each with its own number of steps, in any order."""
    steps = [rng.lognormvariate(2.0, 0.5) + 1.0 for _ in range(50)]
    chosen = [rng.randrange(50) for _ in range(1500)]
    return [item(rng, f"Read page {n} of site{at}.test", steps[at]) for n, at in enumerate(chosen)]


def own_sites(rng: random.Random) -> list[Past]:
    """A site of its own for each item."""
    return [item(rng, f"Find the price on shop{n}.test", 8.0) for n in range(1500)]


def heavy_tails(rng: random.Random) -> list[Past]:
    """Most tasks take a few steps, some ten times as many."""
    return [
        timed(rng, f"Fill in form {n}", min(1 + int(rng.lognormvariate(1.2, 1.1)), MOST_STEPS))
        for n in range(2000)
    ]


def unlike_ends(rng: random.Random) -> list[Past]:
    """One in six fails, one in ten joins a task that was paid elsewhere, some are refused."""
    found = []
    for n in range(1500):
        chance, each = rng.random(), item(rng, f"Check order {n}", 8.0, failing=0.17)
        if chance < 0.03:
            each = Past(each.task, 0.0, 0.0, "dead letter")
        elif chance < 0.13:
            each = attrs.evolve(each, cents=0.0)
        found.append(each)
    return found


WORLDS = (
    World("one site", one_site),
    World("two sites", two_sites),
    World("sorted by site, all sites begun", sorted_sites, shares=(0.75, 0.8, 0.85, 0.9)),
    World("fifty sites", fifty_sites),
    World("a site for each item", own_sites),
    World("heavy tails", heavy_tails),
    World("failed, joined and refused", unlike_ends),
    World("one site, 300 at once", one_site, concurrency=300),
    World("heavy tails, 300 at once", heavy_tails, concurrency=300),
)
# The rest is mostly of a site without any ended item.
UNLIKE = World("sorted by site, the dearest not begun", sorted_sites, shares=(0.5, 0.6))


@attrs.frozen
class Split:
    """A batch at one moment, and its real rest.

    Attributes:
        items: All its items, in the order of the input.
        begun: When each item began that had, in seconds.
        now: The moment.
        ended: The items that had ended, in the order in which they did.
        cents: What the rest cost.
        seconds: How long it took.
    """

    items: Sequence[Past]
    begun: Sequence[float]
    now: float
    ended: Sequence[Past]
    cents: float
    seconds: float

    @property
    def left(self) -> int:
        """How many items had not ended."""
        return len(self.items) - len(self.ended)

    def write(self, path: Path, *, whole: bool = True) -> Path:
        """Write its ledger, with the items that had not begun, or without."""
        path.unlink(missing_ok=True)
        items = self.items if whole else self.items[: len(self.begun)]
        return write_ledger(path, (self._row(n, each) for n, each in enumerate(items)))

    def _row(self, place: int, each: Past) -> dict[str, object]:
        row: dict[str, object] = {"key": f"k{place}", "task": each.task, "state": "new"}
        if place >= len(self.begun):
            return row
        begun, took = BEGAN + self.begun[place], each.seconds
        row |= {"state": "submitted", "sent_at": begun, "task_id": f"t{place}"}
        if self.begun[place] + took > self.now:
            return row
        row |= {"state": each.state, "cost": round(each.cents * 1000)}
        if each.state == "dead letter":
            return row | {"sent_at": None, "task_id": None, "cost": None}
        return row | {"created_at": begun, "finished_at": begun + took}


def splits_of(items: Sequence[Past], concurrency: int, shares: Sequence[float]) -> Iterator[Split]:
    """The batch after these shares of its ends."""
    running: list[tuple[float, int]] = []
    now, begun, ended = 0.0, list[float](), list[tuple[float, int]]()
    while len(ended) < len(items):
        while len(begun) < len(items) and len(running) < concurrency:
            heapq.heappush(running, (now + items[len(begun)].seconds, len(begun)))
            begun.append(now)
        ended.append(heapq.heappop(running))
        now = ended[-1][0]
    for share in shares:
        over = ended[: int(share * len(items))]
        at = over[-1][0]
        rest = ended[len(over) :]
        yield Split(
            items,
            [each for each in begun if each < at],
            at,
            [items[place] for _at, place in over],
            sum(items[place].cents for _at, place in rest),
            now - at,
        )


def recorded(world: World, rounds: int) -> Iterator[Split]:
    """The batches of a world at all moments, each from a seed of its own."""
    for seed in range(100, 100 + rounds):
        yield from splits_of(world.make(random.Random(seed)), world.concurrency, world.shares)
