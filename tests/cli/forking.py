"""Commands in processes of their own that need not import anything first.

A program that has imported the command line forks for each command, when `Forker` asks it to. Each
command still has its own words, environment, directory and standard files.
"""

import asyncio
import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from browser_use_async.cli import main
from browser_use_async.cli.app import COMMANDS

__all__ = ["Forked", "Forker", "serve"]

_ROOT = Path(__file__).parents[2]
_IMPORTED_BY_COMMANDS = (
    "aiohttp.web",
    "browser_use_async.batch",
    "browser_use_async.paging",
    "browser_use_async.server",
    "browser_use_async.server.executors.browser.executor",
    "browser_use_async.server.executors.plain.executor",
    "browser_use_async.server.executors.scripted",
    "rich.live",
    "rich.progress",
    "rich.table",
    "sqlite3",
)


# --- for tests --------------------------------------------------------------------------------


class Forked:
    """A command that was started; its members are those of `asyncio.subprocess.Process`.

    Attributes:
        returncode: Its exit code, minus the number of the signal that ended it, or None.
        stdout: What it writes there, if that is a pipe.
        stderr: The same.
    """

    def __init__(self, pid: int, exit_reports: asyncio.StreamReader) -> None:
        self.returncode: int | None = None
        self.stdout = asyncio.StreamReader()
        self.stderr = asyncio.StreamReader()
        self._pid = pid
        self._exit_reports = exit_reports

    def send_signal(self, number: int) -> None:
        """Send a signal, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def kill(self) -> None:
        """End it by force."""
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait for its end."""
        if self.returncode is None:
            self.returncode = int(await self._exit_reports.read())
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        """Wait for its end; what it wrote."""
        stdout, stderr = await asyncio.gather(self.stdout.read(), self.stderr.read())
        await self.wait()
        return stdout, stderr


class Forker:
    """The program that forks, to be used as a context manager."""

    def __enter__(self) -> Self:
        self._control, theirs = socket.socketpair()
        theirs.set_inheritable(True)
        program = f"from tests.cli.forking import serve; serve({theirs.fileno()})"
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        self._pid = os.posix_spawn(sys.executable, [sys.executable, "-c", program], environment)
        theirs.close()
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._control.close()
        os.waitpid(self._pid, 0)

    async def start(
        self, words: Sequence[str], environment: Mapping[str, str], terminal: int | None = None
    ) -> Forked:
        """Start a command whose standard input is empty.

        Args:
            words: The command line.
            environment: Its environment.
            terminal: What it writes to; by default two pipes.
        """
        exit_reports, report = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        pipes = [os.pipe(), os.pipe()] if terminal is None else []
        outputs = [os.dup(terminal)] * 2 if terminal is not None else [end for _, end in pipes]
        with TemporaryFile() as order:
            order.write(json.dumps([words, dict(environment), str(Path.cwd())]).encode())
            order.seek(0)
            socket.send_fds(self._control, [b"."], [report, order.fileno(), nothing, *outputs])
        for file in {report, nothing, *outputs}:
            os.close(file)
        line = await _reading(exit_reports, asyncio.StreamReader())
        forked = Forked(int(await line.readline()), line)
        for (end, _), reader in zip(pipes, (forked.stdout, forked.stderr), strict=False):
            await _reading(end, reader)
        return forked


async def _reading(end: int, reader: asyncio.StreamReader) -> asyncio.StreamReader:
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(end, "rb", 0)
    )
    return reader


# --- the program ------------------------------------------------------------------------------


def serve(control: int) -> None:
    """Fork for each command until the tests close the socket; in a child, run it.

    Args:
        control: The socket over which the files of each command come.
    """
    codes: list[int] = []
    atexit.register(_leave, codes)  # runs after those that are registered later
    for name in (
        *(f"browser_use_async.cli.commands.{module}" for module, _ in COMMANDS.values()),
        *_IMPORTED_BY_COMMANDS,
    ):
        import_module(name)
    gc.collect()
    gc.freeze()
    orders = socket.socket(fileno=control)
    ended, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    reports: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([orders, ended], [], [])
        if ended in ready:
            os.read(ended, 1000)
            _report_ends(reports)
        if orders in ready:
            message, files, _, _ = socket.recv_fds(orders, 1, 5)
            if not message:
                return
            child = os.fork()
            if child == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                # A shell lets commands in the background ignore this signal, and so would the
                # command here.
                signal.signal(signal.SIGINT, signal.default_int_handler)
                for file in (*reports.values(), ended, waker, files[0]):
                    os.close(file)
                orders.close()
                codes.append(_run(*files[1:]))
                sys.exit()
            for file in files[1:]:
                os.close(file)
            reports[child] = files[0]
            os.write(files[0], f"{child}\n".encode())


def _leave(codes: list[int]) -> None:
    """End a child whose command has returned, without clearing its memory.

    Clearing touches each object that the child shares with the program, and so copies all of it:
    six times the time that a short command takes.
    """
    if codes:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(codes[0])


def _report_ends(reports: dict[int, int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            report = reports.pop(ended[0])
            os.write(report, f"{os.waitstatus_to_exitcode(ended[1])}\n".encode())
            os.close(report)


def _run(order: int, *standard: int) -> int:
    """Run the command as if this process had just been started."""
    with open(order, "rb") as file:
        words, environment, folder = json.load(file)
    for number, given in enumerate(standard):
        os.dup2(given, number)
        os.close(given)
    sys.stdin = _text(0, "r")
    sys.stdout = _text(1, "w")
    sys.stderr = _text(2, "w", buffering=1, errors="backslashreplace")
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = ["browser-use-async", *words]
    return main()


def _text(number: int, mode: str, **options: Any) -> Any:
    return open(number, mode, encoding="utf-8", closefd=False, **options)
