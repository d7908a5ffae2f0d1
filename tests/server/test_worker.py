"""Work on texts of others, in processes that may be lost."""

import asyncio
import json
import operator
import os
import re
import signal

import pytest

from browser_use_async.server.html.document import UnreadableDocumentError, parse_document
from browser_use_async.server.worker import WorkRefusedError, in_worker
from browser_use_async.types import TaskStatus

_ENDLESS = ("(a+)+b", "a" * 64)


async def test_a_worker_calls_a_function():
    """In another process, with its arguments and its result; several jobs at a time wait."""
    results = await asyncio.gather(*(in_worker(json.loads, f"[{number}]") for number in range(9)))

    assert results == [[number] for number in range(9)]
    assert await in_worker(os.getpid) != os.getpid()


async def test_a_job_that_takes_too_long_is_ended_and_the_next_one_is_done():
    """An expression that would be tried for years loses its worker, not the server."""
    with pytest.raises(WorkRefusedError, match=r"\Atakes too long\Z"):
        await in_worker(re.fullmatch, *_ENDLESS, seconds=0.5)

    assert await in_worker(json.loads, "7") == 7


async def test_a_job_that_takes_too_much_memory_is_refused():
    """More than a gigabyte."""
    with pytest.raises(WorkRefusedError, match=r"\Atakes too much memory\Z"):
        await in_worker(bytes, 2**32)


async def test_a_worker_that_dies_is_told():
    """As a crash of a parser would be."""
    with pytest.raises(WorkRefusedError, match=r"\Aended its process with code 3\Z"):
        await in_worker(os._exit, 3)


async def test_a_worker_that_has_ended_before_its_job_is_replaced():
    """One without work ends after a minute, perhaps at the moment when there is some."""
    pid = await in_worker(os.getpid)
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    assert await in_worker(os.getpid) != pid


async def test_errors_of_this_package_come_through_and_others_are_named():
    """The text of an error of a library may hold anything, so that only its type is told."""
    with pytest.raises(UnreadableDocumentError, match="said to be JSON"):
        await in_worker(parse_document, "https://a.example/", "application/json", b"{")
    with pytest.raises(WorkRefusedError, match=r"\Afailed \(JSONDecodeError\)\Z"):
        await in_worker(json.loads, "{")


async def test_an_answer_holds_values_only():
    """What unpickling would call is refused, and the worker that sent it is ended."""
    with pytest.raises(WorkRefusedError, match="gives more than values"):
        await in_worker(operator.attrgetter, "name")
    # A method is pickled as an attribute of its object, as members of enums are by Python 3.11.2.
    with pytest.raises(WorkRefusedError, match="gives more than values"):
        await in_worker(getattr, "text", "upper")

    assert await in_worker(TaskStatus, "finished") is TaskStatus.FINISHED


async def test_a_worker_has_no_keys(monkeypatch: pytest.MonkeyPatch):
    """A parser that was taken over finds nothing in its environment."""
    monkeypatch.setenv("BROWSER_USE_API_KEY", "bu_1")
    # Those of before are gone then: the next one is started with this environment.
    jobs = [in_worker(os._exit, 1) for _ in range(2)]
    ends = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(end) for end in ends] == [WorkRefusedError] * 2

    assert await in_worker(os.getenv, "BROWSER_USE_API_KEY") is None
