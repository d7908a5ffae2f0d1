"""A job that PostgreSQL has assigned, and whose answer was lost."""

from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.server.fleet.conftest import reached
from tests.server.webhooks.receiver import SECRET, receiving
from tests.support.patience import until
from tests.support.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]

LEASE = 10.0
_MARKS = {"task": b'"task_id"', "event": b'"number"'}


class _Losses:
    """Cuts the connection that gets a job, once for each kind of job."""

    def __init__(self) -> None:
        self.lost: list[str] = []

    def __call__(self, chunk: bytes) -> bytes:
        for kind, mark in _MARKS.items():
            if mark in chunk and b"doing" in chunk and kind not in self.lost:
                self.lost.append(kind)
                raise ConnectionResetError
        return chunk


@pytest.fixture
async def lossy(postgres):
    """The address of a proxy in front of the database, and the losses it causes."""
    losses, parts = _Losses(), urlsplit(postgres)
    async with TcpProxy("127.0.0.1", parts.port or 5432, losses) as proxy:
        place = f"{parts.username}@127.0.0.1:{proxy.port}"
        yield urlunsplit(parts._replace(netloc=place)), losses


async def test_a_job_whose_assignment_was_lost_is_assigned_again(lossy, start):
    """Within two leases, for tasks and events, though its worker is idle otherwise."""
    address, losses = lossy
    async with receiving() as receiver:
        caller = await start(role="api")
        order = {"url": receiver.url, "secret": SECRET}
        assert (await caller.post(f"{caller.server.url}/admin/webhooks", json=order)).status == 200
        await start(role="worker", lease=LEASE, database=address)
        task_id = await caller.create()
        await reached(caller, task_id, "finished")
        await until(lambda: "finished" in receiver.statuses)

    assert sorted(losses.lost) == ["event", "task"]
    assert receiver.statuses == ["test", "initializing", "started", "finished"]
