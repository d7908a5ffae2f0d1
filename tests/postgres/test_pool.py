"""The pool of connections, whose waiters may be cancelled at any moment."""

import asyncio

import pytest

from tests.support.patience import PATIENCE, until

pytest.importorskip("psycopg_pool")

from browser_use_async.postgres.connection import AsyncPool


@pytest.mark.parametrize("turns", range(20))
async def test_a_cancelled_waiter_ends(postgres, turns):
    """This is so also in the turn of the event loop in which a connection becomes free."""
    async with AsyncPool(postgres, min_size=1, max_size=1, open=False) as pool:

        async def use() -> None:
            async with pool.connection():
                pass
            await asyncio.Event().wait()

        async def hold() -> None:
            async with pool.connection():
                await is_given_back.wait()

        is_given_back = asyncio.Event()
        holding = asyncio.create_task(hold())
        await until(lambda: pool.get_stats().get("pool_available") == 0)
        waiting = asyncio.create_task(use())
        await until(lambda: pool.get_stats()["requests_waiting"] == 1)
        is_given_back.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        done, _ = await asyncio.wait([waiting], timeout=PATIENCE)
        await holding
        async with pool.connection():  # the only one was returned
            pass

    assert waiting in done
    assert waiting.cancelled()
