"""Name look-ups: bounded, separate for each task, and connected to as they were checked."""

import asyncio
import socket
import threading

import pytest

from browser_use_async.server.egress.policy import Destination, EgressPolicy, PrivateAddresses
from browser_use_async.server.egress.resolver import (
    LOOK_UP_SECONDS,
    MOST_WAITING,
    THREADS,
    EgressRefusedError,
    JudgingResolver,
    NameLookups,
    UnknownHostError,
)
from tests.support.patience import PATIENCE, until


async def test_a_task_looks_up_four_names_at_once(names):
    """Silent names use four threads of their task, and further ones wait; others are free."""
    lookups, others = NameLookups(), NameLookups()
    names.known["fine.example"] = iter(["127.0.0.1"])
    waiting = [
        asyncio.create_task(lookups.addresses(f"{n}.silent.example"))
        for n in range(THREADS + MOST_WAITING)
    ]
    await until(lambda: len(names.asked) == THREADS)

    async with asyncio.timeout(PATIENCE):
        assert await others.addresses("fine.example") == ("127.0.0.1",)
        # Nor are the threads that the server shares in use.
        assert await asyncio.to_thread(lambda: "free") == "free"
    with pytest.raises(UnknownHostError, match=f"while {MOST_WAITING} others wait"):
        await lookups.addresses("one-more.silent.example")
    assert len(names.asked) == THREADS + 1  # that of the other task

    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_cancelled_look_ups_leave_the_queue(names):
    """A look-up without a waiter does not start; threads count until they end."""
    lookups = NameLookups()
    waiting = [
        asyncio.create_task(lookups.addresses(f"{n}.silent.example")) for n in range(2 * THREADS)
    ]
    await until(lambda: len(names.asked) == THREADS)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    later = asyncio.create_task(lookups.addresses("later.silent.example"))
    names.answers.set()

    with pytest.raises(UnknownHostError, match="is not known"):
        await later
    assert names.asked == [*(f"{n}.silent.example" for n in range(THREADS)), "later.silent.example"]


@pytest.mark.looptime
async def test_a_silent_name_is_given_up(names):
    """A connection does not wait longer than its limit, whatever the thread does."""
    start = asyncio.get_running_loop().time()
    with pytest.raises(UnknownHostError, match="was not found within 15 seconds"):
        await NameLookups().addresses("a.silent.example")

    assert asyncio.get_running_loop().time() - start == pytest.approx(LOOK_UP_SECONDS, abs=0.1)


async def test_numbers_are_not_looked_up(monkeypatch):
    """A number needs no name server and no thread."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a number was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = set(threading.enumerate())  # of which those of earlier tests may end meanwhile

    assert await NameLookups().addresses("127.0.0.1") == ("127.0.0.1",)
    assert await NameLookups().addresses("::1") == ("::1",)
    with pytest.raises(UnknownHostError, match="no address in its usual form"):
        await NameLookups().addresses("2130706433")
    assert set(threading.enumerate()) <= before


async def test_a_name_is_looked_up_once_for_many(names):
    """Connections to one host share a look-up and its result, also a failure."""
    names.known["shared.example"] = iter(["127.0.0.1"])
    lookups = NameLookups()

    found = await asyncio.gather(*(lookups.addresses("shared.example") for _ in range(50)))
    again = await lookups.addresses("shared.example")
    for _ in range(2):
        with pytest.raises(UnknownHostError, match="is not known"):
            await lookups.addresses("unknown.invalid")

    assert {*found, again} == {("127.0.0.1",)}
    assert names.asked == ["shared.example"]


async def test_the_checked_address_is_connected_to(names):
    """A name with another address in a second look-up is not looked up again."""
    names.known["rebind.example"] = iter(["93.184.216.34", "127.0.0.1"])
    resolver = JudgingResolver(EgressPolicy(), NameLookups())
    destination = Destination("rebind.example", 80, ("http",))

    judged = await resolver.judge(destination)
    resolved = await resolver.resolve("rebind.example", 80)

    assert judged == ("93.184.216.34",)
    assert [row["host"] for row in resolved] == ["93.184.216.34"]
    assert [row["flags"] for row in resolved] == [socket.AI_NUMERICHOST]
    assert await resolver.resolve("rebind.example", 80, socket.AF_INET6) == []
    with pytest.raises(OSError, match="was not judged"):
        await resolver.resolve("rebind.example", 81)


async def test_every_address_of_a_name_has_to_be_allowed(monkeypatch):
    """One private address among public ones is enough to refuse the name."""
    rows = [(socket.AF_INET, 1, 6, "", (each, 0)) for each in ("93.184.216.34", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    resolver = JudgingResolver(EgressPolicy(private=PrivateAddresses()), NameLookups())

    with pytest.raises(EgressRefusedError, match=r"is a private address \(10.0.0.1\)"):
        await resolver.judge(Destination("mixed.example", 80, ("http",)))
