"""The log of a session: a line for each attempt, and the little that a program needs to see it."""

import asyncio
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession, RetryPolicy, errors
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import ScriptedExecutor
from tests.support.fake_api import Fault
from tests.support.hygiene import KEY, SECRET
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
_MS = re.compile(r"in \d+ ms")


def _lines(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """The package's lines of a level, without the varying milliseconds and pauses."""
    records = [
        each for each in caplog.records if (each.name, each.levelno) == ("browser_use_async", level)
    ]
    return [_MS.sub("in N ms", each.getMessage()) for each in records]


@pytest.mark.looptime
async def test_each_attempt_is_a_line(api, session, caplog):
    """Route, result, attempt and request, for failures and successes."""
    task = api.add()
    headers = {"X-Request-ID": "req-7"}
    api.break_calls("status", {1: Fault(status=503, headers=headers), 2: Fault(cut=True)})

    await session.tasks.get_status(task.id)
    await session.ping()

    gone = "the server closed the connection without an answer"
    route = "GET /task/{task_id}/status"
    assert _lines(caplog, logging.DEBUG) == [
        f"#1 {route} 503 in N ms, attempt 1 of 4, task {task.id}, request id req-7",
        f"#2 {route} {gone} in N ms, attempt 2 of 4, task {task.id}",
        f"#3 {route} 200 in N ms, attempt 3 of 4, task {task.id}",
        "#4 GET /ping 200 in N ms, attempt 1 of 4",
    ]


@pytest.mark.looptime
async def test_retries_slots_and_adoptions_are_logged(api, session, caplog):
    """Each cause of a slow call is one INFO line."""
    full = Fault(status=429, body='{"detail": "Too many concurrent tasks"}')
    faults = {
        ("run", 1): full,
        ("run", 2): full,
        ("run", 3): Fault(cut=True, done=True),
        ("list", 1): Fault(status=503),
    }
    api.fault = lambda call: faults.get((call.route, call.number))

    handle = await session.submit("Buy milk")

    adoption = f"the answer to run_task was lost; task {handle.id}, which it created, was found"
    assert [re.sub(r"[\d.]+ s\b", "N s", each) for each in _lines(caplog, logging.INFO)] == [
        "run_task waits up to N s for a free agent slot",
        "list_tasks failed (status 503), attempt 1; again in N s",
        f"{adoption} after N s",
    ]


@pytest.mark.looptime
async def test_a_pause_of_the_service_is_logged_once(api, session, caplog):
    """A hundred refused calls are one line, which says for how long all of them wait."""
    api.break_calls("ping", {1: Fault(status=429, headers={"Retry-After": "7"})})

    await session.ping()

    pauses = [each for each in _lines(caplog, logging.INFO) if "pause" in each]
    assert pauses == ["the service asked for a pause of 7 s: every call of this session waits"]


async def test_a_cancelled_attempt_is_a_line_too(api, session, caplog):
    """The attempt is in the log, although its answer was not awaited."""
    api.break_calls("ping", {1: Fault(delay=60.0)})
    call = asyncio.create_task(session.ping())
    async with asyncio.timeout(PATIENCE):
        while not api.count("ping"):  # noqa: ASYNC110 - the fake API has no event for it
            await asyncio.sleep(0.005)
    call.cancel()
    await asyncio.wait([call])

    assert _lines(caplog, logging.DEBUG) == ["#1 GET /ping cancelled in N ms, attempt 1 of 4"]


async def test_no_secret_is_in_any_line(caplog, tmp_path):
    """A whole task with secrets, files and links, on both sides, at the lowest level."""
    caplog.set_level(logging.DEBUG)
    executor = ScriptedExecutor()
    async with (
        LocalServer(executor=executor, api_key=KEY) as server,
        BrowserUseSession(KEY, base_url=server.base_url) as session,
    ):
        (tmp_path / "in.txt").write_text("42")
        await session.files.upload(tmp_path / "in.txt")
        task = await session.run_and_wait(
            "Log in",
            secrets={"password": SECRET},
            allowed_domains=["a.example"],
            enable_public_share=True,
        )
        record = server.store.tasks[0]
        await session.files.download_screenshots(task.id, tmp_path)
    text = "\n".join(each.getMessage() for each in caplog.records)

    assert "#1 " in text
    assert "PUT a file at 127.0.0.1: 200 in" in text
    assert "PUT /uploads/in.txt?use=***&expires=***&signature=*** 200" in text
    tokens = [KEY, SECRET, record.live_token, record.share_token]
    assert [each for each in tokens if each is not None and each in text] == []
    assert not re.search(r"signature=[^*]", text)


# --- BROWSER_USE_LOG ----------------------------------------------------------------------------

PROGRAM = """
import asyncio, logging, sys
from browser_use_async import BrowserUseSession, RetryPolicy, errors
{before}
async def main():
    retry = RetryPolicy(max_attempts=2, base_delay=0.05)
    url = "http://127.0.0.1:9/api/v1"
    async with BrowserUseSession("key", base_url=url, retry=retry) as session:
        {after}
        try:
            await session.ping()
        except errors.APIConnectionError:
            pass
asyncio.run(main())
"""


def _stderr(log: str | None, *, before: str = "", after: str = "") -> str:
    """What a program writes to stderr whose one call finds no server."""
    environment = {name: each for name, each in os.environ.items() if name != "BROWSER_USE_LOG"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before=before, after=after)],
        env={**environment, "PYTHONPATH": str(ROOT)}
        | ({} if log is None else {"BROWSER_USE_LOG": log}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stderr


@pytest.mark.long
def test_without_the_variable_nothing_is_written():
    """A log is written on request only."""
    assert _stderr(None) == ""
    assert _stderr("") == ""


@pytest.mark.long
def test_the_variable_shows_the_log():
    """`BROWSER_USE_LOG=debug` is enough; `info` leaves the attempts out."""
    assert "DEBUG browser_use_async: #1 GET /ping no connection to" in _stderr("debug")
    shown = _stderr("Info")

    assert "INFO browser_use_async: ping failed" in shown
    assert "#1" not in shown


@pytest.mark.long
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_line_is_shown_once(place):
    """A program with handlers of its own, added before the session or after it, shows each once."""
    configured = {place: "logging.basicConfig(level=logging.DEBUG)"}

    assert _stderr("debug", **configured).count("#1 GET /ping") == 1


@pytest.mark.long
def test_a_level_of_the_program_stays():
    """A level that a program sets has priority over its environment."""
    before = 'logging.getLogger("browser_use_async").setLevel(logging.ERROR)'

    assert _stderr("debug", before=before) == ""


def test_another_level_is_refused(monkeypatch, package_log):
    """A typing error is raised when the session is created, with the choices."""
    monkeypatch.setenv("BROWSER_USE_LOG", "verbose")

    with pytest.raises(errors.ConfigurationError, match="debug, info or warning"):
        BrowserUseSession("key")
    assert package_log.handlers == []


def test_no_handler_is_attached(package_log):
    """Warnings of a program without a configuration reach stderr: some are about money."""
    BrowserUseSession("key", retry=RetryPolicy(max_attempts=1))

    assert package_log.handlers == []
