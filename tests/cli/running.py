"""Runs the command line as a shell does: another process, its output, its exit code."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import attrs

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.protocol import Control
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from tests.cli.forking import Forked, Forker
from tests.support.patience import PATIENCE

__all__ = [
    "SCENARIOS",
    "Recorder",
    "Result",
    "Running",
    "answered",
    "environment",
    "forking",
    "run",
    "run_on_terminal",
    "running",
]

SCENARIOS = {
    "Fail": Scenario(outcome="failed", reason="The page is on fire"),
    "Hang": Scenario(steps=["Look around"], hangs=True),
    "Robot check": Scenario(steps=[ScriptedStep("Tick the box", asks_for="captcha"), "Go on"]),
    "Report": Scenario(files={"sum.txt": b"42"}),
    "Stroll": Scenario(
        steps=[
            ScriptedStep(goal, screenshot=b"\x89PNG\r\n\x1a\n" + goal.encode())
            for goal in ("Look around", "Go on", "Come back")
        ],
        step_seconds=0.5,
    ),
}
"""How tasks go whose text contains the name; others finish after two short steps."""


class Recorder(ScriptedExecutor):
    """Plays `SCENARIOS`, and records the assignments.

    Attributes:
        assignments: All assignments, in order.
        released: Tasks whose text contains `Held` begin once it is set.
    """

    def __init__(self) -> None:
        super().__init__(SCENARIOS)
        self.assignments: list[Assignment] = []
        self.released = asyncio.Event()

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Record the assignment and play its scenario."""
        control.started()  # also for a task that waits
        self.assignments.append(assignment)
        if "Held" in assignment.task:
            await self.released.wait()
        async for item in super().run(assignment, control):
            yield item


@attrs.frozen
class Result:
    """The result of a command.

    Attributes:
        code: Its exit code.
        stdout: What it wrote there.
        stderr: What it wrote there.
    """

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout."""
        return json.loads(self.stdout)

    @property
    def json_lines(self) -> list[Any]:
        """The JSON values on stdout, one per line."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Running:
    """A command that was started."""

    def __init__(self, process: "asyncio.subprocess.Process | Forked") -> None:
        self._process = process
        self._seen = ""

    async def says(self, text: str) -> str:
        """Wait until stderr contains a text, and return all of it so far."""
        assert self._process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while text not in self._seen:
                chunk = await self._process.stderr.read(1000)
                assert chunk, f"it ended without saying {text!r}, but: {self._seen}"
                self._seen += chunk.decode()
        return self._seen

    async def writes(self) -> str:
        """Wait for the next line on stdout."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self._process.stdout.readline()).decode()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def ends(self, seconds: float = PATIENCE) -> Result:
        """Wait for its end, this many seconds at most."""
        async with asyncio.timeout(seconds):
            stdout, stderr = await self._process.communicate()
        assert self._process.returncode is not None
        return Result(self._process.returncode, stdout.decode(), self._seen + stderr.decode())


def environment(server: LocalServer | None = None, **more: str) -> dict[str, str]:
    """The environment of a command: this one without the package's variables, and a server's."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("BROWSER_USE")}
    own.pop("COLUMNS", None)
    if server is not None:
        own |= {"BROWSER_USE_BASE_URL": server.base_url, "BROWSER_USE_API_KEY": server.api_key}
    return {**own, "TERM": "xterm", **more}


@asynccontextmanager
async def running(*words: str, env: Mapping[str, str] | None = None) -> AsyncGenerator[Running]:
    """A command, ended by force if the test does not end it."""
    process = await _start(words, environment() if env is None else env)
    try:
        yield Running(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _start(
    words: tuple[str, ...], env: Mapping[str, str], terminal: int | None = None
) -> "asyncio.subprocess.Process | Forked":
    """Start a command, forked from a program that has imported what it needs, if there is one."""
    if _FORKERS and _of_python(env) == _of_python(os.environ):
        return await _FORKERS[-1].start(words, env, terminal)
    output = asyncio.subprocess.PIPE if terminal is None else terminal
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "browser_use_async", *words),
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


def _of_python(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that Python itself reads when it starts."""
    return {name: text for name, text in environment.items() if name.startswith("PYTHON")}


_FORKERS: list[Forker] = []


@contextmanager
def forking() -> Iterator[None]:
    """Start commands faster while the block runs."""
    with Forker() as forker:
        _FORKERS.append(forker)
        yield
        _FORKERS.remove(forker)


async def run(
    *words: str, env: Mapping[str, str] | None = None, seconds: float = PATIENCE
) -> Result:
    """Run a command to its end. The key in its environment must not appear in its output."""
    async with running(*words, env=env) as command:
        result = await command.ends(seconds)
    key = (env or {}).get("BROWSER_USE_API_KEY")
    assert not key or key not in result.stdout + result.stderr, "the key shows"
    assert "Traceback" not in result.stderr, result.stderr
    return result


async def answered(
    *words: str, env: Mapping[str, str], answers: Sequence[tuple[str, str]] = ()
) -> tuple[int, str]:
    """Run a command at a terminal, and answer its questions; its exit code and what was shown.

    Args:
        words: The command line.
        env: Its environment.
        answers: What each question ends with, and what is typed then.
    """
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "browser_use_async", *words),
        env=env,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    try:
        async with asyncio.timeout(PATIENCE):
            for question, typed in answers:
                while question not in shown.decode(errors="replace"):
                    shown += await asyncio.to_thread(os.read, master, 1000)
                os.write(master, typed.encode())
            rest = asyncio.create_task(asyncio.to_thread(_read_all, master))
            code = await process.wait()
            return code, (shown.decode() + await rest).replace("\r\n", "\n")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def run_on_terminal(*words: str, env: Mapping[str, str], columns: int = 90) -> str:
    """Run a command whose output and errors go to one terminal, and return what it shows."""
    master, slave = pty.openpty()
    try:
        process = await _start(words, {**env, "COLUMNS": str(columns)}, slave)
    finally:
        os.close(slave)
    written = asyncio.get_running_loop().run_in_executor(None, _read_all, master)
    async with asyncio.timeout(PATIENCE):
        await process.wait()
        return (await written).replace("\r\n", "\n")


def _read_all(master: int) -> str:
    """All output of a terminal until the last process has closed it."""
    parts: list[bytes] = []
    try:
        while part := os.read(master, 10_000):
            parts.append(part)
    except OSError:  # Linux raises this when no process has the other end open
        pass
    finally:
        os.close(master)
    return b"".join(parts).decode()
