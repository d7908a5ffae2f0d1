"""The package on a system without POSIX: this one, without everything that Windows lacks.

It checks what the package uses, and not how Windows behaves, for example with opened files.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from browser_use_async.server import LocalServer

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "browser_use_async"

WITHOUT_POSIX = """
import asyncio, functools, os, runpy, shutil, signal, socket, subprocess, sys, tempfile

for name in ("fcntl", "pwd", "grp", "resource", "termios"):
    sys.modules[name] = None
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "fchmod", "getegid", "geteuid", "getpgrp",
             "getuid", "killpg", "pwrite", "setsid", "writev"):
    delattr(os, name)
os.supports_follow_symlinks.discard(os.link)
for name in ("SIGHUP", "SIGKILL", "SIGPIPE", "SIGPROF", "SIGUSR1", "setitimer"):
    delattr(signal, name)
socket.socketpair = functools.partial(socket.socketpair, socket.AF_UNIX)  # asyncio's own
del socket.AF_UNIX

def refuse(*arguments):
    raise NotImplementedError

asyncio.SelectorEventLoop.add_signal_handler = refuse
"""

WHOLE_LIFE = """
from pathlib import Path
from browser_use_async import BrowserUseSession
from browser_use_async.testing import LocalServer, Scenario, ScriptedExecutor

async def main():
    executor = ScriptedExecutor(default=Scenario(step_seconds=0, files={"sum.txt": b"42"}))
    async with (
        LocalServer(executor=executor) as server,
        BrowserUseSession(api_key=server.api_key, base_url=server.base_url) as session,
    ):
        Path("prices.csv").write_text("tea,350")
        name = await session.files.upload("prices.csv")
        task = await session.run_and_wait("Sum up", included_file_names=[name])
        saved = await session.files.download_output_file(task.id, "sum.txt", "results/")
        print(saved.read_bytes())
        for _ in range(2):  # the second time from the ledger
            batch = session.run_many(["one", "two"], ledger="cities.db", concurrency=2)
            print([str(result.status) async for result in batch], len(server.store.tasks))

asyncio.run(main())
"""

COMMAND_LINE = "runpy.run_module('browser_use_async', run_name='__main__', alter_sys=True)"

REFUSALS = """
from browser_use_async.server import LocalServer

async def attempt(**options):
    try:
        async with LocalServer(**options):
            pass
    except Exception as error:
        print(type(error).__name__, error)

for executor in ("chromium", "browser_use"):
    asyncio.run(attempt(executor=executor))
asyncio.run(attempt(executor="scripted", admin_socket="admin.sock"))
"""


def _program(text: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_POSIX + text, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
    )


@pytest.mark.long
def test_the_sdk_batches_and_the_server_do_without(tmp_path):
    """A task, an upload, a download, and a batch whose second run costs nothing."""
    done = _program(WHOLE_LIFE, folder=tmp_path)

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "b'42'",
        "['finished', 'finished'] 3",
        "['finished', 'finished'] 3",
    ]
    assert [each.name for each in (tmp_path / "results").iterdir()] == ["sum.txt"]


@pytest.mark.long
def test_features_that_need_posix_say_so(tmp_path):
    """At the call, with the missing feature; no missing name is an error of Python."""
    done = _program(REFUSALS, folder=tmp_path)
    lines = done.stdout.splitlines()

    assert len(lines) == 3, done.stderr
    for line in lines[:2]:
        assert line.startswith("ConfigurationError An executor with a browser needs a POSIX")
    assert "no Unix sockets" in lines[2]


@pytest.mark.long
async def test_the_command_line_does_without(tmp_path, monkeypatch):
    """A batch from a file runs to its end."""
    (tmp_path / "cities.csv").write_text("id,city\n1,Paris\n2,Rome\n")
    async with LocalServer(executor="scripted") as server:
        monkeypatch.setenv("BROWSER_USE_API_KEY", server.api_key)
        monkeypatch.setenv("BROWSER_USE_BASE_URL", server.base_url)
        batch = ("batch", "run", "cities.csv", "--template", "Population of {city}", "--yes")
        done = await asyncio.to_thread(_program, COMMAND_LINE, *batch, folder=tmp_path)

        assert done.returncode == 0, done.stderr
        assert len(server.store.tasks) == 2


@pytest.fixture
def serving(tmp_path):
    """The command `serve` on such a system."""
    command = [sys.executable, "-c", WITHOUT_POSIX + COMMAND_LINE, "serve", "--port", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
    ) as process:
        yield process
        process.kill()


@pytest.mark.long
def test_ctrl_c_ends_a_server(serving):
    """Without handlers of the event loop, too, as the command's normal end."""
    assert serving.stdout is not None
    assert "base_url" in serving.stdout.readline()
    serving.send_signal(signal.SIGINT)

    assert serving.wait(timeout=30) == 0


# A worker drops its own rights, and so does that of an agent, which lacks the package.
_ELSEWHERE = {"system.py"}


def test_one_module_uses_posix():
    """Locks, users, limits and groups of processes are used through `system`."""
    pattern = re.compile(
        r"^\s*import (?:fcntl|pwd|grp|resource|termios|msvcrt)\b|\bos\.(?:O_NOFOLLOW|O_NONBLOCK|"
        r"killpg|fchmod|geteuid|getuid|writev|pwrite)\b|\bsignal\.SIG(?:HUP|KILL|PIPE)\b"
        r"|\.add_signal_handler\(",
        re.MULTILINE,
    )
    users = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if pattern.search(path.read_text())
    }

    assert {each for each in users if "executors/agent/worker/" not in each} == _ELSEWHERE
