"""Work on foreign texts, in processes that may be lost."""

import asyncio
import json
import operator
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from browser_use_async import system
from browser_use_async.server.html.document import (
    UnreadableDocumentError,
    parse_document,
)
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.walls import USER, Wall, walls
from browser_use_async.server.worker import OWNER, WorkRefusedError, in_worker, waiting_refusal
from browser_use_async.server.worker_turns import MOST_WAITING, JobKind
from browser_use_async.types import TaskStatus
from tests.server.calling import Caller
from tests.support.patience import until

_ENDLESS = ("(a+)+b", "a" * 64)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="needs walls of Linux")


async def test_a_worker_calls_a_function():
    """In another process, with arguments and a result; more jobs than workers wait."""
    results = await asyncio.gather(*(in_worker(json.loads, f"[{number}]") for number in range(9)))

    assert results == [[number] for number in range(9)]
    assert await in_worker(os.getpid) != os.getpid()


async def test_a_worker_is_in_no_group_of_the_terminal():
    """Ctrl-C reaches the server alone, which may let its tasks end."""
    assert await in_worker(os.getpgrp) != os.getpgrp()


async def test_a_job_that_takes_too_long_is_ended_and_the_next_one_is_done():
    """A pattern that would be tried for years costs its worker, not the server."""
    with pytest.raises(WorkRefusedError, match=r"\Atakes too long\Z"):
        await in_worker(re.fullmatch, *_ENDLESS, seconds=0.5)

    assert await in_worker(json.loads, "7") == 7


async def test_a_job_that_takes_too_much_memory_is_refused():
    """The limit is a gigabyte."""
    with pytest.raises(WorkRefusedError, match=r"\Atakes too much memory\Z"):
        await in_worker(bytes, 2**32)


async def test_a_worker_that_dies_is_an_error():
    """As after a crash of a parser."""
    with pytest.raises(WorkRefusedError, match=r"\Aended its process with code 3\Z"):
        await in_worker(os._exit, 3)


async def test_jobs_that_end_their_workers_come_to_an_end():
    """Each is tried with two workers at most, also while another one does the same."""
    await asyncio.gather(*(in_worker(json.loads, "7") for _ in range(4)))  # some are idle now
    jobs = (in_worker(os._exit, 3) for _ in range(2))
    ends = await asyncio.gather(*jobs, return_exceptions=True)

    assert {str(end) for end in ends} == {"ended its process with code 3"}


async def test_a_worker_that_has_ended_before_its_job_is_replaced():
    """An idle one ends after a minute, perhaps when a job arrives."""
    pid = await in_worker(os.getpid)
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    assert await in_worker(os.getpid) != pid


async def test_errors_of_this_package_come_through_and_others_are_named():
    """A library's error may have any text, so that only its type is reported."""
    with pytest.raises(UnreadableDocumentError, match="said to be JSON"):
        await in_worker(parse_document, "https://a.example/", "application/json", b"{")
    with pytest.raises(WorkRefusedError, match=r"\Afailed \(JSONDecodeError\)\Z"):
        await in_worker(json.loads, "{")


async def test_an_answer_has_values_only():
    """A result that would call code when unpickled is refused, and its worker is ended."""
    with pytest.raises(WorkRefusedError, match="gives more than values"):
        await in_worker(operator.attrgetter, "name")
    # A method is pickled as an attribute of its object, as members of enums are by Python 3.11.2.
    with pytest.raises(WorkRefusedError, match="gives more than values"):
        await in_worker(getattr, "text", "upper")

    assert await in_worker(TaskStatus, "finished") is TaskStatus.FINISHED


async def test_a_worker_has_no_keys(monkeypatch: pytest.MonkeyPatch):
    """A parser that was taken over finds none in its environment."""
    monkeypatch.setenv("BROWSER_USE_API_KEY", "bu_1")
    # Earlier workers are gone then: the next one is started with this environment.
    jobs = [in_worker(os._exit, 1) for _ in range(2)]
    ends = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(end) for end in ends] == [WorkRefusedError] * 2

    assert await in_worker(os.getenv, "BROWSER_USE_API_KEY") is None


# --- walls ------------------------------------------------------------------------------------


@on_linux
@pytest.mark.parametrize("kind", JobKind)
async def test_a_worker_has_all_walls_of_this_system(kind: JobKind):
    """On Linux no files, no network, no programs, no new rights, and another user than root."""
    held = await in_worker(walls, kind=kind)

    assert set(held) == set(Wall) - (set() if system.is_root() else {Wall.USER})
    if system.is_root():
        ids = system.user_ids(USER)
        assert ids is not None
        assert await in_worker(os.getuid, kind=kind) == ids[0]


async def _tried(function: Callable[..., Any], *arguments: Any) -> str:
    try:
        return repr(await in_worker(function, *arguments))
    except WorkRefusedError as refused:
        return str(refused)


@on_linux
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (Path.read_bytes, (Path(f"/proc/{os.getpid()}/environ"),)),
        (os.open, (f"/proc/{os.getpid()}/mem", os.O_RDWR)),
        (Path.read_bytes, (Path(__file__),)),
        (os.listdir, ("/",)),
        (os.stat, ("/etc/passwd",)),
        (os.symlink, ("/", "/tmp/a-link-of-a-worker")),
        (socket.socketpair, ()),
        (socket.create_server, (("127.0.0.1", 0),)),
        (os.kill, (os.getpid(), 0)),
        (os.fork, ()),
        (os.execv, ("/bin/true", ["true"])),
        (os.setuid, (0,)),
        (os.memfd_create, ("memory",)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_a_worker_may_only_compute(function: Callable[..., Any], arguments: tuple[Any, ...]):
    """The server's environment and memory, files, sockets, signals and programs are refused."""
    assert await _tried(function, *arguments) == "failed (PermissionError)"


async def test_a_worker_reads_all_kinds_of_documents_without_files():
    """Libraries read their files before the walls are up: the result is the same."""
    words = "<p>Words of a page that is long enough to be searched for its main part.</p>" * 20
    for page in (
        f"<html><head><meta charset=CHARSET></head><body><article>{words}</article></body></html>",
        f"<body><time datetime=2024-01-02>2 January</time><div>{words}</div><nav>a</nav></body>",
        f'<script type="application/ld+json">{{"datePublished": "2020-02-03"}}</script>{words}',
    ):
        for charset in ("utf-8", "latin-1", "shift_jis", "gb18030", "euc-kr", "big5", "koi8-r"):
            given = "https://a.example/", f"text/html; charset={charset}", page.encode()
            assert await in_worker(parse_document, *given) == parse_document(*given)


# --- turns ------------------------------------------------------------------------------------


async def _of(owner: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    OWNER.set(owner)  # in the task that runs this
    return await in_worker(function, *arguments, **options)


@pytest.mark.parametrize("kind", JobKind)
async def test_an_owner_does_not_wait_for_all_jobs_of_another(kind: JobKind):
    """Owners take turns, and none has all workers, however many of its jobs wait."""
    flood = [asyncio.create_task(_of("a", time.sleep, 2.0, kind=kind)) for _ in range(20)]
    await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)

    assert await asyncio.create_task(_of("b", json.loads, "7", kind=kind)) == 7
    assert sum(job.done() for job in flood) < 10
    await _cancel(flood)


async def test_a_worker_is_left_for_planning():
    """Tasks are planned while all workers that read pages are busy with those of others."""
    busy = [asyncio.create_task(_of(f"a{n % 3}", time.sleep, 2.0)) for n in range(18)]
    await asyncio.wait(busy, return_when=asyncio.FIRST_COMPLETED)

    assert await asyncio.create_task(_of("b", json.loads, "7", kind=JobKind.PLANNING)) == 7
    assert sum(job.done() for job in busy) < 10
    await _cancel(busy)


async def test_a_slow_job_is_not_repeated_for_a_minute():
    """A slow page occupies a worker once, and only for its owner."""
    endless = partial(re.fullmatch, *_ENDLESS)
    with pytest.raises(WorkRefusedError, match=r"\Atakes too long\Z"):
        await in_worker(endless, seconds=0.3, about="https://slow.example/")
    with pytest.raises(WorkRefusedError, match=r"\Atook too long less than 60 s ago\Z"):
        await in_worker(json.loads, "7", about="https://slow.example/")

    assert await in_worker(json.loads, "7", about="https://other.example/") == 7
    other = _of("b", json.loads, "7", about="https://slow.example/")
    assert await asyncio.create_task(other) == 7


async def test_what_waits_of_an_owner_is_bounded(api: Caller):
    """Beyond 64 MB of jobs a new task is answered 429 with the limit; later it is accepted."""
    busy = [asyncio.create_task(in_worker(time.sleep, 5.0)) for _ in range(2)]
    waiting = [asyncio.create_task(in_worker(len, bytes(MOST_WAITING // 8))) for _ in range(8)]
    await until(lambda: waiting_refusal(DEFAULT_OWNER))

    refused = await api.post("/run-task", json={"task": "quick"})
    assert refused.status == 429
    assert "64 MB of tasks and pages of this key" in refused.json["detail"]
    assert waiting_refusal("b") is None
    with pytest.raises(WorkRefusedError, match=r"is not done: 64 MB"):
        await in_worker(len, b"")
    await _cancel(waiting)
    assert (await api.post("/run-task", json={"task": "quick"})).status == 200
    await _cancel(busy)


async def _cancel(jobs: Sequence[asyncio.Task[Any]]) -> None:
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
