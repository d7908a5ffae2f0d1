"""The rate of requests of one account, in virtual time."""

import asyncio

import pytest

from browser_use_async.server.executors.remote.rate_limiter import Bucket, RateLimiter

pytestmark = pytest.mark.looptime


async def _seconds(limiter: RateLimiter, bucket: Bucket, requests: int) -> float:
    """The time of this many requests that are all sent at once."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    await asyncio.gather(*(limiter.admit(bucket) for _ in range(requests)))
    return loop.time() - start


@pytest.mark.parametrize(
    ("concurrency", "rate"), [(1, 25), (10, 25), (30, 60), (50, 100), (1000, 100)]
)
async def test_the_rate_follows_the_concurrency(concurrency: int, rate: int) -> None:
    """The larger of 25 and twice as many a second, 100 at most; for each kind of request."""
    limiter = RateLimiter(concurrency)

    for bucket in Bucket:
        assert await _seconds(limiter, bucket, rate + 1) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("limit", "rate"), [("500", 100), ("250", 50), ("50000", 100), ("0", 25), ("x", 25), ("", 25)]
)
async def test_the_service_announces_its_limit(limit: str, rate: int) -> None:
    """For 5 seconds; a text that is no number is ignored, and other requests keep their limit."""
    limiter = RateLimiter(1)
    limiter.learn(Bucket.GENERAL, {"X-RateLimit-Limit": limit})

    assert await _seconds(limiter, Bucket.GENERAL, rate + 1) == pytest.approx(1.0, abs=0.01)
    assert await _seconds(limiter, Bucket.STATUS, 26) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("asked", "pause"), [("5", 5), ("300", 300), ("99999", 600), ("soon", 5), (None, 5)]
)
async def test_a_pause_applies_to_all(asked: str | None, pause: int) -> None:
    """As long as `Retry-After` says, up to ten minutes; 5 seconds without it."""
    limiter = RateLimiter(1)
    limiter.pause({} if asked is None else {"Retry-After": asked})

    waited = await asyncio.gather(*(_seconds(limiter, each, 1) for each in Bucket))

    assert waited == pytest.approx([pause, pause], abs=0.01)


async def test_a_longer_pause_counts_for_those_who_wait() -> None:
    """Calls in a pause of 5 seconds wait longer when the service asks for 300."""
    limiter = RateLimiter(1)
    limiter.pause({"Retry-After": "5"})
    work = asyncio.create_task(_seconds(limiter, Bucket.GENERAL, 1))
    await asyncio.sleep(1)
    limiter.pause({"Retry-After": "300"})

    assert await work == pytest.approx(301, abs=0.01)


async def test_reads_go_on_where_no_place_is_free() -> None:
    """Only calls that need a slot wait, each time longer up to 30 seconds, until one is free."""
    limiter = RateLimiter(1)
    loop = asyncio.get_running_loop()
    waits = list[float]()
    for _ in range(12):
        limiter.pause_slots()
        assert await _seconds(limiter, Bucket.GENERAL, 1) < 0.1
        start = loop.time()
        await limiter.admit(Bucket.GENERAL, takes_slot=True)
        waits.append(loop.time() - start)
    limiter.pause_slots()
    limiter.free_slot()
    start = loop.time()
    await limiter.admit(Bucket.GENERAL, takes_slot=True)

    assert waits == sorted(waits)
    assert waits[0] == pytest.approx(1.0, abs=0.1)
    assert waits[-1] == pytest.approx(30.0, abs=0.1)
    assert loop.time() - start < 0.1
