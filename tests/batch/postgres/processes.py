"""Worker processes of a batch that can be killed: `Worker` starts one, this file is its program."""

import asyncio
import json
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any, Self

import attrs

from browser_use_async import BrowserUseSession, PollPolicy, RetryPolicy
from browser_use_async.batch.ledger.row import Claim
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.store import PostgresStore
from browser_use_async.transport.config import Runtime
from tests.support.patience import PATIENCE

__all__ = ["Worker", "Works"]


@attrs.frozen
class Works:
    """How a worker process works.

    Attributes:
        ledger: The address of the ledger.
        base_url: Where the API is.
        api_key: The key.
        concurrency: Items at once.
        settle_window: Seconds.
        lease: Seconds.
        latency: Seconds within which the end of a task is noticed.
        is_fenced: Whether statements ask for the owner; without it is the control.
        timeout: Seconds for an answer of the API.
        notices_outages: Whether contact begins anew after an outage of the database; without it
            is the control.
        waits: Whether it begins only when `Worker.begin` says so.
    """

    ledger: str
    base_url: str
    api_key: str = attrs.field(repr=False)
    concurrency: int = 20
    settle_window: float = 2.0
    lease: float = 2.0
    latency: float = 0.15
    is_fenced: bool = True
    timeout: float = 5.0
    notices_outages: bool = True
    waits: bool = False


class Unfenced(PostgresStore):
    """The control: a writer is believed, whatever owner the row has by then."""

    # Writes an intent also over a task or an end.
    _record_intent = LedgerStore._record_intent

    def _own(self, claim: Claim) -> tuple[str, tuple[Any, ...]]:
        return "position = %s", (claim.position,)


async def work(works: Works) -> None:
    """Work until the batch is over.

    Args:
        works: How.
    """
    # Imported here, so that tests without psycopg are skipped.
    from browser_use_async.batch.options import WorkerOptions
    from browser_use_async.batch.postgres import worker, writer
    from browser_use_async.batch.postgres.worker import BatchWorker

    if not works.notices_outages:
        worker.MOST_BETWEEN = math.inf
    if not works.is_fenced:
        writer.TOGETHER.clear()  # so that some intents are written while others are not
    make_store = PostgresStore if works.is_fenced else Unfenced
    async with BrowserUseSession(
        works.api_key,
        base_url=works.base_url,
        timeout=works.timeout,
        retry=RetryPolicy(base_delay=0.02, max_delay=0.1),
        poll=PollPolicy(interval=0.1, latency_target=works.latency),
        runtime=Runtime(settle_window=works.settle_window),
    ) as session:
        worker = BatchWorker(
            session._runner,
            session._runtime,
            LedgerAddress.parse(works.ledger),
            WorkerOptions(
                concurrency=works.concurrency,
                lease=works.lease,
                outage_timeout=60.0,
            ),
            make_store=make_store,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.drain)
        print("ready", flush=True)
        if works.waits:
            await asyncio.to_thread(sys.stdin.readline)
        await worker.run()


class Worker:
    """A worker process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, works: Works) -> Self:
        """Start one, and wait until it is ready to begin."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.batch.postgres.processes",
            json.dumps(attrs.asdict(works)),
            cwd=Path(__file__).parents[3],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return cls(process)

    def begin(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"begin\n")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    async def end(self, seconds: float = PATIENCE) -> int:
        """Its exit code, after it has ended."""
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    async def kill(self) -> None:
        """Kill it at once, unless it has ended."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


if __name__ == "__main__":
    asyncio.run(work(Works(**json.loads(sys.argv[1]))))
