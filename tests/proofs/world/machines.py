"""One world: a service, a network, and a worker whose machine crashes now and then."""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import attrs

from browser_use_async import BrowserUseSession
from browser_use_async.events import SessionEvent, SubmissionAdopted
from browser_use_async.transport.config import Runtime
from tests.proofs.world.faults import ATTEMPT_SECONDS, Faults
from tests.proofs.world.report import Report
from tests.proofs.world.server import WorldServer, http_date_of
from tests.proofs.world.worker import Abandoned, Created, Disk, Job, Worker
from tests.support import clock
from tests.support.fake_service import EPOCH, FakeService
from tests.support.fake_task import FakeTask, lives
from tests.support.hygiene import KEY
from tests.support.network import Machine, Network

__all__ = ["MachineLaws", "MachineWorld", "simulate"]

TEXTS = ("Buy milk", "Buy bread", "Read the news")
MARGIN = 2.0  # seconds: the service notices a moment later than the client that it has given up

LONGEST = 6 * 3600.0  # seconds; a world that runs longer hangs


@attrs.frozen
class MachineLaws:
    """The laws of a world, without the random part.

    Attributes:
        jobs: How many jobs there are.
        fault_rate: The usual probability that something goes wrong with a request.
        late: The most seconds between a client's giving up and the work being done.
        lag: The most seconds before the list shows a task.
        window: The settle window that the session and the worker believe in.
        resubmits: Whether the worker sends a job again whose task has not appeared within it.
        crashes: The most crashes of its machine.
        crash_at: The event at which its machine crashes, once; None leaves that to chance.
        others: Tasks that other clients create, for each minute.
        skew: The most seconds by which the worker's wall clock is wrong.
        set_clock: How often that clock is set to another such time, for each minute.
        untrue_dates: Whether the service's `Date` may be absent or untrue.
    """

    jobs: int = 20
    fault_rate: float = 0.3
    late: float = 60.0
    lag: float = 20.0
    window: float = 60.0 + 20.0 + MARGIN
    resubmits: bool = True
    crashes: int = 3
    crash_at: int | None = None
    others: float = 6.0
    skew: float = 600.0
    set_clock: float = 0.0
    untrue_dates: bool = False


class MachineWorld:
    """One world.

    Args:
        seed: All its chance.
        laws: Its laws.

    Attributes:
        lag: Seconds before the list shows a task, asked for each.
        life: Seconds that a task runs, asked for each.
    """

    def __init__(self, seed: int, laws: MachineLaws) -> None:
        self._loop = asyncio.get_running_loop()
        self._laws = laws
        self._seed = seed
        self._rng = rng = random.Random(seed)
        self._trace = hashlib.blake2b(digest_size=16)
        self._skew = self._drawn_skew()
        self.lag: Callable[[], float] = lambda: (
            rng.uniform(0.0, laws.lag) if rng.random() < 0.5 else 0.0
        )
        self.life: Callable[[], float] = lambda: rng.uniform(2.0, 40.0)
        self.service = FakeService()
        self.service.make = self._drawn_task
        self.service.name = "task-{:06d}".format
        self.service.rows_tell_metadata = rng.random() < 0.5
        self.faults = Faults(rng, laws.fault_rate * rng.choice((0.2, 1.0, 1.5)))
        self.server = WorldServer(self.service, self.faults, rng, laws.late, self._record)
        if laws.untrue_dates:
            self.server.date = self._drawn_dates()
        self.network = Network(
            self.server.accept, self.faults.admit, lambda: rng.uniform(0.001, 0.05)
        )
        self.disk = Disk()
        self.jobs = tuple(
            Job(f"job-{number}", rng.choice(TEXTS), rng.uniform(0.0, 60.0), rng.random() < 0.5)
            for number in range(laws.jobs)
        )
        self.found: Counter[str] = Counter()
        self.crashes = 0
        self.events = 0
        self._crashes_at: int | None = None
        self._crashed = asyncio.Event()

    def crash_after(self, events: int | None) -> None:
        """Crash the next machine after some events, or never.

        Args:
            events: After how many events; None for never.
        """
        self._crashes_at = None if events is None else self.events + events

    def set_clock(self, skew: timedelta) -> None:
        """Set the worker's wall clock.

        Args:
            skew: How far it is from the service's.
        """
        self._skew = skew

    def _drawn_task(self, _body: Any) -> FakeTask:
        return lives(self.life(), listed_after=self.lag(), steps=0, live_after=None)

    def _drawn_skew(self) -> timedelta:
        return timedelta(seconds=self._rng.uniform(-self._laws.skew, self._laws.skew))

    def _drawn_dates(self) -> Callable[[datetime], str | None]:
        wrong = timedelta(seconds=self._rng.uniform(-86_400.0, 86_400.0))
        kinds: tuple[Callable[[datetime], str | None], ...] = (
            http_date_of,
            lambda _now: None,
            lambda now: http_date_of(now + wrong),
            lambda now: http_date_of(now + self._rng.choice((wrong, timedelta(0)))),
        )
        return self._rng.choice(kinds)

    async def _set_clock(self) -> None:
        """Set the worker's clock to wrong times, as a broken synchronisation does."""
        while self._laws.set_clock:
            await asyncio.sleep(self._rng.expovariate(self._laws.set_clock / 60.0))
            self.set_clock(self._drawn_skew())

    def now(self) -> datetime:
        """The worker's wall clock, which is not quite the service's."""
        return EPOCH + self._skew + timedelta(seconds=self._loop.time())

    def _record(self, event: str) -> None:
        self._trace.update(f"{self._loop.time():.9f} {event}\n".encode())

    def _on_machine_event(self, machine: Machine, event: str) -> None:
        self._record(event)
        self.events += 1
        if self.events == self._crashes_at:
            self.crashes += 1
            machine.crash(delivered=self._rng.random() < 0.5)
            self._crashed.set()

    def _on_session_event(self, event: SessionEvent) -> None:
        self.found["by the SDK"] += isinstance(event, SubmissionAdopted)

    def _crash_points(self) -> list[int]:
        """After how many events each machine crashes; the last one does not."""
        if self._laws.crash_at is not None:
            return [self._laws.crash_at]
        # Early as often as late: while jobs are being submitted, and while they are resolved.
        longest = self._rng.choice((30, 300, 3000))
        return [
            1 + self._rng.randrange(longest)
            for _crash in range(self._rng.randrange(self._laws.crashes + 1))
        ]

    async def run(self) -> Report:
        """Run the worker, restart it when its machine crashes, and judge the outcome."""
        around = [
            asyncio.create_task(self.create_other_tasks()),
            asyncio.create_task(self._set_clock()),
        ]
        for events in self._crash_points():
            self.crash_after(events)
            if await self.run_machine():
                break  # everything was done before that event
            await asyncio.sleep(self._rng.uniform(0.0, 30.0))
        else:
            self.crash_after(None)
            await self.run_machine()
        await asyncio.sleep(self._laws.late + ATTEMPT_SECONDS)  # for late work
        for each in around:
            each.cancel()
        await asyncio.wait(around)
        return self.judged()

    async def create_other_tasks(self) -> None:
        """Create tasks of other clients, with the texts of the worker's."""
        while self._laws.others:
            await asyncio.sleep(self._rng.expovariate(self._laws.others / 60.0))
            self.service.create(self._rng.choice(TEXTS), {"team": "theirs"})

    def open_session(self, machine: Machine) -> BrowserUseSession:
        """A session with the service; to be closed by the caller.

        Args:
            machine: Where it runs.
        """
        return BrowserUseSession(
            KEY,
            base_url="http://127.0.0.1/api/v1",
            timeout=ATTEMPT_SECONDS,
            on_event=self._on_session_event,
            runtime=self.runtime(machine),
        )

    def runtime(self, machine: Machine) -> Runtime:
        """The random numbers, clock and network of a session of this world.

        Args:
            machine: Where it runs.
        """
        chance = random.Random(f"{self._seed} {self.crashes}")
        connector = self.network.connector(machine)
        return Runtime(chance, self.now, connector, settle_window=self._laws.window)

    def worker(self, session: BrowserUseSession, machine: Machine) -> Worker:
        """The program.

        Args:
            session: How it talks to the service.
            machine: Where it runs.
        """
        laws, disk, jobs = self._laws, self.disk, self.jobs
        resubmits, window = laws.resubmits, laws.window
        skew = timedelta(seconds=3 * laws.skew)  # between two readings that may both be wrong
        return Worker(session, machine, disk, jobs, resubmits, window, self.now, skew, self.found)

    async def run_machine(self) -> bool:
        """Start the worker on a new machine.

        Returns:
            Whether it ended normally; else the machine died before.
        """
        machine = Machine()
        machine.on_event = lambda event: self._on_machine_event(machine, event)
        self._crashed.clear()
        session = self.open_session(machine)
        worker = self.worker(session, machine)
        work = asyncio.create_task(worker.work())
        death = asyncio.create_task(self._crashed.wait())
        await asyncio.wait([work, death], return_when=asyncio.FIRST_COMPLETED)
        # Further actions of a crashed program reach neither the network nor the disk.
        for task in (work, death):
            task.cancel()
        await asyncio.wait([work, death])
        await session.aclose()
        if machine.alive:
            await work  # raises the error
        return machine.alive

    def judged(self) -> Report:
        """Compare the service with the worker's knowledge."""
        report = Report(
            worlds=1,
            tasks=len(self.jobs),
            requests=Counter({call.value: count for call, count in self.server.requests.items()}),
            events=self.events,
            crashes=self.crashes,
            faults=self.faults.fired,
            found=self.found,
            seconds=self._loop.time(),
            trace=self._trace.hexdigest(),
        )
        for job in self.jobs:
            mine = [task.id for task in self.service.tasks.values() if task.job == job.key]
            known = self.disk.entries.get(job.key)
            given_up = isinstance(known, Abandoned) and not mine
            found = isinstance(known, Created) and any(known.token.endswith(name) for name in mine)
            report.twice += len(mine) > 1
            report.unknown += given_up
            report.lost += not (found or given_up)
        return report


def simulate(seed: int, laws: MachineLaws | None = None) -> Report:
    """Run one world.

    Args:
        seed: All its chance.
        laws: Its laws.
    """

    async def run() -> Report:
        async with asyncio.timeout(LONGEST):
            return await MachineWorld(seed, MachineLaws() if laws is None else laws).run()

    return clock.run(run())
