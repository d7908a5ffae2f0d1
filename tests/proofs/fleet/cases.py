"""The promises of a fleet, each as a coroutine that returns the figures."""

import asyncio
import contextlib
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import attrs

from browser_use_async import BrowserUseSession
from browser_use_async.errors import BrowserUseError
from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.records import Assignment, Step
from browser_use_async.types import TaskStatus
from tests.proofs.fleet.servers import Node, Servers, servers_on
from tests.proofs.fleet.settings import API_KEY
from tests.server.webhooks.receiver import SECRET, Call, Receiver, receiving
from tests.support.postgres import PostgresServer
from tests.support.tcp_proxy import TcpProxy

Figures = dict[str, Any]

LEASE = 10.0
_QUIET_SECONDS = 90.0
_COMMITTED = b"COMMIT\0"  # the server's answer to it
_ORDER = ("initializing", "started", "paused", "stopped", "finished")


async def _create(nodes: list[Node], count: int, pause: float = 0.0) -> list[str]:
    """Create tasks through all nodes in turn; returns their ids."""
    async with contextlib.AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(node.session()) for node in nodes]
        ids: list[str] = []

        async def create(number: int) -> None:
            # Like any client whose server has died: it calls another one.
            key = uuid.uuid4().hex  # so that another server knows what a dead one has created
            for attempt in range(20):
                session = sessions[(number + attempt) % len(sessions)]
                with contextlib.suppress(BrowserUseError):
                    handle = await session.submit(f"task {number}", key=key)
                    ids.append(handle.id)
                    return
                await asyncio.sleep(0.5)

        works = []
        for number in range(count):
            works.append(asyncio.ensure_future(create(number)))
            await asyncio.sleep(pause)
        await asyncio.gather(*works)
        return ids


@contextlib.asynccontextmanager
async def _webhook(node: Node) -> AsyncGenerator[Receiver]:
    async with receiving() as receiver:
        import aiohttp

        async with aiohttp.ClientSession() as http:
            answer = await http.post(
                f"http://127.0.0.1:{node.port}/admin/webhooks",
                json={"url": receiver.url, "secret": SECRET},
                headers={"Authorization": f"Bearer {API_KEY}"},
            )
            assert answer.status == 200, await answer.text()
        yield receiver


def _accepted(receiver: Receiver, chance: random.Random) -> list[Call]:
    """The accepted calls of the receiver: it refuses a fifth of the events at first."""
    accepted: list[Call] = []
    seen = set[tuple[str, str]]()

    def answer(call: Call) -> int:
        event = (call.event["payload"].get("task_id", ""), call.status)
        is_first, _ = event not in seen, seen.add(event)
        if is_first and chance.random() < 0.2 and call.status != "test":
            return 503
        accepted.append(call)
        return 200

    receiver.answer = answer
    return accepted


def _out_of_order(calls: Sequence[Call]) -> int:
    """How many tasks had events that came in the wrong order, repeated ones aside."""
    seen: defaultdict[str, list[str]] = defaultdict(list)
    for call in calls:
        if call.status != "test":
            seen[call.event["payload"]["task_id"]].append(call.status)
    return sum(
        list(dict.fromkeys(each)) != [word for word in _ORDER if word in each]
        for each in seen.values()
    )


async def _events(servers: Servers, calls: Sequence[Call]) -> Figures:
    received = {(call.event["payload"].get("task_id"), call.status) for call in calls}
    written = await servers.rows("SELECT task_id, status FROM outbox")
    lost = sum(tuple(each) not in received for each in written)
    return {"events": len(written), "events lost": lost, "out of order": _out_of_order(calls)}


async def kills(database: str, tasks: int, count: int, seed: int, *options: str) -> Figures:
    """Random nodes are killed and started again while clients create tasks."""
    chance = random.Random(seed)
    async with servers_on(database) as servers:
        lease = ("--lease", str(LEASE), *options)
        apis = await servers.add("api", 2, *lease)
        await servers.add("worker", 2, *lease)
        async with _webhook(apis[0]) as receiver:
            calls = _accepted(receiver, random.Random(-seed))
            creating = asyncio.ensure_future(_create(apis, tasks, pause=0.15))
            for _ in range(count):
                await asyncio.sleep(chance.uniform(0.5, 3.0))
                node = chance.choice(servers.nodes)
                await node.kill()
                await node.start()
            ids = await creating
            quiet = await servers.until_quiet(_QUIET_SECONDS)
            statuses = await servers.statuses()
            return {
                "kills": count,
                "created": len(ids),
                "lost": tasks - len(set(ids)),
                **statuses,
                "stuck": sum(statuses[each] for each in ("created", "running", "paused")),
                "begun twice": _begun_twice(servers),
                **await servers.books(),
                **await _events(servers, calls),
                "quiet after s": round(quiet, 1),
            }


def _begun_twice(servers: Servers) -> int:
    """How many tasks executors have begun more than once."""
    lines = (line for node in servers.nodes for line in node.said().splitlines())
    begun = Counter(line for line in lines if line.startswith("began "))
    return sum(count > 1 for count in begun.values())


async def restarts(
    server: PostgresServer, database: str, tasks: int, modes: list[str], *options: str
) -> Figures:
    """PostgreSQL is restarted, or crashes, while tasks run."""
    async with servers_on(database) as servers:
        lease = ("--lease", str(LEASE), "--steps", "8", *options)
        apis = await servers.add("api", 1, *lease)
        await servers.add("worker", 2, *lease)
        creating = asyncio.ensure_future(_create(apis, tasks, pause=0.1))
        for mode in modes:
            await asyncio.sleep(2.0)
            await asyncio.to_thread(server.restart, mode)
        ids = await creating
        quiet = await servers.until_quiet(_QUIET_SECONDS)
        statuses = await servers.statuses()
        return {
            "restarts": len(modes),
            "created": len(ids),
            **statuses,
            "failed": statuses["failed"],
            **await servers.books(),
            "quiet after s": round(quiet, 1),
        }


async def cut(database: str, tasks: int, step_seconds: float, *options: str) -> Figures:
    """A worker loses the network for three leases: its tasks fail once, and nothing else does.

    The later actions of its executors are read from their output.
    """
    port = urlsplit(database).port or 5432
    async with TcpProxy("127.0.0.1", port) as proxy, servers_on(database) as servers:
        through = _through(database, proxy)
        lease = ("--lease", str(LEASE), "--steps", "70")  # the limit of a task is 75
        lease += ("--step-seconds", str(step_seconds))
        apis = await servers.add("api", 1, *lease)
        (lost,) = await servers.add("worker", 1, *lease, *options, through=through)
        ids = await _create(apis, tasks)
        await _until_running(servers, tasks)
        await servers.add("worker", 1, *lease)
        proxy.hold()
        others = await _create_named(apis[0], "other", tasks)
        await asyncio.sleep(3 * LEASE)
        cut_off = await servers.rows("SELECT id, status FROM tasks WHERE task LIKE 'task%'")
        before = await _step_counts(servers)
        proxy.heal()
        # Until a running step has ended, and processes that waited for the database have written.
        await asyncio.sleep(max(8.0, step_seconds))
        after = await _step_counts(servers)
        statuses = dict(await servers.rows("SELECT id, status FROM tasks"))
        failed = {each for each, status in cut_off if status == "failed"}
        ends = dict(await servers.rows("SELECT id, finished_at FROM tasks WHERE status = 'failed'"))
        return {
            "cut": len(ids),
            "failed": len(failed),
            "acted later": _acted_later(lost, ends),
            "later steps": sum(after[each] - before[each] for each in failed),
            "reasons": await servers.reasons(),
            "others failed": sum(statuses[each] == "failed" for each in others),
            "changed later": sum(statuses[each] != "failed" for each in failed),
        }


async def lost_commits(database: str, tasks: int, *options: str) -> Figures:
    """Answers to commits of a worker are lost, and the database is away for some time after that.

    That is so long that the transaction is given up, and another one writes its data.
    """
    steps, away_seconds, is_armed = 40, 11.0, False

    def lose(data: bytes) -> bytes:
        nonlocal is_armed
        if not is_armed or _COMMITTED not in data:
            return data
        is_armed = False
        proxy.cut()
        return b""

    port = urlsplit(database).port or 5432
    async with TcpProxy("127.0.0.1", port, lose) as proxy, servers_on(database) as servers:
        lease = ("--lease", "30", "--steps", str(steps))
        apis = await servers.add("api", 1, *lease)
        await servers.add("worker", 1, *lease, *options, through=_through(database, proxy))
        ids = await _create(apis, tasks)
        for _ in range(3):
            await _until_running(servers, tasks)
            await asyncio.sleep(1.0)
            is_armed = True
            async with asyncio.timeout(_QUIET_SECONDS):
                while is_armed:  # noqa: ASYNC110 - no event for it
                    await asyncio.sleep(0.01)
            await asyncio.sleep(away_seconds)
            proxy.heal()
            await asyncio.sleep(2.0)
        await servers.until_quiet(_QUIET_SECONDS)
        ((written,),) = await servers.rows("SELECT count(*) FROM steps")
        statuses = await servers.statuses()
        return {
            "created": len(ids),
            "failed": statuses["failed"],
            "steps off": abs(written - tasks * steps),
            **await servers.books(),
        }


async def away(database: str, tasks: int, *options: str) -> Figures:
    """Two workers have no database for longer than a lease, and get it back one after the other.

    They keep their browsers meanwhile, so that nothing is lost unless one gives the other up.
    """
    port = urlsplit(database).port or 5432
    async with (
        TcpProxy("127.0.0.1", port) as one,
        TcpProxy("127.0.0.1", port) as other,
        servers_on(database) as servers,
    ):
        lease = ("--lease", str(LEASE), "--steps", "60", "--step-seconds", "0.5")
        apis = await servers.add("api", 1, *lease)
        for proxy in (one, other):
            slots = ("--slots", str(tasks // 2), "--without", ",".join(("patience", *options)))
            await servers.add("worker", 1, *lease, *slots, through=_through(database, proxy))
        ids = await _create(apis, tasks)
        await _until_running(servers, tasks)
        await asyncio.sleep(2 * LEASE)  # in contact for long enough to give others up
        for proxy in (one, other):
            proxy.cut()
        await asyncio.sleep(1.5 * LEASE)
        one.heal()
        await asyncio.sleep(LEASE / 2)
        other.heal()
        await servers.until_quiet(_QUIET_SECONDS)
        statuses = await servers.statuses()
        return {
            "created": len(ids),
            "failed": statuses["failed"],
            "reasons": await servers.reasons(),
            **await servers.books(),
        }


def _through(database: str, proxy: TcpProxy) -> str:
    """The address of a database, by way of a proxy."""
    parts = urlsplit(database)
    return urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{proxy.port}"))


def _acted_later(node: Node, ends: dict[str, str]) -> int:
    """How often executors of a node acted for tasks that had failed."""
    acts = [line.split() for line in node.said().splitlines() if line.startswith("acted ")]
    return sum(
        task_id in ends and float(moment) > datetime.fromisoformat(ends[task_id]).timestamp()
        for _, moment, task_id in acts
    )


async def _create_named(node: Node, name: str, count: int) -> list[str]:
    async with node.session() as session:
        handles = [await session.submit(f"{name} {number}") for number in range(count)]
        return [handle.id for handle in handles]


async def _until_running(servers: Servers, count: int) -> None:
    async with asyncio.timeout(_QUIET_SECONDS):
        while (await servers.statuses())["running"] < count:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.1)


async def _step_counts(servers: Servers) -> Counter[str]:
    found = await servers.rows("SELECT task_id, count(*) FROM steps GROUP BY task_id")
    return Counter(dict(found))


async def rolling(database: str, tasks: int, lease: float = 20.0) -> Figures:
    """Every node is ended by SIGTERM and started again while tasks run."""
    async with servers_on(database) as servers:
        options = ("--lease", str(lease), "--steps", "6")
        apis = await servers.add("api", 2, *options)
        await servers.add("worker", 2, *options)
        creating = asyncio.ensure_future(_create(apis, tasks, pause=0.1))
        for node in [*servers.nodes]:
            await asyncio.sleep(0.5)
            await node.terminate()
            await node.start()
        ids = await creating
        await servers.until_quiet(_QUIET_SECONDS)
        statuses = await servers.statuses()
        return {
            "nodes": len(servers.nodes),
            "created": len(ids),
            "lost": tasks - len(set(ids)),
            "failed": statuses["failed"],
            "reasons": await servers.reasons(),
            **await servers.books(),
        }


async def schedules(database: str, count: int) -> Figures:
    """Schedules are due at once on several nodes, one of which is killed: each runs once."""
    async with servers_on(database) as servers:
        apis = await servers.add("api", 3)
        # Late enough that all of them exist by then: else few are due at once.
        start = datetime.now(UTC) + timedelta(seconds=6 + count / 25)
        async with apis[0].session() as session:
            for number in range(count):
                await session.scheduled_tasks.create(
                    f"scheduled {number}",
                    schedule_type="interval",
                    interval_minutes=1440,
                    start_at=start,
                )
        await asyncio.sleep(max(0.0, (start - datetime.now(UTC)).total_seconds()) + 0.3)
        await apis[1].kill()
        async with asyncio.timeout(_QUIET_SECONDS):
            while True:
                ((runs,),) = await servers.rows("SELECT count(*) FROM tasks")
                if runs >= count:
                    break
                await asyncio.sleep(0.3)
        await asyncio.sleep(2.0)
        ((runs,),) = await servers.rows("SELECT count(*) FROM tasks")
        ((distinct,),) = await servers.rows("SELECT count(DISTINCT task) FROM tasks")
        return {"schedules": count, "runs": runs, "distinct": distinct}


@attrs.define(eq=False)
class _Timed(Executor):
    """An executor whose tasks hang, and that notes when each was ended."""

    name = "timed"
    ended: dict[str, float] = attrs.field(factory=dict)

    async def run(self, assignment: Assignment, control: Control) -> AsyncIterator[Step]:
        """Hang."""
        control.started()
        try:
            yield Step("Wait")
            await asyncio.Event().wait()
        finally:
            self.ended[assignment.task_id] = time.perf_counter()

    async def aclose(self) -> None:
        """Nothing to close."""


async def stops(database: str, count: int) -> Figures:
    """Tasks are stopped through another node than the one that runs them."""
    executor = _Timed()
    shared: dict[str, Any] = {"database": database, "api_key": API_KEY, "lease": LEASE}
    async with (
        LocalServer(
            **shared,
            role="worker",
            chromium=ChromiumSettings(max_browsers=count),
            executor=executor,
        ),
        LocalServer(**shared, role="api", executor="scripted") as api,
        BrowserUseSession(API_KEY, base_url=api.base_url) as session,
    ):
        handles = [await session.submit(f"task {number}") for number in range(count)]
        for handle in handles:
            while await handle.get_status() != TaskStatus.RUNNING:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.05)
        calls: list[float] = []
        released: list[float] = []
        for handle in handles:
            started = time.perf_counter()
            await handle.stop()
            calls.append(time.perf_counter() - started)
            while handle.id not in executor.ended:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.001)
            released.append(executor.ended[handle.id] - started)
    return {
        "stops": count,
        "call ms p50": _percentile(calls, 0.5),
        "released ms p50": _percentile(released, 0.5),
        "released ms p99": _percentile(released, 0.99),
    }


def _percentile(values: list[float], share: float) -> float:
    return round(1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))], 1)


async def speed(database: str, seconds: float) -> Figures:
    """How many calls one API node answers in a second, and the CPU time of each."""
    async with servers_on(database) as servers:
        (api,) = await servers.add("api")
        async with api.session() as session:
            created: list[str] = []  # statuses are asked of many tasks, as clients do

            async def create() -> None:
                created.append((await session.submit("task")).id)

            async def ask() -> None:
                await session.tasks.get_status(random.choice(created))

            async def measure(name: str, call: Callable[[], Awaitable[Any]]) -> Figures:
                done, ends, cpu = 0, time.perf_counter() + seconds, api.cpu_seconds()

                async def repeat() -> None:
                    nonlocal done
                    while time.perf_counter() < ends:
                        await call()
                        done += 1

                await asyncio.gather(*(repeat() for _ in range(16)))
                used = api.cpu_seconds() - cpu
                return {
                    f"{name} per s": round(done / seconds, 1),
                    f"us of CPU of a {name}": round(1e6 * used / done),
                }

            return {
                **await measure("creation", create),
                **await measure("status", ask),
            }


async def steps(database: str, tasks: int, count: int) -> Figures:
    """How many steps one worker writes in a second, at most 75 for each task and at once."""
    options = ("--steps", str(count), "--step-seconds", "0", "--slots", str(tasks))
    async with servers_on(database) as servers:
        (api,) = await servers.add("api")
        await _create([api], tasks)
        (worker,) = await servers.add("worker", 1, *options)
        await _until_running(servers, 1)
        begun, cpu = time.perf_counter(), worker.cpu_seconds()
        ((before,),) = await servers.rows("SELECT count(*) FROM steps")
        await servers.until_quiet(_QUIET_SECONDS)
        seconds, used = time.perf_counter() - begun, worker.cpu_seconds() - cpu
        ((written,),) = await servers.rows("SELECT count(*) FROM steps")
        return {
            "steps": written,
            "steps per s": round((written - before) / seconds, 1),
            "us of CPU of a step": round(1e6 * used / (written - before)),
            **await servers.books(),
        }
