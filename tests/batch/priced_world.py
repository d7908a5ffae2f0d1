"""A service in memory and in virtual time whose tasks take steps, and the cost of a batch on it."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from browser_use_async import BatchProgress, BatchResult, BrowserUseSession, RunTaskRequest
from browser_use_async.batch.ledger.file import LedgerFile
from browser_use_async.prices import task_cents
from browser_use_async.transport.config import Runtime
from tests.batch.world import DiskWriter, TracedStore
from tests.proofs.model.traces import Traces
from tests.proofs.world.faults import Faults
from tests.proofs.world.server import WorldServer
from tests.support import clock
from tests.support.fake_service import EPOCH, FakeService
from tests.support.fake_task import FakeTask, lives
from tests.support.hygiene import KEY
from tests.support.network import Machine, Network

__all__ = ["MODELS", "Outcome", "PricedService", "StepsOf", "mixed", "run_batches"]

STEP_SECONDS = 5.0
LONGEST = 20 * 24 * 3600.0  # seconds of virtual time
MODELS = ("gpt-4.1", "gpt-4.1-mini", "o3", "claude-sonnet-4-20250514")

StepsOf = Callable[[int], int]
"""How many steps the item at a place of the input takes."""


def mixed(number: int) -> int:
    """Short, middling and long tasks in turn."""
    return (3, 20, 75)[number % 3]


def _steps(text: str) -> int:
    """How many steps a task of this text takes."""
    return int(text.rpartition(" ")[2])


class PricedService(FakeService):
    """Tasks take a number of steps that their text names, and get-task shows those taken so far."""

    def __init__(self) -> None:
        super().__init__()
        self.make = self._priced
        self.name = "task-{:06d}".format

    def _priced(self, body: dict[str, Any]) -> FakeTask:
        """One step takes about five seconds; some tasks take less and some more."""
        pace = STEP_SECONDS * random.Random(len(self.tasks)).uniform(0.7, 1.3)
        steps = _steps(body["task"])
        return lives(pace * (steps + 0.5), steps=steps, step_seconds=pace, live_after=None)


@attrs.frozen
class Outcome:
    """The outcome of one batch.

    Attributes:
        results: What it gave.
        progress: Where it stood in the end.
        spent_cents: What its tasks cost at the service, those of earlier runs included.
        tasks: How many tasks these are.
        seconds: How long it took.
        calls: How many requests were executed, by route.
    """

    results: list[BatchResult[Any]]
    progress: BatchProgress
    spent_cents: Decimal
    tasks: int
    seconds: float
    calls: Counter[str]


@attrs.define(eq=False)
class _World:
    """One service and one machine."""

    service: PricedService
    models: dict[str, str] = attrs.field(factory=dict)

    def open_session(self) -> BrowserUseSession:
        loop = asyncio.get_running_loop()
        draw = random.Random(1)
        front = WorldServer(self.service, Faults(draw, 0.0), draw, 0.0)
        machine = Machine()

        async def start_writer(open_ledger: Callable[[], LedgerFile]) -> DiskWriter:
            opened = open_ledger()
            opened.connection.execute("PRAGMA synchronous = OFF")  # no power is lost here
            return DiskWriter(opened, machine, TracedStore(opened.connection, Traces()))

        return BrowserUseSession(
            KEY,
            base_url="http://127.0.0.1/api/v1",
            runtime=Runtime(
                random.Random(2),
                lambda: EPOCH + timedelta(seconds=loop.time()),
                Network(front.accept).connector(machine),
                start_writer,
            ),
        )

    def requests(self, steps_of: StepsOf, numbers: range, models: tuple[str, ...]) -> list[Any]:
        made = []
        for number in numbers:
            text = f"Item {number} of steps {steps_of(number)}"
            self.models[text] = models[number % len(models)]
            made.append((f"item-{number}", RunTaskRequest(text, llm_model=self.models[text])))
        return made

    def spent(self) -> Decimal:
        return sum(
            (
                task_cents(len(each.step_numbers()), self.models[each.task])
                for each in self.service.tasks.values()
            ),
            Decimal(0),
        )


def run_batches(
    *runs: dict[str, Any], ledger: Path | None = None, models: tuple[str, ...] = MODELS[:1]
) -> list[Outcome]:
    """Run batches one after the other at one service, each in a session of its own.

    Args:
        runs: For each its `steps_of`, the number of the `first` of its items and their `count`, and
            options of `run_many`.
        ledger: A ledger that all of them use.
        models: The models of the items in turn.
    """

    async def live() -> list[Outcome]:
        world = _World(PricedService())
        async with asyncio.timeout(LONGEST):
            return [await _outcome(world, ledger, models, **run) for run in runs]

    return clock.run(live())


async def _outcome(
    world: _World,
    ledger: Path | None,
    models: tuple[str, ...],
    *,
    steps_of: StepsOf,
    count: int,
    first: int = 0,
    **options: Any,
) -> Outcome:
    loop = asyncio.get_running_loop()
    before, began = world.service.carried_out.copy(), loop.time()
    async with world.open_session() as session:
        requests = world.requests(steps_of, range(first, first + count), models)
        batch = session.run_many(requests, ledger=ledger, **options)
        results = await batch.collect()
        seconds = loop.time() - began
    spent, tasks = world.spent(), len(world.service.tasks)
    calls = world.service.carried_out - before
    return Outcome(results, batch.progress, spent, tasks, seconds, calls)
