"""When a worker gives its tasks up, and when it is only slow."""

import asyncio
import time
from urllib.parse import urlsplit

import pytest

from tests.server.fleet.conftest import eventually, reached
from tests.server.steering import FromQueue
from tests.support import tcp_proxy
from tests.support.patience import until
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.timeout(120)

LEASE = 30.0
HELD_UP = 17.2  # with the time before, more than 0.6 leases and less than 0.8


@pytest.fixture
async def proxy(postgres):
    """The proxy in front of the database, which lives longer than the servers."""
    async with TcpProxy("127.0.0.1", urlsplit(postgres).port or 5432) as proxy:
        yield proxy


@pytest.fixture
def through(postgres, proxy):
    """The address of the database by way of the proxy."""
    return tcp_proxy.through(postgres, proxy)


@pytest.mark.long
async def test_a_process_that_is_delayed_is_not_cut_off(proxy, through, start):
    """A query that is running meanwhile ends with its wait, and is repeated."""
    queue = FromQueue()
    caller = await start(role="api")
    await start(role="worker", executor=queue, lease=LEASE, database=through)
    task_id = await caller.create()
    await reached(caller, task_id, "running")

    proxy.hold()
    for _ in range(3):  # until the worker has sent its query
        await asyncio.sleep(0.5)
    asyncio.get_running_loop().call_soon(time.sleep, HELD_UP)
    await asyncio.sleep(0)
    proxy.heal()
    queue.step("Go on")

    async def has_step() -> bool:
        return len((await caller.task(task_id))["steps"]) == 1

    await eventually(has_step)
    task = await caller.task(task_id)

    assert (task["status"], queue.ended) == ("running", 0)


@pytest.mark.long
async def test_a_worker_without_contact_ends_its_work(proxy, through, start):
    """It ends before another one may take over, which is after a whole lease."""
    queue = FromQueue()
    caller = await start(role="api")
    await start(role="worker", executor=queue, lease=10, database=through)
    await reached(caller, await caller.create(), "running")
    await until(lambda: queue.assignments)  # its row is announced before the worker goes on

    proxy.hold()
    try:
        held = asyncio.get_running_loop().time()
        await until(lambda: queue.ended == 1)
        silent = asyncio.get_running_loop().time() - held
    finally:
        proxy.heal()  # or the servers would wait for ever when they close

    assert 4.9 < silent < 10.0


@pytest.mark.long
@pytest.mark.parametrize("path", ["/task/{}/status", "/task/{}", "/tasks"])
async def test_calls_that_wait_for_others_have_their_own_timeout(path, proxy, through, start):
    """While the database is away, the timeout of each call begins with that call."""
    caller = await start(role="api", database=through)
    task_id = await caller.create()
    proxy.cut()
    loop = asyncio.get_running_loop()

    async def ask(number: int) -> tuple[int, float]:
        await asyncio.sleep(0.3 * number)
        began = loop.time()
        reply = await caller.get(path.format(task_id))
        return reply.status, loop.time() - began

    first, *others = await asyncio.gather(*map(ask, range(6)))

    assert {first[0], *(status for status, _ in others)} == {503}
    assert max(seconds for _, seconds in others) < first[1] + 5  # the timeout is 8 seconds
