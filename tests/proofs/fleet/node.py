"""One server of a fleet in a process of its own: `python -m tests.proofs.fleet.node` and options.

With `--without NAME` it lacks one of the rules, for controls that must fail.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from browser_use_async.postgres import jobs as fleet_jobs
from browser_use_async.server import ChromiumSettings, LocalServer, stores
from browser_use_async.server.executors.protocol import Control
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.fleet import worker
from browser_use_async.server.records import Assignment, Step
from browser_use_async.server.storage import Database, TaskRecord, tasks
from browser_use_async.server.storage.assignments import read_assignment
from browser_use_async.server.storage.postgres import database, jobs
from browser_use_async.server.storage.progress import insert_step
from browser_use_async.types import TaskStatus
from tests.proofs.fleet.settings import API_KEY


async def _defer_unlocked(
    app: Any, connection: Any, job: str, lock: str | None, **arguments: Any
) -> None:
    """Events about one task do not wait for each other."""
    own = lock and f"{lock}/{arguments['number']}"
    await jobs.defer(app, connection, job, own, **arguments)


class _Unclaimed(tasks.TaskStore):
    """The server that gets the job begins the task, even if another one has begun it."""

    async def claim(self, task_id: str, worker: str) -> tuple[TaskRecord, Assignment | None] | None:
        record = await self.of_any_owner(id=task_id)
        if record is None or record.status.is_terminal:
            return None
        assignment = await read_assignment(self._database, self._sealed, record)
        await self._database.rows(
            "UPDATE tasks SET status = 'running', started = 1, worker = :worker WHERE id = :id",
            id=task_id,
            worker=worker,
        )
        record.status, record.started = TaskStatus.RUNNING, True
        return record, assignment


async def _insert_unnumbered(
    at: Database, record: TaskRecord, number: int, step: Step, now: datetime
) -> Decimal:
    """A step gets the next number that is free."""
    statement = "SELECT COUNT(*) FROM steps WHERE task_id = :id"
    ((taken,),) = await at.rows(statement, id=record.id)
    return await insert_step(at, record, int(taken) + 1, step, now)


async def _wait_for_ever(_self: worker.FleetWorker) -> None:
    await asyncio.Event().wait()


def _without(rule: str) -> None:
    """Take one rule away."""
    if rule == "contact":  # an outage of the database counts as the silence of all servers
        fleet_jobs.CONTACT = 0.0
    elif rule == "lock":
        database.defer = _defer_unlocked
    elif rule == "patience":  # a worker without contact goes on
        worker.PATIENCE = worker.LATE_PATIENCE = 1000.0
    elif rule == "watch":  # nor does it hear that its tasks are over
        worker.FleetWorker.watch = _wait_for_ever  # type: ignore[method-assign]
    elif rule == "fence":  # a worker writes to tasks that are over, or another one's
        tasks.FENCE = " OR (id = :id AND COALESCE(:worker, '') = :worker)"
    elif rule == "claim":
        stores.TaskStore = _Unclaimed  # type: ignore[misc]
    elif rule == "numbers":
        tasks.insert_step = _insert_unnumbered
    else:
        raise ValueError(rule)


class Traced(ScriptedExecutor):
    """Prints its actions and their times: a browser without contact must not act."""

    async def run(self, assignment: Assignment, control: Control) -> AsyncIterator[Any]:
        """Play the scenario."""
        print(f"began {assignment.task_id}", file=sys.stderr, flush=True)
        async for item in super().run(assignment, control):
            print(f"acted {time.time()} {assignment.task_id}", file=sys.stderr, flush=True)
            yield item


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--database")
    parser.add_argument("--role", default="both")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--slots", type=int, default=60)
    parser.add_argument("--lease", type=float, default=10.0)
    parser.add_argument("--drain", type=float, default=60.0)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--step-seconds", type=float, default=0.3)
    parser.add_argument("--without", default="")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    steps = [f"Step {number}" for number in range(1, options.steps + 1)]
    scenario = Scenario(steps=steps, step_seconds=options.step_seconds)
    ended = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    async with LocalServer(
        database=options.database,
        api_key=API_KEY,
        executor=Traced({}, default=scenario),
        port=options.port,
        screenshots=False,
        webhook_retry_pauses=[0.3] * 5,
        role=options.role,
        chromium=ChromiumSettings(max_browsers=options.slots),
        lease=options.lease,
        drain=options.drain,
    ) as server:
        print(json.dumps({"url": server.url}), flush=True)
        await ended.wait()


if __name__ == "__main__":
    given = _options()
    logging.basicConfig(
        level=logging.WARNING, format=f"%(asctime)s {given.role}:{given.port} %(message)s"
    )
    for rule in filter(None, given.without.split(",")):
        _without(rule)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(given))
