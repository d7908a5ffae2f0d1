"""Slots for tasks are shared: owners take turns."""

import asyncio
from collections.abc import Sequence

import pytest

from browser_use_async.server.executors.owner_slots import OwnerSlots


async def _order(most: int, owners: Sequence[str]) -> list[str]:
    """The order in which tasks of some owners, created at once, get their slots."""
    slots, order = OwnerSlots(most), list[str]()

    async def work(owner: str) -> None:
        async with slots.slot(owner):
            order.append(owner)
            await asyncio.sleep(0)

    await asyncio.gather(*map(work, owners))
    return order


async def test_an_owner_waits_for_one_task_of_another_and_not_for_all():
    """Of ann's twenty tasks one runs and one is next when bob comes; his task follows."""
    order = await _order(1, ["ann"] * 20 + ["bob"] + ["cat"] * 2)

    assert order[:6] == ["ann", "ann", "bob", "cat", "ann", "cat"]
    assert order[6:] == ["ann"] * 17


async def test_one_owner_has_all_slots_while_no_other_waits():
    """Turns leave no slot unused."""
    slots = OwnerSlots(3)
    inside = 0
    most = 0

    async def work() -> None:
        nonlocal inside, most
        async with slots.slot("ann"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(10)))

    assert (most, inside) == (3, 0)


@pytest.mark.parametrize("turns", [0, 1])
async def test_a_task_that_is_stopped_while_it_waits_loses_no_slot(turns):
    """Whether or not it had just got its slot, the next task gets it."""
    slots = OwnerSlots(1)
    release = asyncio.Event()

    async def work(owner: str) -> str:
        async with slots.slot(owner):
            await release.wait()
            return owner

    first, stopped, last = (asyncio.create_task(work(name)) for name in ("ann", "bob", "cat"))
    await asyncio.sleep(0)
    release.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    stopped.cancel()

    async with asyncio.timeout(5):
        assert await asyncio.gather(first, last) == ["ann", "cat"]
    async with asyncio.timeout(5), slots.slot("dan"):
        pass
