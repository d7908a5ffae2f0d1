"""Tasks are paid once on a service without idempotency keys, because of the fence."""

import random
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.types import TaskStatus
from tests.server.remote.conftest import Opens
from tests.server.remote.serving import API_KEY, ServerProcess
from tests.support.hosted.service import KEY, Course, Fault, HostedService
from tests.support.hosted.v4 import HostedV4
from tests.support.patience import until

_PAID = "POST /runs"
_FENCE = "POST /workspaces"


@pytest.mark.parametrize("status", [0, 502], ids=["cut", "502"])
async def test_a_lost_answer_to_the_paid_call(
    hosted: HostedService, opens: Opens, status: int
) -> None:
    """The fence shows whether the task exists: it is adopted, or the call is sent again."""
    hosted.faults += [Fault(_PAID, status, times=2)]
    async with opens(hosted) as door:
        task = await door.session.run_and_wait("Buy milk")

    assert task.output == "Done there."
    assert hosted.paid == {"Buy milk": 1}
    # The 502 had no effect here, so that the third request is the paid one.
    assert hosted.calls[_PAID] == (1 if status == 0 else 3)


@pytest.mark.long
async def test_a_lost_answer_to_the_fence(hosted: HostedService, opens: Opens) -> None:
    """Another empty workspace is created, and one task is paid."""
    hosted.faults += [Fault(_FENCE, 0, times=2)]
    async with opens(hosted) as door:
        await door.session.run_and_wait("Buy milk")

    assert hosted.calls[_FENCE] == 3
    assert hosted.paid == {"Buy milk": 1}


_EMPTY_SESSION = {"id": "x", "status": "active", "tasks": []}


async def test_an_unreadable_answer_to_the_paid_call(hosted: HostedService, opens: Opens) -> None:
    """It may have been created: the fence is read."""
    hosted.faults += [Fault(_PAID, 200, {"ok": True})]
    async with opens(hosted) as door:
        await door.session.run_and_wait("Buy milk")

    assert hosted.paid == {"Buy milk": 1}


@pytest.mark.long
async def test_a_run_that_is_not_seen_yet_is_waited_for(hosted: HostedV4, opens: Opens) -> None:
    """A list without it is no proof until new runs would be listed."""
    hosted.unseen = 3
    hosted.faults += [Fault(_PAID, 0)]
    async with opens(hosted, settle_seconds=5.0) as door:
        await door.session.run_and_wait("Buy milk")

    assert hosted.paid == {"Buy milk": 1}
    assert hosted.calls["GET /runs"] == 4


async def _naive_create(http: aiohttp.ClientSession, service: HostedService, text: str) -> None:
    """Create a task as simple programs do: once more if there is no answer."""
    url = f"{service.url}/api/v4"
    headers = {"X-Browser-Use-API-Key": KEY}
    body: dict[str, Any] = {"task": text}
    for _attempt in range(10):
        try:
            # Another empty workspace for each attempt, as where a service creates it by itself.
            async with http.post(f"{url}/workspaces", json={}, headers=headers) as reply:
                made = (await reply.json())["id"]
            body |= {"workspaceId": made, "browserSettings": {"record": False}}
            async with http.post(f"{url}/runs", json=body, headers=headers) as reply:
                reply.raise_for_status()
                return
        except aiohttp.ClientError:
            continue


async def test_a_lost_answer_among_many_runs(hosted: HostedV4, opens: Opens) -> None:
    """The list is read page by page, back to the time of the workspace."""
    async with aiohttp.ClientSession() as http:
        for number in range(60):
            await _naive_create(http, hosted, f"Buy eggs {number}")
    hosted.faults += [Fault(_PAID, -1)]
    async with opens(hosted) as door:
        task = await door.session.run_and_wait("Buy milk")

    assert task.output == "Done there."
    assert hosted.paid["Buy milk"] == 1
    assert hosted.calls["GET /runs"] >= 4  # two pages, at the first search and at the last


async def _created_without_the_fence(service: HostedService, tasks: int, lost: int) -> None:
    async with aiohttp.ClientSession() as http:
        for number in range(tasks):
            service.faults += [Fault(_PAID, 0)] if number < lost else []
            await _naive_create(http, service, f"Buy milk {number}")

    assert len(service.paid) == tasks
    assert service.paid.total() == tasks + lost


async def test_without_the_fence_tasks_are_paid_twice(hosted: HostedService) -> None:
    """The control: a program that repeats a create after each lost answer pays for each."""
    await _created_without_the_fence(hosted, 10, 5)


@pytest.mark.nightly
async def test_without_the_fence_many_tasks_are_paid_twice(hosted: HostedService) -> None:
    """300 tasks and 45 lost answers without the fence: 345 are paid."""
    await _created_without_the_fence(hosted, 300, 45)


async def _killed_while_creating(service: HostedService, folder: Path, tasks: int) -> None:
    """Create tasks while the server is killed repeatedly and answers are lost."""
    rng = random.Random(7)
    service.courses["milk"] = Course(looks=6)
    operation = _PAID
    async with ServerProcess(folder / "server.db", service) as process:
        for first in range(0, tasks, 20):
            some = range(first, min(first + 20, tasks))
            service.faults += [Fault(operation, 0, times=3)]
            async with BrowserUseSession(api_key=API_KEY, base_url=process.base_url) as session:
                for number in some:
                    await session.submit(f"Buy milk {number:03}")
                created = service.calls[operation]
                wanted = created + rng.randrange(1, 12)
                await until(
                    lambda wanted=wanted, some=some: (
                        service.calls[operation] >= wanted or _all(service, some)
                    )
                )
            await process.kill()
            await process.start()
        async with BrowserUseSession(api_key=API_KEY, base_url=process.base_url) as session:
            handles = [each async for each in session.iterate_all_tasks(page_size=100)]
            ended = [await session.wait(each.id, timeout=300) for each in handles]

    assert len(ended) == tasks
    assert {each.status for each in ended} == {TaskStatus.FINISHED}
    assert len(service.paid) == tasks  # none is lost
    assert set(service.paid.values()) == {1}  # and none is paid twice


def _all(service: HostedService, some: range) -> bool:
    return all(service.paid[f"Buy milk {number:03}"] for number in some)


@pytest.mark.long
async def test_a_killed_server_pays_once(hosted: HostedService, tmp_path: Path) -> None:
    """20 tasks, whose server is killed while it creates them: all finish, each paid once."""
    await _killed_while_creating(hosted, tmp_path, 20)


@pytest.mark.nightly
@pytest.mark.timeout(900)
async def test_a_server_that_is_killed_again_and_again(
    hosted: HostedService, tmp_path: Path
) -> None:
    """300 tasks, 15 kills, 45 lost answers: all finish, each paid once."""
    await _killed_while_creating(hosted, tmp_path, 300)
