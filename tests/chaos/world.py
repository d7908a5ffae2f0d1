"""One world: a session in virtual time, the look-alike that it talks to, and what disturbs them."""

import asyncio
import contextlib
import math
import random
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Protocol

import aiohttp
import attrs

from browser_use_async import BrowserUseSession, errors
from browser_use_async.models import Task
from browser_use_async.transport.surroundings import Surroundings
from tests.chaos.faults import Fault, FaultInjector
from tests.chaos.lies import HONEST, ListLies
from tests.chaos.report import LATENCY_TARGET, Report
from tests.chaos.server import ChaosServer
from tests.chaos.service import EPOCH, Life, LookAlike, ScriptedTask
from tests.simulator import clock
from tests.simulator.network import Machine, Network

__all__ = ["Crash", "Interruption", "Laws", "Workload", "World", "live"]

KEY = "bu_key_of_the_chaos_bench"
LONGEST = (
    1200.0  # seconds after the end of the last task; a wait that has not ended then never will
)
CANCEL_EVERY = 0.25  # seconds, while everything of the session is being cancelled


class Interruption(BaseException):
    """Raised in the middle of a call, as a test framework or a signal handler does."""


class Workload(Protocol):
    """What the clients do in a world."""

    async def run(self, world: "World") -> None:
        """Do it, and note in the world's report what came of it."""
        ...


@attrs.frozen
class Crash:
    """What happens to the session from outside.

    Attributes:
        cancel_at: The seconds at which all of its asyncio tasks begin to be cancelled.
        cancel_seconds: For how long they are.
        raises: What a middleware raises, or None.
        raise_share: The probability that it does so in a call.
        raise_times: At most so many times.
        raise_since: The second from which on it does.
    """

    cancel_at: tuple[float, ...] = ()
    cancel_seconds: float = 4.0
    raises: type[BaseException] | None = None
    raise_share: float = 1.0
    raise_times: float = math.inf
    raise_since: float = 0.0


@attrs.frozen
class Laws:
    """What holds in a world, except for chance.

    Attributes:
        workload: What the clients do.
        faults: What goes wrong with calls.
        lies: In what the list differs from the truth.
        life: How tasks live.
        reply: Seconds from a request to its reply, without the way.
        crash: What happens to the session from outside.
        others: Tasks that other clients create in a second.
        bursts: When others create how many tasks at once.
        skew: Seconds by which this machine's clock is ahead of the service's.
        jump: The most seconds by which this machine's clock is off after a jump.
        jump_every: Seconds between two jumps.
        rows_tell_metadata: Whether list rows carry metadata.
        list_lag: Seconds after which the list shows a new task.
        slots: How many tasks may run at once, or None for any number.
        false_ends: Whether the service says "finished" of what still runs.
    """

    workload: Workload
    faults: tuple[Fault, ...] = ()
    lies: ListLies = HONEST
    life: Life = attrs.field(factory=Life)
    reply: float = 0.01
    crash: Crash = attrs.field(factory=Crash)
    others: float = 0.0
    bursts: tuple[tuple[float, int], ...] = ()
    skew: float = 0.0
    jump: float = 0.0
    jump_every: float = math.inf
    rows_tell_metadata: bool = True
    list_lag: float = 0.0
    slots: int | None = None
    false_ends: bool = False


class World:
    """Runs one.

    Args:
        laws: What holds in it.
        seed: All its chance.
    """

    def __init__(self, laws: Laws, seed: int) -> None:
        self.laws = laws
        self.report = Report(worlds=1)
        self._loop = loop = asyncio.get_running_loop()
        self._skew = laws.skew
        self._own: set[asyncio.Task[Any]] = {task for task in [asyncio.current_task()] if task}
        self._raised = 0
        self._is_over = False
        rngs = [random.Random(f"{seed} {part}") for part in ("life", "faults", "work", "sdk")]
        self.rng, self._disturbing_rng = rngs[2], random.Random(f"{seed} outside")
        self.service = LookAlike(
            loop.time,
            rngs[0],
            life=laws.life,
            lies=laws.lies,
            rows_tell_metadata=laws.rows_tell_metadata,
            list_lag=laws.list_lag,
            slots=laws.slots,
            false_ends=laws.false_ends,
        )
        self.faults = FaultInjector(laws.faults, rngs[1])
        self.server = ChaosServer(self.service, self.faults, rngs[1], laws.reply)
        self._network = Network(self.server.accept, latency=lambda: 0.005)
        self._sdk_rng = rngs[3]
        self.session = self._open_session()

    def _open_session(self) -> BrowserUseSession:
        surroundings = Surroundings(
            draw=self._sdk_rng, now=self._wall_clock, connector=self._network.connector(Machine())
        )
        surroundings = attrs.evolve(surroundings, start_writer=start_writer)
        return BrowserUseSession(
            KEY,
            base_url="http://127.0.0.1/api/v1",
            middlewares=[] if self.laws.crash.raises is None else [self._interfere],
            surroundings=surroundings,
        )

    def _wall_clock(self) -> datetime:
        return EPOCH + timedelta(seconds=self._loop.time() + self._skew)

    def now(self) -> float:
        """The virtual time in seconds."""
        return self._loop.time()

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a client, which no crash cancels."""
        task = self._loop.create_task(work)
        self._own.add(task)
        return task

    # --- the run ------------------------------------------------------------------------------

    async def run(self) -> Report:
        """Let the clients work, and give what came of it."""
        disturbers = [self.spawn(each) for each in self._disturbers()]
        async with self.session:
            await self.laws.workload.run(self)
            self._is_over = True
        for each in disturbers:
            each.cancel()
        await asyncio.wait(disturbers)
        self.report.requests.update(
            {call.value: count for call, count in self.server.requests.items()}
        )
        return self.report

    async def finish(self, clients: "list[asyncio.Task[None]]") -> None:
        """Wait for clients; those that have not ended long after all tasks have are unended."""
        pending = set(clients)
        while pending:
            ends = max((task.ended_at for task in self.service.tasks.values()), default=0.0)
            left = ends + LONGEST - self.now()
            if left <= 0:
                break
            _done, pending = await asyncio.wait(pending, timeout=min(left, 60.0))
        self._is_over = True
        for client in pending:
            client.cancel()
        if pending:
            await asyncio.wait(pending)
        for client in clients:
            if not client.cancelled():
                client.result()  # what the bench itself did wrong

    def _disturbers(self) -> list[Coroutine[Any, Any, None]]:
        return [self._create_others(), self._create_bursts(), self._jump(), self._cancel()]

    async def _create_others(self) -> None:
        while self.laws.others:
            await asyncio.sleep(self._disturbing_rng.expovariate(self.laws.others))
            self.service.create("Buy milk", {})

    async def _create_bursts(self) -> None:
        for moment, count in self.laws.bursts:
            await asyncio.sleep(moment - self.now())
            for _each in range(count):
                self.service.create("Buy milk", {})

    async def _jump(self) -> None:
        while self.laws.jump:
            await asyncio.sleep(self.laws.jump_every)
            self._skew = self._disturbing_rng.choice((-1, 0, 1)) * self.laws.jump

    async def _cancel(self) -> None:
        for moment in self.laws.crash.cancel_at:
            await asyncio.sleep(moment - self.now())
            while self.now() < moment + self.laws.crash.cancel_seconds:
                theirs = asyncio.all_tasks() - self._own
                for task in sorted(
                    theirs, key=lambda task: (len(task.get_name()), task.get_name())
                ):
                    task.cancel()
                await asyncio.sleep(CANCEL_EVERY)

    async def _interfere(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        crash = self.laws.crash
        may = self.now() >= crash.raise_since and self._raised < crash.raise_times
        if may and crash.raises is not None and self._disturbing_rng.random() < crash.raise_share:
            self._raised += 1
            raise crash.raises("raised by a middleware")
        return await handler(request)

    # --- what clients note --------------------------------------------------------------------

    async def follow(
        self, task: ScriptedTask, wait: Callable[[ScriptedTask], Awaitable[Task]]
    ) -> None:
        """Wait for a task and compare what is told with what is true."""
        self.report.waits += 1
        since = self.now()
        try:
            told = await wait(task)
        except asyncio.CancelledError:
            self.note_cancelled()
        except BaseException as error:
            self.note_error(error, task)
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        else:
            self.note_end(told, task, since)

    def note_end(self, told: Task, task: ScriptedTask, since: float) -> None:
        """A wait has ended with a task."""
        now = self.now()
        is_true = told.id == task.id and task.has_ended(now) and told.status == task.status(now)
        self.report.wrong += not is_true
        self.report.delays.append(now - max(since, min(task.ended_at, now)))
        self.report.plain += (now - since) / LATENCY_TARGET + 1

    def note_error(self, error: BaseException, task: ScriptedTask | None) -> None:
        """A wait has ended with an error that is not about how the task ended."""
        task_id = getattr(error, "task_id", None)
        is_typed = isinstance(error, errors.BrowserUseError) and task is not None
        if is_typed and task is not None and task_id == task.id:
            self.report.typed += 1
        else:
            self.report.untyped += 1
        self.report.errors[type(error).__name__] += 1

    def note_cancelled(self) -> None:
        """A wait was cancelled: by the bench, which gave it up, or by nobody who may."""
        if self._is_over:
            self.report.unended += 1
        else:
            self.report.untyped += 1
            self.report.errors["CancelledError"] += 1


async def start_writer(open_ledger: Callable[[], Any]) -> Any:
    """What writes the ledger of a batch, without a thread, which would know no virtual time."""
    from browser_use_async.batch.ledger.store import Store
    from tests.batch.world import DiskWriter

    opened = open_ledger()
    return DiskWriter(opened, Machine(), Store(opened.connection))


def live(laws: Laws, seed: int) -> Report:
    """Run one world."""

    async def run() -> Report:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        with contextlib.suppress(asyncio.CancelledError):
            return await World(laws, seed).run()
        raise RuntimeError("the world was cancelled")

    return clock.run(run())
