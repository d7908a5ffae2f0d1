"""Worker processes that are killed, stopped or cut off: one task for each item."""

from collections.abc import AsyncIterator

import pytest

from browser_use_async.server import LocalServer
from tests.fleet.batches import LOST, SLOW, away, cut_off, killed, served


@pytest.fixture(params=[False, True], ids=["tokens", "keys"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[LocalServer]:
    """A server in this process that loses some answers to run-task, with or without keys."""
    async with served(LOST, keys=request.param) as started:
        yield started


@pytest.fixture
async def slow_server() -> AsyncIterator[LocalServer]:
    """A server that executes the first calls of run-task late."""
    async with served(SLOW) as started:
        yield started


@pytest.mark.long
@pytest.mark.parametrize(
    ("count", "processes", "kills"),
    [
        (40, 2, 2),
        pytest.param(2_000, 4, 20, marks=[pytest.mark.torture, pytest.mark.timeout(900)]),
    ],
)
async def test_killed_processes_lose_and_repeat_nothing(
    postgres: str, server: LocalServer, count: int, processes: int, kills: int
) -> None:
    """SIGKILL at random moments: each item has one task, and what was spent is exact."""
    verdict = await killed(server, f"{postgres}#kills", count, kills, processes)

    assert verdict.is_exact


@pytest.mark.long
async def test_a_process_that_was_cut_off_sends_nothing_more(
    server: LocalServer, postgres: str
) -> None:
    """Another process takes its items over; with contact again it creates no task for them."""
    assert (await cut_off(server, postgres, is_fenced=True)).is_exact


@pytest.mark.long
async def test_without_the_fence_a_process_that_was_cut_off_repeats(postgres: str) -> None:
    """The control: if statements do not check the owner, items get two tasks or lose theirs."""
    async with served(LOST) as server:
        assert not (await cut_off(server, postgres, is_fenced=False)).is_exact


@pytest.mark.long
async def test_no_living_process_is_taken_over_after_an_outage_of_the_database(
    slow_server: LocalServer, postgres: str
) -> None:
    """The first process that reaches the database gives the others time to report."""
    assert (await away(slow_server, postgres, asks_for_contact=True)).is_exact


@pytest.mark.long
async def test_without_contact_a_living_process_is_taken_over(
    slow_server: LocalServer, postgres: str
) -> None:
    """The control: what a living process has sent is sent once more or lost."""
    assert not (await away(slow_server, postgres, asks_for_contact=False)).is_exact
