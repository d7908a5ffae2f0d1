"""The store of tasks: each change of a task is written in one transaction with all its parts.

These are the rows of the task, the payment, the events of webhooks (`Outbox.write`), the job of a
fleet (`Database.defer`) and the announcement (`Database.announce`). When it is committed,
`Changes.hear` wakes held calls and pages.
"""

import secrets
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import partial

import attrs

from browser_use_async.prices import TASK_START_CENTS
from browser_use_async.server.errors import ObjectGoneError, StorageUnavailableError
from browser_use_async.server.records import (
    DEFAULT_MODEL,
    EVERY_OWNER,
    Assignment,
    Failed,
    FailureCause,
    Finished,
    Step,
)
from browser_use_async.server.storage import progress
from browser_use_async.server.storage.account import charge_task
from browser_use_async.server.storage.assignments import (
    ASSIGNMENT,
    read_assignment,
    store_assignment,
)
from browser_use_async.server.storage.database import Claim, Database, Owned, Row
from browser_use_async.server.storage.files import put_results
from browser_use_async.server.storage.outbox import Outbox
from browser_use_async.server.storage.profiles import save_cookies
from browser_use_async.server.storage.records import LISTED, TASKS, TaskRecord, request_text
from browser_use_async.server.storage.rows import beginning, to_text
from browser_use_async.server.storage.scripts import keep_outcome
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.table import MOST
from browser_use_async.types import Created, LlmModel, TaskSettings, TaskStatus

_TOKEN_BYTES = 24
_MOST_BEHIND = 100
"""The largest number of an owner's unended tasks that counts for the order of tasks."""
_RESTARTED = "The server was restarted while the task was at work"
_ERASING = frozenset({progress.TaskEvent.START, progress.TaskEvent.STOP, progress.TaskEvent.FAIL})


DURATION_BOUNDS = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""The seconds up to which a task counts for each part of the histogram of durations."""


@attrs.define
class Durations:
    """How long tasks took from their creation to their end."""

    # By the first bound that is not exceeded; the last one counts those above all bounds
    counts: list[int] = attrs.field(factory=lambda: [0] * (len(DURATION_BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one task."""
        self.counts[bisect_left(DURATION_BOUNDS, seconds)] += 1
        self.seconds += seconds


@attrs.define
class TaskCounts:
    """Counts of the task changes that this process has written."""

    statuses: Counter[TaskStatus] = attrs.field(factory=Counter)  # by the status reached
    failures: Counter[FailureCause] = attrs.field(factory=Counter)
    steps: int = 0
    # What tasks cost, by their owner and model
    cents: defaultdict[tuple[str, str], Decimal] = attrs.field(factory=lambda: defaultdict(Decimal))
    durations: defaultdict[TaskStatus, Durations] = attrs.field(
        factory=lambda: defaultdict(Durations)
    )


class TaskStore(Owned):
    """The tasks of one owner; other owners cannot read them.

    Each change is announced in its transaction. A server that carries out a task writes under its
    id as the worker, and cannot change tasks of other workers.
    """

    def __init__(
        self, database: Database, sealed: Secrets, outbox: Outbox, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._sealed = sealed
        self._outbox = outbox
        self._now = now
        self.counts = TaskCounts()  # for all owners

    async def status(self, task_id: str) -> TaskStatus | None:
        """Return the status of a task, or None if there is no such task."""
        found = await self._database.by_id("tasks", "status, owner", task_id)
        is_theirs = found is not None and self.owner in {found[1], EVERY_OWNER}
        return TaskStatus(found[0]) if found is not None and is_theirs else None

    async def get(self, task_id: str) -> TaskRecord | None:
        """Return the owner's task with this id, or None."""
        whose = {} if self.owner == EVERY_OWNER else {"owner": self.owner}
        return await self.of_any_owner(id=task_id, **whose)

    async def of_any_owner(self, **values: str) -> TaskRecord | None:
        """Return a task of any owner by its id or a token of its pages, or None."""
        record = await TASKS.first(self._database, **values)
        return None if record is None else await self._completed(record)

    async def all(self) -> list[TaskRecord]:
        """Return all tasks of all owners, oldest first."""
        found = await TASKS.find(self._database, "1 = 1 ORDER BY created_at, owner, position")
        return [await self._completed(record) for record in found]

    async def created(self) -> int:
        """Return how many tasks of all owners were created."""
        return int(await self._database.value("SELECT COALESCE(SUM(tasks), 0) FROM accounts"))

    async def page(
        self, page: int, limit: int, output: int, *, tells_owner: bool = False
    ) -> tuple[int, list[Row]]:
        """Return the number of tasks, and the rows of one page of them, newest first.

        Of each output so many characters are read, as it is stored. With `tells_owner` the last
        column is the owner.
        """
        columns = row_columns(output) + ", owner" * tells_owner
        if self.owner == EVERY_OWNER:
            return await self._page_of_all(page, limit, columns)
        statement = "SELECT tasks, expired_tasks FROM accounts WHERE owner = :owner"
        newest, expired = await self._database.first(statement, owner=self.owner) or (0, 0)
        # Far past the end, the position may be too large for a database.
        top = max(0, newest - (page - 1) * limit)
        rows = await self._database.rows(
            f"SELECT {columns} FROM tasks WHERE owner = :owner AND position <= :top "
            "AND position > :bottom ORDER BY position DESC",
            owner=self.owner,
            top=top,
            bottom=top - limit,
        )
        return newest - expired, rows

    async def _page_of_all(self, page: int, limit: int, columns: str) -> tuple[int, list[Row]]:
        # Positions are those of one owner, so the index of creation times is counted.
        some = "SELECT id FROM tasks ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :before"
        rows = await self._database.rows(
            f"SELECT {columns} FROM tasks WHERE id IN (SELECT id FROM ({some}) AS page) "
            "ORDER BY created_at DESC, id DESC",
            limit=limit,
            before=min((page - 1) * limit, MOST),
        )
        count = "SELECT COALESCE(SUM(tasks - expired_tasks), 0) FROM accounts"
        return int(await self._database.value(count)), rows

    async def _completed(self, record: TaskRecord) -> TaskRecord:
        record.steps = await progress.read_steps(self._database, record.id)
        if record.save_browser_data and record.finished_at is not None:
            document = await self._sealed.get("task", record.id)
            record.cookies = [] if document is None else document["cookies"]
        return record

    async def create(
        self,
        request: TaskSettings,
        assignment: Assignment,
        claim: Claim | None = None,
        most: int | None = None,
    ) -> TaskRecord:
        """Create a task and charge for it, unless `most` tasks of all owners are at work."""
        names, model = request.included_file_names, LlmModel(assignment.llm_model)
        record = TaskRecord(
            id=assignment.task_id,
            task=assignment.task,
            created_at=self._now(),
            metadata=dict(assignment.metadata),
            viewport=assignment.viewport,
            llm_model=str(model if model.is_known else DEFAULT_MODEL),
            max_agent_steps=assignment.max_agent_steps,
            takes_screenshots=assignment.takes_screenshots,
            save_browser_data=request.save_browser_data is True,
            included_file_names=list(names) if names else None,
            live_token=_new_token(),
            share_token=_new_token() if request.enable_public_share is True else None,
            request_json=request_text(request),
            owner=self.owner,
            is_sealed=bool(assignment.secrets or assignment.cookies),
        )

        async def work(at: Database) -> None:
            if claim is not None:
                await claim(at, Created(record.id))
            await self._outbox.write(at, record, None)
            await at.announce(record.id, f"{record.status} {record.owner}")
            await at.defer("task", behind=partial(self._not_ended, at), task_id=record.id)
            stored = await store_assignment(at, self._sealed, assignment)
            position = await charge_task(at, self.owner, TASK_START_CENTS, most)
            await TASKS.insert(at, record, position=position, assignment=stored)

        await self._database.transact(work)
        self.counts.statuses[record.status] += 1
        self._count_cost(record, TASK_START_CENTS)
        return record

    def _count_cost(self, record: TaskRecord, cents: Decimal) -> None:
        self.counts.cents[record.owner, record.llm_model] += cents

    def _count_end(self, record: TaskRecord, status: TaskStatus) -> None:
        self.counts.statuses[status] += 1
        seconds = (self._now() - record.created_at).total_seconds()
        self.counts.durations[status].add(max(0.0, seconds))

    async def _not_ended(self, at: Database) -> int:
        """Return the number of the owner's unended tasks, up to the limit of the count."""
        statement = (
            "SELECT COUNT(*) FROM (SELECT 1 FROM tasks WHERE owner = :owner "
            "AND finished_at IS NULL LIMIT :most) AS unended"
        )
        return int(await at.value(statement, owner=self.owner, most=_MOST_BEHIND))

    async def change(
        self, record: TaskRecord, event: progress.TaskEvent, worker: str | None = None
    ) -> None:
        """Apply an event to a task, unless its status refuses it."""
        await self._database.transact(lambda at: self._advance(at, record, event, worker))
        status = progress.TARGETS[event]
        if status.is_terminal:
            self._count_end(record, status)
        else:
            self.counts.statuses[status] += 1

    async def claim(self, task_id: str, worker: str) -> tuple[TaskRecord, Assignment | None] | None:
        """Begin a task for one worker only; returns None if it has already begun.

        Its secrets are deleted from the database. The assignment is None if one of its files has
        been deleted.
        """

        async def work(at: Database) -> tuple[TaskRecord, Assignment | None] | None:
            record = await TASKS.first(at, f"id = :id AND status = 'created' {at.lock}", id=task_id)
            if record is None:
                return None
            try:
                assignment = await read_assignment(at, self._sealed, record)
            except ObjectGoneError:
                assignment = None
            await self._advance(at, record, progress.TaskEvent.START, worker)
            record.status, record.started = TaskStatus.RUNNING, True
            return record, assignment

        return await self._database.transact(work)

    async def statuses_at_work(self, worker: str) -> dict[str, TaskStatus]:
        """Return the statuses of a worker's unended tasks, by id."""
        statement = "SELECT id, status FROM tasks WHERE worker = :worker AND finished_at IS NULL"
        found = await self._database.rows(statement, worker=worker)
        return {task_id: TaskStatus(status) for task_id, status in found}

    async def add_step(
        self, record: TaskRecord, number: int, step: Step, worker: str | None = None
    ) -> bool:
        """Store a step and charge for it; returns whether the task is still at work.

        A second call with the same number changes nothing.
        """
        fence = progress.FENCE if worker is not None else ""

        async def work(at: Database) -> Decimal | None:
            at_work = await at.rows(
                f"SELECT id FROM tasks WHERE id = :id AND finished_at IS NULL{fence} {at.lock}",
                id=record.id,
                worker=worker,
            )
            if not at_work:
                return None
            await at.announce(record.id, f"{progress.STEP} {record.owner}")
            return await progress.insert_step(at, record, number, step, self._now())

        cents = await self._database.transact(work)
        if cents is None:
            return False
        self.counts.steps += 1
        self._count_cost(record, cents)
        return True

    async def finish(
        self,
        record: TaskRecord,
        result: Finished,
        profile_id: str = "",
        worker: str | None = None,
    ) -> None:
        """End a task that succeeded, and save its cookies to its profile."""

        async def work(at: Database) -> None:
            await self._advance(at, record, progress.TaskEvent.FINISH, worker)
            await put_results(at, record, result)
            await self._keep_script(at, record, result)
            if record.save_browser_data:
                document = {"cookies": list(result.cookies)}
                if result.cookies:
                    await self._sealed.put(at, "task", record.id, document)
                await save_cookies(at, self._sealed, profile_id, document)

        await self._database.transact(work)
        self._count_end(record, TaskStatus.FINISHED)

    async def _keep_script(self, at: Database, record: TaskRecord, end: Finished | Failed) -> None:
        if end.script is not None:
            now, failed = self._now(), isinstance(end, Failed)
            await keep_outcome(at, record.owner, record.id, end.script, now, failed=failed)

    async def fail(self, record: TaskRecord, failure: Failed, worker: str | None = None) -> None:
        """End a failed task. The reason becomes its last step, which is charged."""

        async def work(at: Database) -> Decimal:
            await self._advance(at, record, progress.TaskEvent.FAIL, worker)
            if failure.recordings or failure.files:
                await put_results(at, record, failure)
            steps = await progress.read_steps(at, record.id)
            step = Step(
                next_goal=failure.next_goal,
                evaluation_previous_goal=failure.reason,
                url=failure.url or (steps[-1].url if steps else ""),
                screenshot=failure.screenshot,
                trace=failure.trace,
            )
            cents = await progress.insert_step(at, record, len(steps) + 1, step, self._now())
            await self._keep_script(at, record, failure)
            return cents

        cents = await self._database.transact(work)
        self._count_cost(record, cents)
        self.counts.failures[failure.cause] += 1
        self._count_end(record, TaskStatus.FAILED)

    async def restart(self) -> list[tuple[TaskRecord, Assignment]]:
        """Fail the tasks of all owners that were at work when the server ended.

        They are not repeated, so nothing is done twice.

        Returns:
            The tasks that had not begun.
        """
        found = await TASKS.find(self._database, "finished_at IS NULL ORDER BY created_at")
        not_begun: list[tuple[TaskRecord, Assignment]] = []
        for record in found:
            assignment, reason = None, _RESTARTED
            try:
                assignment = await read_assignment(self._database, self._sealed, record)
            except StorageUnavailableError as error:  # one of its files cannot be read
                reason = str(error)
            if assignment is None:
                await self.fail(record, Failed(reason, cause=FailureCause.RESTART))
            else:
                not_begun.append((record, assignment))
        return not_begun

    async def revoke_links(self, task_id: str) -> bool:
        """Give the pages of a task of any owner new addresses; returns whether the task exists."""
        share = "CASE WHEN share_token IS NULL THEN NULL ELSE :share END"
        change = f"live_token = :live, share_token = {share} WHERE id = :id"
        tokens = {"live": _new_token(), "share": _new_token()}
        return await self._change_links(change, task_id, by_operator=True, **tokens)

    async def share(self, task_id: str, *, is_shared: bool) -> None:
        """Share the public page of an owner's task, or end the sharing."""
        token = "COALESCE(share_token, :token)" if is_shared else "NULL"
        change = f"share_token = {token} WHERE id = :id AND owner = :owner"
        values = {"owner": self.owner, "token": _new_token()}
        await self._change_links(change, task_id, by_operator=False, **values)

    async def _change_links(
        self, change: str, task_id: str, *, by_operator: bool, **values: str
    ) -> bool:
        statement = f"UPDATE tasks SET {change} RETURNING id"
        values["id"] = to_text(task_id)
        at = self._database
        transact = at.transact_with_reserve if by_operator else at.transact
        changed = await transact(lambda at: at.rows(statement, **values))
        if changed:  # open pages check their address again
            await self._database.announce(task_id, f"{progress.STEP} {self.owner}")
        return bool(changed)

    async def revoke_links_at_work(self) -> None:
        """Give the pages of all running tasks of the owner new addresses."""
        statement = "SELECT id FROM tasks WHERE owner = :owner AND finished_at IS NULL"
        for (task_id,) in await self._database.rows(statement, owner=self.owner):
            await self.revoke_links(task_id)

    async def _advance(
        self, at: Database, record: TaskRecord, event: progress.TaskEvent, worker: str | None
    ) -> None:
        await progress.advance(at, record.id, event, self._now(), worker)
        if event in _ERASING and record.is_sealed:
            await self._sealed.delete(at, ASSIGNMENT, record.id)
        await self._outbox.write(at, record, event)
        await at.announce(record.id, f"{progress.TARGETS[event]} {record.owner}")


def row_columns(output: int) -> str:
    """The columns of `LISTED`, with so many characters of its output."""
    return ", ".join(beginning(each, output) if each == "output" else each for each in LISTED)


def _new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)
