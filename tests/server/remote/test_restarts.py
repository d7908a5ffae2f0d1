"""Tasks on the hosted service after a restart of the server."""

import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.types import Task
from tests.server.remote.conftest import Opens
from tests.server.remote.serving import API_KEY, ServerProcess
from tests.support.hosted.service import Course, Fault, HostedService
from tests.support.patience import until

_STOP = "POST /runs/{run_id}/cancel"
_VALUE = "open-sesame-51"


@pytest.mark.long
async def test_a_stop_that_a_kill_delayed_is_delivered(
    hosted: HostedService, tmp_path: Path
) -> None:
    """The service gets it at the next start, once, and the cost of the task is charged."""
    deaf = Fault(_STOP, -1, times=10**6)
    hosted.faults.append(deaf)
    async with ServerProcess(tmp_path / "server.db", hosted) as process:
        async with BrowserUseSession(api_key=API_KEY, base_url=process.base_url) as session:
            handle = await session.submit("Wait 30 seconds")
            await until(lambda: hosted.paid and hosted.at_work == 1)
            await handle.stop()
            await until(lambda: deaf.times < 10**6)
        before = await _left_here(process)
        await process.kill()
        deaf.times = 0
        assert hosted.at_work == 1

        await process.start()
        await until(lambda: hosted.at_work == 0)
        while await _left_here(process) == before:
            pass
        await process.kill()
        stops = hosted.calls[_STOP]

        await process.start()
        async with BrowserUseSession(api_key=API_KEY, base_url=process.base_url) as session:
            await session.run_and_wait("Buy milk")

    assert hosted.calls[_STOP] == stops


async def _left_here(process: ServerProcess) -> str:
    """The balance of the server's own account."""
    url = process.base_url.removesuffix("/api/v1") + "/admin/key"
    headers = {"Authorization": f"Bearer {API_KEY}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(url) as reply:
        balance: str = (await reply.json())["balance_cents"]
        return balance


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # but not beside a listener
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


async def _restarted_with_a_secret(
    service: HostedService, opens: Opens, options: dict[str, Any], outcome: str = ""
) -> tuple[Task, str]:
    """A task with a secret that the service repeats, whose server is restarted meanwhile."""
    course = Course(looks=-1, output=f"It is {_VALUE}", reason=f"It was {_VALUE}")
    service.courses["milk"] = course
    given = {"secrets": {"word": _VALUE}, "allowed_domains": ["shop.example"]}
    async with opens(service, options=options, is_lenient=True) as door:
        handle = await door.session.submit("Buy milk", **given)
        await until(lambda: service.paid and service.at_work == 1)
        await until(lambda: service.calls.total() > 8)
    course.looks, course.outcome = 0, outcome
    async with opens(service, options=options, is_lenient=True) as door:
        task = await door.session.wait(handle.id)
        kept = repr([task.steps, task.output, door.server.store.task(task.id)])
    assert service.paid == {"Buy milk": 1}
    return task, kept


async def test_stored_secrets_are_masked(
    hosted: HostedService, opens: Opens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a key of the server the adopted task ends as without the restart."""
    monkeypatch.setenv("BROWSER_USE_SERVER_KEY", "a key of at least sixteen bytes")
    options = {"database": tmp_path / "db", "api_key": API_KEY}
    task, kept = await _restarted_with_a_secret(hosted, opens, options)

    assert task.output == "It is ***"
    assert _VALUE not in kept


@pytest.mark.parametrize("outcome", ["", "failed"])
async def test_texts_that_cannot_be_masked_are_withheld(
    hosted: HostedService, opens: Opens, tmp_path: Path, outcome: str
) -> None:
    """Without that key the task is followed to its end and paid, and its texts are not stored."""
    options = {"database": tmp_path / "db", "api_key": API_KEY}
    task, kept = await _restarted_with_a_secret(hosted, opens, options, outcome)

    assert task.status == "failed"
    assert "withheld" in task.steps[-1].evaluation_previous_goal
    assert "BROWSER_USE_SERVER_KEY" in task.steps[-1].evaluation_previous_goal
    assert _VALUE not in kept
    assert hosted.at_work == 0
