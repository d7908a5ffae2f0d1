"""The servers of a fleet as processes that can be killed, and the content of their database."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import attrs
import psycopg

from browser_use_async import BrowserUseSession, PollPolicy, RetryPolicy
from browser_use_async.server.storage.postgres.connection import SCHEMA
from tests.proofs.fleet.settings import API_KEY, SERVER_KEY
from tests.support.patience import PATIENCE

_START_SECONDS = 3 * PATIENCE  # a machine may be busy with other nodes
ROOT = Path(__file__).parents[3]


@attrs.define(eq=False)
class Node:
    """One server, in a process of its own."""

    database: str
    role: str
    options: tuple[str, ...] = ()
    port: int = 0  # a free one at first, and the same after a restart
    process: asyncio.subprocess.Process | None = None
    log: Any = attrs.field(factory=lambda: tempfile.TemporaryFile("w+"))  # noqa: SIM115

    async def start(self) -> "Node":
        """Start it, and wait until it answers."""
        environment = {
            **os.environ,
            "BROWSER_USE_SERVER_KEY": SERVER_KEY,
            "PYTHONPATH": str(ROOT),
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.proofs.fleet.node", "--database", self.database,
            "--role", self.role, "--port", str(self.port), *self.options,
            cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=self.log,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                line = await self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the node did not start: {self.said()}")
        self.port = int(json.loads(line)["url"].rpartition(":")[2])
        return self

    def said(self) -> str:
        """The content of its log."""
        self.log.seek(0)
        text: str = self.log.read()
        return text

    async def kill(self) -> None:
        """Kill it, as the death of its machine does."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> None:
        """Ask it to end, and wait until it has."""
        await self._end(signal.SIGTERM)

    def cpu_seconds(self) -> float:
        """The CPU time of its process."""
        assert self.process is not None
        # Behind the name: state, parent, …; ticks of its own and of the system for it.
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stand_still(self, *, still: bool) -> None:
        """Stop its process where it is, or let it continue."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP if still else signal.SIGCONT)

    async def _end(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)
            await self.process.wait()

    def session(self) -> BrowserUseSession:
        """A session with it."""
        return BrowserUseSession(
            API_KEY,
            base_url=f"http://127.0.0.1:{self.port}/api/v1",
            poll=PollPolicy(latency_target=0.5),
            retry=RetryPolicy(max_attempts=10),
        )


@attrs.define(eq=False)
class Servers:
    """A database, and the nodes that share it."""

    database: str
    nodes: list[Node] = attrs.field(factory=list)

    async def add(self, role: str, count: int = 1, *options: str, through: str = "") -> list[Node]:
        """Start some more nodes; `through` is another address of the database."""
        new = [Node(through or self.database, role, options) for _ in range(count)]
        self.nodes += new
        # One after the other: each needs a second of a processor.
        for node in new:
            await node.start()
        return new

    async def close(self) -> None:
        """End all of them."""
        await asyncio.gather(*(node.kill() for node in self.nodes))
        for node in self.nodes:
            node.log.close()

    async def rows(self, statement: str) -> list[Any]:
        """The rows of the database."""
        async with await psycopg.AsyncConnection.connect(
            self.database, autocommit=True, options=f"-c search_path={SCHEMA}"
        ) as connection:
            cursor = await connection.execute(statement)  # type: ignore[call-overload]
            found: list[Any] = await cursor.fetchall()
            return found

    async def statuses(self) -> Counter[str]:
        """How many tasks have each status."""
        statement = "SELECT status, count(*) FROM tasks GROUP BY status"
        return Counter(dict(await self.rows(statement)))

    async def reasons(self) -> dict[str, int]:
        """Why tasks failed, and how many did."""
        return dict(
            await self.rows(
                "SELECT left(evaluation_previous_goal, 60), count(*) FROM steps JOIN tasks"
                " ON tasks.id = task_id WHERE status = 'failed' AND number ="
                " (SELECT max(number) FROM steps AS others WHERE others.task_id = tasks.id)"
                " GROUP BY 1"
            )
        )

    async def until_quiet(self, seconds: float) -> float:
        """Wait until every task is over and no job is left; returns the seconds."""
        started = asyncio.get_running_loop().time()
        async with asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(psycopg.OperationalError):
                    ((left,),) = await self.rows(
                        "SELECT (SELECT count(*) FROM tasks WHERE finished_at IS NULL)"
                        " + (SELECT count(*) FROM procrastinate_jobs)"
                        " + (SELECT count(*) FROM outbox WHERE state = 'pending')"
                    )
                    if not left:
                        return asyncio.get_running_loop().time() - started
                await asyncio.sleep(0.2)

    async def books(self) -> dict[str, int]:
        """Figures that must be zero: money that does not add up, and wrong steps."""
        ((unbalanced,),) = await self.rows(
            "SELECT abs((SELECT spent FROM accounts) - (SELECT count(*) FROM tasks) * 1000000"
            " - (SELECT count(*) FROM steps) * 2500000)"
        )
        ((gaps,),) = await self.rows(
            "SELECT count(*) FROM (SELECT task_id FROM steps GROUP BY task_id"
            " HAVING max(number) <> count(*)) AS wrong"
        )
        ((twice,),) = await self.rows(
            "SELECT count(*) FROM (SELECT task FROM tasks GROUP BY task HAVING count(*) > 1) AS t"
        )
        return {"money off": int(unbalanced), "step gaps": gaps, "twice": twice}


@contextlib.asynccontextmanager
async def servers_on(database: str) -> AsyncGenerator[Servers]:
    """A fleet without nodes; those that are added are ended."""
    servers = Servers(database)
    try:
        yield servers
    finally:
        await servers.close()
