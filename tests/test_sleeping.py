"""Tests do not sleep for long, and none can hang."""

from pathlib import Path

import pytest

from tests.support.sleeping import long_sleeps

TESTS = Path(__file__).parent
LIMIT = 60.0  # seconds
# Always in virtual time: they run in a loop of their own.
SIMULATED = TESTS / "proofs" / "world"
SAMPLE = """
import asyncio, time, pytest
PAUSE = 3.0

async def test_real():
    await asyncio.sleep(2)

@pytest.mark.looptime
async def test_virtual():
    await asyncio.sleep(3600)
    time.sleep(1.5)

async def test_named():
    async def inner():
        await asyncio.sleep(PAUSE / 2)
    await asyncio.sleep(0.5 * PAUSE - 1)
    await inner()

class TestMany:
    async def test_product(self):
        await asyncio.sleep(60 * 60)

async def test_short():
    await asyncio.sleep(1)
    time.sleep(0.01)
"""


@pytest.mark.long
def test_no_test_sleeps_for_long():
    """A sleep of more than a second is allowed in virtual time only."""
    files = [path for path in TESTS.rglob("*.py") if not path.is_relative_to(SIMULATED)]

    found = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in files
        for line in long_sleeps(path.read_text("utf-8"))
    ]

    assert found == []


def test_a_long_sleep_is_found():
    """In a test, in a function inside of one, in a class, by name, and as a product."""
    lines = SAMPLE.splitlines()

    found = [lines[number - 1].strip() for number in long_sleeps(SAMPLE)]

    assert found == [
        "await asyncio.sleep(2)",
        "time.sleep(1.5)",
        "await asyncio.sleep(PAUSE / 2)",
        "await asyncio.sleep(60 * 60)",
    ]


def test_a_file_in_virtual_time_sleeps_as_long_as_it_likes():
    """The mark of a file applies to all of its tests, but not to `time.sleep`."""
    source = "pytestmark = pytest.mark.looptime\n" + SAMPLE

    assert len(long_sleeps(source)) == 1


def test_a_test_that_hangs_is_ended(pytestconfig):
    """Each test has a minute, and only a few marked ones have more."""
    assert pytestconfig.pluginmanager.hasplugin("timeout")
    assert float(pytestconfig.getini("timeout")) == LIMIT
    assert not pytestconfig.getoption("timeout")
