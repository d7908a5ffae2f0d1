"""Users test their programs with aioresponses: it works with this package on every aiohttp."""

import inspect

import aiohttp
import pytest
from aioresponses import aioresponses

from browser_use_async import TaskStatus, errors
from tests.support.bench import ONCE
from tests.support.hygiene import KEY
from tests.support.shim import BASE_URL

NEEDS_SHIM = "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters


async def test_calls_are_answered_without_a_network(mocked_api, connect):
    """Answers, errors and repetitions, on the session of reads and on that of creations."""
    mocked_api.answer("GET", "/task/t-1/status", "{}", 503)
    mocked_api.answer("GET", "/task/t-1/status", '"running"')
    mocked_api.answer("POST", "/run-task", '{"id":"t-2"}')
    mocked_api.answer("GET", "/task/t-3/status", '{"detail":"Task not found"}', 404)
    session = await connect(BASE_URL)

    assert await session.tasks.get_status("t-1") is TaskStatus.RUNNING
    assert (await session.tasks.run("Buy milk")).id == "t-2"
    with pytest.raises(errors.NotFoundError, match="Task not found"):
        await session.tasks.get_status("t-3")

    assert [call.method for call in mocked_api.calls] == ["GET", "GET", "POST", "GET"]
    assert mocked_api.calls[2].body == {"task": "Buy milk"}
    assert {call.headers["Authorization"] for call in mocked_api.calls} == {f"Bearer {KEY}"}


async def test_calls_without_an_answer_fail_as_without_a_network(mocked_api, connect):
    """A call without a prepared answer is a failed connection, and reaches no server."""
    session = await connect(BASE_URL, retry=ONCE)

    with pytest.raises(errors.APIConnectionError):
        await session.tasks.get_status("t-1")


@pytest.mark.skipif(not NEEDS_SHIM, reason="aioresponses works unchanged before aiohttp 3.14")
async def test_without_the_shim_it_does_not_work(connect):
    """When this test fails the shim can be removed."""
    session = await connect(BASE_URL, retry=ONCE)
    with aioresponses() as mock:
        mock.get(f"{BASE_URL}/task/t-1/status", body='"running"')

        with pytest.raises(TypeError, match="stream_writer"):
            await session.tasks.get_status("t-1")
