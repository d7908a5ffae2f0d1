"""A session with a server that fails on request: what users test with faults."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any, Protocol

import attrs
import pytest

from browser_use_async import BrowserUseSession, RetryPolicy, errors
from browser_use_async.server import Fault, LocalServer

ONCE = RetryPolicy(max_attempts=1)

pytestmark = pytest.mark.looptime


class Connect(Protocol):
    """Opens a session with a server that lives until the end of the test."""

    async def __call__(
        self, *faults: Fault, **options: Any
    ) -> tuple[BrowserUseSession, LocalServer]:
        """Start the server with faults, and open the session with options."""
        ...


@pytest.fixture
async def connect_through(nothing_leaks):
    """Start servers and open sessions."""
    async with AsyncExitStack() as stack:

        async def start(*faults: Fault, **options: Any) -> tuple[BrowserUseSession, LocalServer]:
            server = LocalServer(executor="scripted", faults=faults)
            await stack.enter_async_context(server)
            session = BrowserUseSession(server.api_key, base_url=server.base_url, **options)
            return await stack.enter_async_context(session), server

        yield start


# The fault of the only attempt of get-balance, and the error that the session raises.
READ_ONCE: list[tuple[Fault, type[errors.BrowserUseError]]] = [
    (Fault("latency", seconds=60), errors.APITimeoutError),
    (Fault("status", status=503), errors.InternalServerError),
    (Fault("status", status=429, headers={"Retry-After": "1"}), errors.RateLimitError),
    (Fault("status", status=307, headers={"Location": "/"}), errors.APIStatusError),
    (Fault("lost_reply"), errors.APIConnectionError),
    (Fault("lost_reply", by="rst"), errors.APIConnectionError),
    (Fault("late_commit", seconds=1), errors.APIConnectionError),
    (Fault("reset"), errors.APIConnectionError),
    (Fault("reset", when="after"), errors.APIConnectionError),
    (Fault("truncate", at_byte=3), errors.APIConnectionError),
    (Fault("garbage"), errors.APIConnectionError),
    (Fault("drip", bytes_per_second=0.01), errors.APITimeoutError),
]


@pytest.mark.parametrize(("fault", "error"), READ_ONCE, ids=[str(each[0]) for each in READ_ONCE])
async def test_one_attempt(connect_through, fault, error):
    """Each kind becomes the typed error that a user's program has to handle."""
    session, server = await connect_through(fault, retry=ONCE)
    with pytest.raises(error):
        await session.account.get_balance()

    assert server.faults_fired.total() == 1
    assert server.requests == {"check_balance": 1}


@pytest.mark.parametrize("fault", [each[0] for each in READ_ONCE if each[0].status != 307], ids=str)
async def test_the_next_attempt(connect_through, fault):
    """When only the first call fails, the session's second attempt succeeds."""
    session, server = await connect_through(attrs.evolve(fault, first=1))

    assert await session.account.get_balance()
    assert server.faults_fired.total() == 1
    assert server.requests == {"check_balance": 2}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("lost_reply", "run_task"),
        Fault("lost_reply", "run_task", by="rst"),
        Fault("reset", "run_task", when="after"),
        Fault("truncate", "run_task", at_byte=4),
        Fault("garbage", "run_task"),
        Fault("status", "run_task", status=502, when="after"),
        Fault("late_commit", "run_task", seconds=20),
    ],
    ids=str,
)
async def test_a_submission_whose_answer_is_lost(connect_through, fault):
    """The search finds the one task, though its answer was lost, late or malformed."""
    session, server = await connect_through(fault, Fault("list_lag", seconds=3))
    task = await session.run_and_wait("Pay the bill")

    assert task.task == "Pay the bill"
    assert server.tasks_created == 1
    assert server.faults_fired["list_lag"] == 1


async def test_a_pause_that_the_server_asks_for(connect_through):
    """The session waits for the `Retry-After` of a 429, and then the task is created once."""
    fault = Fault("status", "run_task", status=429, headers={"Retry-After": "5"}, first=2)
    session, server = await connect_through(fault)
    begun = asyncio.get_running_loop().time()
    await session.submit("Pay the bill")

    assert asyncio.get_running_loop().time() - begun >= 10
    assert server.requests["run_task"] == 3
    assert server.tasks_created == 1


async def test_a_download_that_breaks_off(connect_through, tmp_path):
    """The SDK downloads the rest of a file whose first transfer was cut."""
    session, server = await connect_through()
    task = await session.run_and_wait("Look")
    server.set_faults([Fault("truncate", "file", at_byte=100, calls=1)])
    (first, *_rest) = await session.files.download_screenshots(task.id, tmp_path)

    assert server.faults_fired == {"truncate file": 1}
    assert first.read_bytes().endswith(b"IEND\xaeB`\x82")
