"""Programs that run a batch and are killed: `Program` starts them, and this file is what runs.

Started once, it forks for each run, so that a run that is to be killed need not import anything
first.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from browser_use_async import BatchItem, BrowserUseSession, PollPolicy, RetryPolicy, RunTaskRequest
from browser_use_async.batch.ledger.opening import OpenLedger
from browser_use_async.batch.ledger.store import Store
from browser_use_async.batch.ledger.writer import WriterThread
from browser_use_async.contract.submission_token import SubmissionToken
from browser_use_async.transport.surroundings import Surroundings

__all__ = ["Program", "Run", "items"]

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
        store: `Store`, `Forgetful`, or the name of a method of the store at which it dies.
        at: At which call of that method.
        committed: Whether it dies after the commit instead of before.
    """

    base_url: str
    api_key: str
    ledger: str
    count: int = 200
    concurrency: int = 20
    settle_window: float = 1.0
    store: str = "Store"
    at: int = 1
    committed: bool = False


def items(count: int) -> Iterator[BatchItem]:
    """The input, lazily: several items share a text, and each has its key."""
    for number in range(count):
        key = f"item-{number}"
        yield BatchItem(RunTaskRequest(f"Task {number % 7}", metadata={"item": key}), key)


class Forgetful(Store):
    """A store that forgets what is about to be sent: the control."""

    def intend(self, position: int, token: SubmissionToken, now: float) -> None:
        """Write nothing."""


def _dying(run: Run) -> Callable[..., Store]:
    """A store in whose method of that name the process is killed."""
    calls = 0

    def die_at(self: Store, *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        result = getattr(Store, run.store)(self, *arguments, **named)
        if calls == run.at:
            if run.committed:
                self.connection.execute("COMMIT")
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return type("Dying", (Store,), {run.store: die_at})


async def _run(run: Run) -> None:
    made = {"Store": Store, "Forgetful": Forgetful}.get(run.store) or _dying(run)

    async def start_writer(open_ledger: Callable[[], OpenLedger]) -> WriterThread:
        return WriterThread(await asyncio.to_thread(open_ledger), made)

    session = BrowserUseSession(
        run.api_key,
        base_url=run.base_url,
        timeout=5.0,
        retry=FAST,
        poll=OFTEN,
        surroundings=Surroundings(start_writer=start_writer),
    )
    async with session:
        batch = session.run_many(
            items(run.count),
            concurrency=run.concurrency,
            ledger=run.ledger,
            settle_window=run.settle_window,
        )
        async for _result in batch:
            pass


def _serve_runs() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.run(_run(Run(**json.loads(line))))
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


class Program:
    """Starts runs, one after the other."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process

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
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def start(self, run: Run) -> int:
        """Start a run and give its process id.

        Args:
            run: Which one.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(attrs.asdict(run)).encode() + b"\n")
        return int(await self._line())

    async def ended(self) -> int:
        """Wait for the end of the run, and give its exit code, or minus a signal's number."""
        return int(await self._line())

    async def run(self, run: Run, kill_after: float | None = None) -> int:
        """Run it, and kill it after a while.

        Args:
            run: Which one.
            kill_after: Seconds, or None to let it come to its end.

        Returns:
            Its exit code, or minus a signal's number.
        """
        child = await self.start(run)
        if kill_after is None:
            return await self.ended()
        ended = asyncio.ensure_future(self.ended())
        await asyncio.wait([ended], timeout=kill_after)
        if not ended.done():
            os.kill(child, signal.SIGKILL)
        return await ended

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()


if __name__ == "__main__":
    _serve_runs()
