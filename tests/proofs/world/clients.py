"""One world: a session in virtual time, the look-alike server, and the failures."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from itertools import count as numbers
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
import attrs

from browser_use_async import BrowserUseSession, errors
from browser_use_async.transport.config import Runtime
from browser_use_async.types import Task
from tests.proofs.model.traces import ONE_PROCESS, WITH_KEYS, WITHOUT_LEDGER, Event, Traces, What
from tests.proofs.world.faults import Faults
from tests.proofs.world.laws import Laws
from tests.proofs.world.report import LATENCY_TARGET, Report
from tests.proofs.world.server import WorldServer
from tests.proofs.world.service import LookAlike
from tests.support import clock
from tests.support.fake_service import EPOCH, Asked
from tests.support.fake_task import FakeTask
from tests.support.network import Machine, Network

__all__ = ["World", "live"]

KEY = "bu_key_of_the_clients"
WAY = 0.005  # seconds from one side to the other
LONGEST = 1200.0  # seconds after the last task's end; a wait that has not ended then never will
MOST_REQUESTS = 100  # for each task; a client that needs more is stopped
DEFAULT_WINDOW = 150.0  # seconds for which a task is searched, unless a client says otherwise
CANCEL_EVERY = 0.25  # seconds in which everything of the session is being cancelled


class World:
    """Runs one world, and keeps the report that its clients write."""

    def __init__(self, laws: Laws, seed: int) -> None:
        self.laws = laws
        self.report = Report(worlds=1)
        self._loop = asyncio.get_running_loop()
        self._skew = laws.skew
        self._raised = 0
        self._own: set[asyncio.Task[Any] | None] = {asyncio.current_task()}
        # In the order in which they were started, which a seed decides and a set does not keep.
        self._numbers: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()
        self._started = numbers(1)
        self._loop.set_task_factory(self._create_task)
        self.rng = random.Random(f"{seed} work")
        self._disturbing_rng = random.Random(f"{seed} outside")
        self.service = LookAlike(random.Random(f"{seed} life"), laws)
        faults_rng = random.Random(f"{seed} faults")
        self.server = WorldServer(
            self.service,
            Faults(faults_rng, rules=laws.faults),
            faults_rng,
            late=math.inf,
            keys=laws.keys,
            note=self._note_request,
            way=lambda: (0.0, laws.reply * faults_rng.uniform(0.5, 1.5)),
        )
        self._calls, self._items = Traces(), Traces()
        network = Network(self.server.accept, latency=lambda: WAY)
        self.session = BrowserUseSession(
            KEY,
            base_url="http://127.0.0.1/api/v1",
            middlewares=[] if laws.crash.raises is None else [self._interfere],
            runtime=Runtime(
                rng=random.Random(f"{seed} sdk"),
                now=self._wall_clock,
                connector=network.connector(Machine()),
                start_writer=self._start_writer,
                settle_window=getattr(laws.workload, "settle_window", None),
            ),
        )

    def _create_task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
    ) -> "asyncio.Task[Any]":
        task = asyncio.Task(work, loop=loop, **options)
        self._numbers[task] = next(self._started)
        return task

    def _wall_clock(self) -> datetime:
        return EPOCH + timedelta(seconds=self.now() + self._skew)

    def now(self) -> float:
        """The virtual time in seconds."""
        return self._loop.time()

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a client, which no crash cancels."""
        task = self._loop.create_task(work)
        self._own.add(task)
        return task

    async def run(self) -> Report:
        """Let the clients work, and return the report."""
        outside = (self._create_others(), self._create_bursts(), self._jump(), self._cancel())
        disturbers = [self.spawn(each) for each in outside]
        async with self.session:
            await self.laws.workload.run(self)
        for each in disturbers:
            each.cancel()
        await asyncio.wait(disturbers)
        self.report.faults = self.server.faults.fired
        self.report.requests.update(
            {call.value: count for call, count in self.server.requests.items()}
        )
        window = getattr(self.laws.workload, "settle_window", DEFAULT_WINDOW)
        calls, items = WITHOUT_LEDGER, ONE_PROCESS
        if self.laws.keys != "unknown":
            window = 0.0  # sent again at once
            calls, items = WITH_KEYS, attrs.evolve(ONE_PROCESS, has_keys=True)
        self.report.forbidden += len(self._calls.problems(calls, window))
        self.report.forbidden += len(self._items.problems(items, window))
        return self.report

    async def finish(self, clients: "list[asyncio.Task[None]]") -> None:
        """Wait for clients; those that run long after all tasks have ended count as unended."""
        pending = set(clients)
        while pending and not self._is_hopeless():
            _done, pending = await asyncio.wait(pending, timeout=10.0)
        self.report.unended += len(pending)
        for client in clients:
            if client in pending:
                client.cancel()
            elif client.cancelled():  # by a failure of the session's own tasks
                self.note_error(asyncio.CancelledError(), None)
            elif (error := client.exception()) is not None:
                self.note_error(error, None)
        await asyncio.gather(*clients, return_exceptions=True)

    def _is_hopeless(self) -> bool:
        ends = max((task.ended_at for task in self.service.tasks.values()), default=0.0)
        requests = self.server.requests.total()
        return self.now() > ends + LONGEST or requests > MOST_REQUESTS * (self.report.tasks + 100)

    # --- failures -----------------------------------------------------------------------------

    async def _create_others(self) -> None:
        while self.laws.others:
            await asyncio.sleep(self._disturbing_rng.expovariate(self.laws.others))
            self.service.create("Buy milk")

    async def _create_bursts(self) -> None:
        for moment, count in self.laws.bursts:
            await asyncio.sleep(moment - self.now())
            for _each in range(count):
                self.service.create("Buy milk")

    async def _jump(self) -> None:
        while self.laws.jump:
            await asyncio.sleep(self.laws.jump_every)
            self._skew = self._disturbing_rng.choice((-1, 0, 1)) * self.laws.jump

    async def _cancel(self) -> None:
        crash = self.laws.crash
        await asyncio.sleep(crash.cancel_at)
        while self.now() < crash.cancel_at + crash.cancel_seconds:
            theirs = asyncio.all_tasks() - self._own
            for task in sorted(theirs, key=lambda task: self._numbers.get(task, 0)):
                task.cancel()
            await asyncio.sleep(CANCEL_EVERY)

    async def _interfere(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        crash = self.laws.crash
        may = self.now() >= crash.raise_since and self._raised < crash.raise_times
        # An exception at the creation of a task is for the caller.
        may = may and not request.url.path.endswith("/run-task")
        if may and crash.raises is not None and self._disturbing_rng.random() < crash.raise_share:
            self._raised += 1
            raise crash.raises("raised by a middleware")
        return await handler(request)

    # --- what the model of paying once must allow ------------------------------------------

    def begin_call(self, job: str) -> None:
        """A client requests a task."""
        self._calls.add(job, Event(at=self.now(), what=What.STARTED, row="new"))

    def begin_again(self, job: str) -> None:
        """The client looks once more for a task that is unknown, and may request it again."""
        self.note_call(job, What.BEGAN)
        self._calls.add(job, Event(at=self.now(), what=What.STARTED, row="unknown"))

    def note_call(self, job: str, what: What) -> None:
        """A client gets its task, or learns that it is unknown."""
        self._calls.add(job, Event(at=self.now(), what=what))

    def _note_request(self, asked: Asked, what: What) -> None:
        job = (asked.body.get("metadata") or {}).get("job")
        if job in self._calls:
            self.note_call(job, what)
        elif job is not None and what is What.MADE:  # the rest is in the ledger
            self._items.add(job, Event(at=self.now(), what=what))

    async def _start_writer(self, open_ledger: Callable[[], Any]) -> Any:
        """The writer of a batch's ledger, without a thread, which would ignore the virtual time."""
        from tests.batch.world import DiskWriter, TracedStore

        opened = open_ledger()
        return DiskWriter(opened, Machine(), TracedStore(opened.connection, self._items))

    # --- records of clients -------------------------------------------------------------------

    async def follow(self, task: FakeTask, wait: Callable[[FakeTask], Awaitable[Task]]) -> None:
        """Wait for a task and compare the result with the real one."""
        self.report.tasks += 1
        since = self.now()
        try:
            result = await wait(task)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - a middleware's may be of any kind
            self.note_error(error, task)
        else:
            self.note_end(result, task, since)

    def note_end(self, result: Task, task: FakeTask, since: float) -> None:
        """A wait has ended with a task."""
        now = self.now()
        is_true = result.id == task.id and task.has_ended and result.status == task.status()
        self.report.wrong += not is_true
        self.report.delays.append(now - max(since, min(task.ended_at, now)))
        self.report.plain += (now - since) / LATENCY_TARGET + 1

    def note_error(self, error: BaseException, task: FakeTask | None) -> None:
        """A wait has ended with an error that is not about the end of the task."""
        result = error.task_id if isinstance(error, errors.BrowserUseError) else None
        is_typed = task is not None and result == task.id
        self.report.typed += is_typed
        self.report.untyped += not is_typed
        self.report.errors[type(error).__name__] += 1


def live(laws: Laws, seed: int) -> Report:
    """Run one world."""

    async def run() -> Report:
        # Errors of tasks that a crash leaves behind are expected.
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        return await World(laws, seed).run()

    return clock.run(run())
