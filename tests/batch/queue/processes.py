"""Processes that work on a queue and can be killed: `Worker` starts one, this is its program."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Self

import attrs

from browser_use_async import BrowserUseSession, PollPolicy, RetryPolicy, batch
from browser_use_async.batch.queue import tables
from browser_use_async.postgres import jobs
from tests.support.patience import PATIENCE

__all__ = ["Worker", "Works"]


@attrs.frozen(kw_only=True)
class Works:
    """How a process works.

    Attributes:
        queue: The address of the queue.
        base_url: Where the API is.
        api_key: The key.
        concurrency: Items at once.
        lease: Seconds.
        outage_timeout: Seconds for which the database or the service may be away.
        without: A rule that it does not have, as a control: `reservation`, `key`, `held`.
    """

    queue: str
    base_url: str
    api_key: str = attrs.field(repr=False)
    concurrency: int = 20
    lease: float = 2.0
    outage_timeout: float = 120.0
    without: str | None = None


def _without(rule: str | None) -> None:
    """Take one rule away."""
    from browser_use_async.batch.queue import worker

    if rule == "reservation":  # an item does not remember that it has one
        tables.RESERVE = tables.RESERVE.replace("items.reserved = 0", "TRUE")
    elif rule == "key":  # each process has keys of its own
        made = worker.submission_key
        own = str(id(object()))
        worker.submission_key = lambda prefix, key, number: made(prefix + own, key, number)
    elif rule == "held":  # an end makes all next jobs of its limit key
        tables.RELEASE = tables.RELEASE.replace("GREATEST(0, %(per_key)s -", "GREATEST(9, 0 *")


async def work(works: Works) -> None:
    """Work until the queue has ended.

    Args:
        works: How.
    """
    jobs.CONTACT = 1.0
    _without(works.without)
    drain = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, drain.set)
    async with BrowserUseSession(
        works.api_key,
        base_url=works.base_url,
        timeout=10.0,
        retry=RetryPolicy(base_delay=0.02, max_delay=0.2),
        poll=PollPolicy(interval=0.2, latency_target=0.2),
    ) as session:
        print("ready", flush=True)
        worked = await batch.work(
            works.queue,
            session=session,
            concurrency=works.concurrency,
            lease=works.lease,
            outage_timeout=works.outage_timeout,
            drain=drain,
        )
    print(worked.stopped_by or "", flush=True)


class Worker:
    """A process that works."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, works: Works) -> Self:
        """Start one, and wait until it begins."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.batch.queue.processes",
            json.dumps(attrs.asdict(works)),
            cwd=Path(__file__).parents[3],
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return cls(process)

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
