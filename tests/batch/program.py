"""Programs that run a batch and are killed: `Program` starts them, and this file is the program.

Started once, it forks for each run, so that a run that is to be killed need not import anything
first.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from browser_use_async import BatchItem, BrowserUseSession, PollPolicy, RetryPolicy, RunTaskRequest
from browser_use_async.batch.ledger.file import LedgerFile
from browser_use_async.batch.ledger.records import Intent
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.ledger.writer import LedgerWriter
from browser_use_async.batch.result import BatchResult
from browser_use_async.transport.config import Runtime
from tests.support.patience import PATIENCE

__all__ = ["KILLED", "Program", "Run", "items", "run"]

KILLED = -signal.SIGKILL

FAST = RetryPolicy(base_delay=0.02, max_delay=0.1)
OFTEN = PollPolicy(interval=0.1, latency_target=0.15)


@attrs.frozen
class Run:
    """One run of the program.

    Attributes:
        base_url: Where the API is.
        api_key: The key.
        ledger: The ledger's path.
        count: How many items there are.
        concurrency: The most at once.
        settle_window: Seconds.
        store: `LedgerStore`, `Forgetful`, `Checkpointing`, or a method at which it dies.
        at: At which call of that method.
        committed: Whether it dies after the commit instead of before.
        kill_after: Seconds after which it is killed, or None.
        retry_failed: Whether failed items are tried again.
    """

    base_url: str
    api_key: str = attrs.field(repr=False)
    ledger: str
    count: int = 200
    concurrency: int = 20
    settle_window: float = 1.0
    store: str = "LedgerStore"
    at: int = 1
    committed: bool = False
    kill_after: float | None = None
    retry_failed: bool = False


def items(count: int) -> Iterator[BatchItem]:
    """The input, one by one: several items share a text, and each has its key."""
    for number in range(count):
        key = f"item-{number}"
        yield BatchItem(RunTaskRequest(f"Task {number % 7}", metadata={"item": key}), key)


class Forgetful(LedgerStore):
    """The control: a store that forgets the intents."""

    def begin_send(self, row: LedgerRow, intent: Intent) -> None:
        """Write nothing."""


class Checkpointing(LedgerStore):
    """A store that is killed while it moves the log into the ledger, again and again."""

    def record_outcome(self, row: LedgerRow, result: BatchResult[Any]) -> None:
        """Record it, and die soon."""
        super().record_outcome(row, result)
        if row.index < 4:
            return
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGKILL)).start()
        while True:
            self.connection.execute("COMMIT")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.connection.execute("BEGIN")
            self.connection.execute("UPDATE batch SET runs = runs")


def _dying(run: Run) -> Callable[..., LedgerStore]:
    """A store that kills the process in the method of that name."""
    calls = 0

    def die_at(self: LedgerStore, *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        result = getattr(LedgerStore, run.store)(self, *arguments, **named)
        if calls == run.at:
            if run.committed:
                self.connection.execute("COMMIT")
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return type("Dying", (LedgerStore,), {run.store: die_at})


async def run(settings: Run) -> None:
    """Run the batch.

    Args:
        settings: How.
    """
    stores = {"LedgerStore": LedgerStore, "Forgetful": Forgetful, "Checkpointing": Checkpointing}
    made = stores.get(settings.store) or _dying(settings)

    async def start_writer(open_ledger: Callable[[], LedgerFile]) -> LedgerWriter:
        opened = await asyncio.to_thread(open_ledger)
        return LedgerWriter(opened, made(opened.connection))

    session = BrowserUseSession(
        settings.api_key,
        base_url=settings.base_url,
        timeout=5.0,
        retry=FAST,
        poll=OFTEN,
        runtime=Runtime(start_writer=start_writer, settle_window=settings.settle_window),
    )
    async with session:
        batch = session.run_many(
            items(settings.count),
            concurrency=settings.concurrency,
            ledger=settings.ledger,
            retry_failed=settings.retry_failed,
            retry_unknown=True,
        )
        async for _result in batch:
            pass


def _serve_runs() -> None:
    for line in sys.stdin:
        settings = Run(**json.loads(line))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.run(run(settings))
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)
        print(_ended(child, settings.kill_after), flush=True)


def _ended(child: int, kill_after: float | None) -> int:
    """Wait for a run, kill it after its time, and return how it ended."""
    killed_at = None if kill_after is None else time.monotonic() + kill_after
    while True:
        done, status = os.waitpid(child, 0 if killed_at is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if killed_at is not None and time.monotonic() >= killed_at:
            os.kill(child, signal.SIGKILL)  # not reaped yet, so the process id is still its own
            killed_at = None
        else:
            time.sleep(0.002)


class Program:
    """Starts runs, one after the other."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process
        self._child: int

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.batch.program",
            cwd=Path(__file__).parents[2],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def run(self, run: Run) -> int:
        """Run it to its end, or until it is killed.

        Args:
            run: Which one.

        Returns:
            Its exit code, or minus a signal's number.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(attrs.asdict(run)).encode() + b"\n")
        self._child = int(await process.stdout.readline())
        return int(await process.stdout.readline())

    def kill(self) -> None:
        """Kill the run under way."""
        os.kill(self._child, signal.SIGKILL)


if __name__ == "__main__":
    _serve_runs()
