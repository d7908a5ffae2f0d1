"""The database of a queue: its tables, their errors, and what is written and read there."""

import asyncio
import contextlib
import hashlib
import time
import uuid
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Sequence,
)
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self, TypeVar

import attrs
import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from psycopg.rows import dict_row

from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger.records import MAX_KEPT_TASK
from browser_use_async.batch.ledger.row import mismatch, other_prefix
from browser_use_async.batch.queue import tables
from browser_use_async.batch.queue.address import QueueAddress
from browser_use_async.batch.queue.jobs import PAUSE, QueueJobs
from browser_use_async.batch.queue.together import Together
from browser_use_async.errors import (
    LedgerCorruptError,
    LedgerError,
    LedgerMismatchError,
    LedgerVersionError,
)
from browser_use_async.money.amounts import TaskPrice
from browser_use_async.postgres.connection import (
    PASSING,
    UnusableServerError,
    connect_async,
    connection_parameters,
    first_line,
    literal,
)
from browser_use_async.postgres.jobs import SteadyConnector, create_engine, engine_problem

ResultT = TypeVar("ResultT")
Columns = dict[str, Any]

TASK = "item"
"""The name of the jobs."""

CHUNK = 1000
"""Items in one transaction."""

LOOK_SECONDS = 1.0
"""Seconds between two looks at what others have done."""

_OVERLAP = 20.0  # seconds: a result is recorded a little before it is visible
_SECONDS = 10  # for an answer of the database


def parameters_of(address: QueueAddress) -> Columns:
    """What libpq is given for a connection."""
    return connection_parameters(
        address.conninfo,
        schema=tables.SCHEMA,
        application="browser-use-async queue",
        seconds=_SECONDS,
    )


def check_version(address: QueueAddress, found: Sequence[Any] | None) -> None:
    """Refuse tables of another version, given the row of `tables.VERSION_OF_TABLES`."""
    version = None if found is None else found[0]
    if version != tables.VERSION:
        raise LedgerVersionError(
            f"the queue {address} has tables of version {version}, and this version of the "
            f"package uses version {tables.VERSION}; nothing was sent and nothing was changed. "
            "Go on with the version that made them, or name another database"
        )


def nothing_enqueued(address: QueueAddress) -> LedgerError:
    """The error of a queue that is not there."""
    return LedgerError(
        f"nothing was enqueued in {address}; `batch enqueue` does it. Nothing was sent"
    )


@contextlib.contextmanager
def queue_errors(address: QueueAddress) -> Generator[None]:
    """Convert errors of the database into errors of the queue."""
    try:
        yield
    except UnusableServerError as error:
        raise LedgerError(
            f"the PostgreSQL server of the queue {address} {error.problem}; nothing was sent. "
            f"{error.remedy}"
        ) from None
    except (psycopg.Error, ConnectorException) as error:
        raise _as_queue_error(error, address) from None


def _as_queue_error(error: BaseException, address: QueueAddress) -> LedgerError:
    cause = error.__cause__ if isinstance(error, ConnectorException) else error
    if isinstance(cause, psycopg.errors.InsufficientPrivilege):
        return LedgerError(
            f"the database refused what the queue {address} needs: {first_line(cause)}; nothing "
            f"was sent. Give this user the right to create the schema {tables.SCHEMA}, or give "
            "the address of a user who owns it"
        )
    if isinstance(cause, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return LedgerCorruptError(
            f"the queue {address} lacks tables: {first_line(cause)}. Restore the schema "
            f"{tables.SCHEMA} from a backup that has everything that was sent"
        )
    return LedgerError(
        f"the queue {address} could not be read or written: {first_line(cause or error)}. "
        "Everything that was sent is recorded in it. Repair the database, and do the same again"
    )


@attrs.define(eq=False)
class QueueStore:
    """The batch of a name in a database."""

    address: QueueAddress
    patience: float  # seconds for which the database may be away
    app: procrastinate.App = attrs.field(init=False)
    jobs: QueueJobs = attrs.field(init=False)
    _starts: Together[Columns, Columns | None] = attrs.field(init=False)
    _ends: Together[Columns, Columns | None] = attrs.field(init=False)
    _connector: SteadyConnector = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._starts = Together(self._start, PAUSE)
        self._ends = Together(self._record, PAUSE)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, address: QueueAddress, patience: float, *, creates: bool = False, waits: bool = False
    ) -> AsyncGenerator[Self]:
        """Open it and check its tables; `waits` for a database that is away, `creates` tables."""
        store = cls(address, patience)
        with queue_errors(address):
            await store._open(creates=creates, waits=waits)
            try:
                yield store
            finally:
                await store.app.close_async()

    async def _open(self, *, creates: bool, waits: bool) -> None:
        parameters = parameters_of(self.address)
        # The pool of procrastinate does not try a second time while it is opened.
        ends = time.monotonic() + (self.patience if waits else 0.0)
        while True:
            try:
                async with await connect_async(parameters) as connection:
                    await self._prepare(connection, creates=creates)
                break
            except (UnusableServerError, *PASSING):
                if time.monotonic() >= ends:
                    raise
            await asyncio.sleep(LOOK_SECONDS)
        self._connector = SteadyConnector(parameters, self.patience)
        self.app = procrastinate.App(connector=self._connector)
        self.app.job_manager = self.jobs = QueueJobs(self._connector)
        await self.app.open_async()

    async def _prepare(self, connection: psycopg.AsyncConnection, *, creates: bool) -> None:
        if creates:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = 0")
                await connection.execute(literal(tables.LOCK_SCHEMA))
                if not await self._exists(connection):
                    await connection.execute(
                        literal(f"CREATE SCHEMA IF NOT EXISTS {tables.SCHEMA}")
                    )
                    await create_engine(connection)
                    await connection.execute(literal(tables.TABLES))
                    await connection.execute(
                        "INSERT INTO queue_version VALUES (%s)", [tables.VERSION]
                    )
        elif not await self._exists(connection):
            raise nothing_enqueued(self.address)
        found = await (await connection.execute(tables.VERSION_OF_TABLES)).fetchone()
        check_version(self.address, found)
        if (problem := await engine_problem(connection)) is not None:
            raise LedgerVersionError(f"the queue {self.address} {problem}")

    async def _exists(self, connection: psycopg.AsyncConnection) -> bool:
        found = await (await connection.execute(literal(tables.EXISTS))).fetchone()
        return found is not None and bool(found[0])

    # --- statements ------------------------------------------------------------------------

    async def rows(self, statement: str, **values: Any) -> list[Columns]:
        """The rows of a statement about this batch; repeated over outages."""
        return await self._connector.execute_query_all_async(
            literal(statement), batch=self.address.name, **values
        )

    async def row(self, statement: str, **values: Any) -> Columns | None:
        """The first row of a statement about this batch, if it has one."""
        return next(iter(await self.rows(statement, **values)), None)

    async def batch(self) -> Columns:
        """The row of the batch; an error if nothing was enqueued."""
        found = await self.row(tables.BATCH)
        if found is None:
            raise nothing_enqueued(self.address)
        return found

    async def _transact(self, work: Callable[["_Transaction"], Awaitable[ResultT]]) -> ResultT:
        """Call `work` in a transaction, which may be done twice."""

        async def attempt(connection: psycopg.AsyncConnection) -> ResultT:
            return await work(_Transaction(self.app, self.address.name, connection))

        return await self._connector.transact(attempt)

    # --- input -----------------------------------------------------------------------------

    async def begin(
        self, key_prefix: str | None, budget_cents: Decimal | None, per_key: int | None
    ) -> None:
        """Record what the batch is, or refuse to make it another one."""

        async def work(at: "_Transaction") -> None:
            await at.rows(
                tables.BEGIN_BATCH,
                id=uuid.uuid4().hex,
                key_prefix=key_prefix,
                budget=budget_cents,
                per_key=per_key,
            )
            batch = (await at.rows(tables.LOCK_BATCH))[0]
            if key_prefix not in {None, batch["key_prefix"]}:
                raise other_prefix(batch["key_prefix"], str(key_prefix))
            if per_key != batch["per_key"]:
                raise self._other_limit("per_key", batch["per_key"], per_key)
            if budget_cents is not None and batch["budget"] is None:
                raise self._other_limit("budget_cents", None, budget_cents)
            await at.rows(tables.SET_BUDGET, budget=budget_cents)

        await self._transact(work)

    def _other_limit(self, name: str, before: object, now: object) -> LedgerMismatchError:
        return LedgerMismatchError(
            f"the queue {self.address} has begun with {name} {before}, and now it is {now}; "
            "nothing was enqueued and nothing was sent. Give what it has begun with, or take "
            "another name"
        )

    async def add(self, items: Sequence[Item]) -> None:
        """Write items that are not there yet, and make their jobs."""
        given = _given(items)
        if not given["keys"]:
            return

        async def work(at: "_Transaction") -> None:
            batch = (await at.rows(tables.LOCK_BATCH))[0]
            changed = await at.rows(tables.CHANGED, **given)
            if changed:
                raise mismatch(changed[0]["key"], repeated=False)
            await at.hand_out(await at.rows(tables.INSERT, **given), batch["per_key"])

        await self._transact(work)

    async def repair(self) -> None:
        """Make jobs for items that have lost theirs."""

        async def work(at: "_Transaction") -> None:
            await at.defer(await at.rows(tables.WITHOUT_JOB))

        await self._transact(work)

    async def try_again(self) -> None:
        """Make items that ended without success new, with jobs."""

        async def work(at: "_Transaction") -> None:
            batch = (await at.rows(tables.LOCK_BATCH))[0]
            found = await at.rows(tables.NEXT_ROUND)
            await at.rows(tables.SET_BUDGET, budget=None)
            await at.hand_out(found, batch["per_key"])

        await self.batch()  # refused if there is none
        await self._transact(work)

    # --- work ------------------------------------------------------------------------------

    async def start(self, item: Columns) -> Columns | None:
        """The row of an item of a batch without a budget, begun; None if it has ended."""
        return await self._starts.ask(item)

    async def _start(self, items: Sequence[Columns]) -> list[Columns | None]:
        found = await self.rows(tables.START, **_in_columns(items))
        rows = {_run_of(row, "position"): row for row in found}
        return [rows.get(_run_of(item, "item")) for item in items]

    async def record(self, ended: Columns) -> Columns | None:
        """Record the end of an item, and make the next job of its limit key.

        Returns its row, or None if its end was recorded before.
        """
        return await self._ends.ask(ended)

    async def _record(self, ended: Sequence[Columns]) -> list[Columns | None]:
        once = {_run_of(each, "item"): each for each in reversed(ended)}
        values = _in_columns([*once.values()])
        has_keys = any(key is not None for key in values.pop("limit_key"))

        async def work(at: "_Transaction") -> list[Columns]:
            batch = (await at.rows(tables.LOCK_BATCH))[0]
            found = await at.rows(tables.RECORD, **values)
            keys = dict.fromkeys(row["limit_key"] for row in found)
            await at.release([key for key in keys if key is not None], batch["per_key"])
            return found

        found = await (self._transact(work) if has_keys else self.rows(tables.RECORD, **values))
        rows = {_run_of(row, "position"): row for row in found}
        # The first of two runs of an item has recorded it.
        return [rows.pop(_run_of(each, "item"), None) for each in ended]

    # --- output ----------------------------------------------------------------------------

    async def items(self) -> AsyncIterator[Columns]:
        """The items that have ended, in the order of the input."""
        after = 0
        while found := await self.rows(tables.ITEMS, after=after):
            for row in found:
                yield row
            after = found[-1]["position"]

    async def ends(self) -> AsyncIterator[Columns]:
        """The items in the order in which they end, until the batch is over or has stopped."""
        since, seen = 0.0, dict[int, float]()  # when each was recorded
        while True:
            # Asked first, so that the last results are read before the end.
            left = await self.row(tables.LEFT)
            after, at = 0, _moment(since - _OVERLAP)
            while found := await self.rows(tables.ENDED, since=at, after=after):
                for row in found:
                    at, after = row["ended_at"], row["position"]
                    if seen.get(after) != at.timestamp():
                        seen[after] = at.timestamp()
                        yield row
                since = max(since, at.timestamp())
            seen = {each: when for each, when in seen.items() if when > since - _OVERLAP}
            if left is None or left["stopped_by"] is not None or not left["has_more"]:
                return
            await asyncio.sleep(LOOK_SECONDS)


@attrs.frozen(eq=False)
class _Transaction:
    """A transaction on one connection."""

    app: procrastinate.App
    batch: str
    connection: psycopg.AsyncConnection

    async def rows(self, statement: str, **values: Any) -> list[Columns]:
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(literal(statement), {"batch": self.batch, **values})
            return await cursor.fetchall() if cursor.description else []

    async def hand_out(self, rows: Sequence[Columns], per_key: int | None) -> None:
        """Make jobs of new items; of those with a limit key as many as may run."""
        await self.defer([row for row in rows if row["state"] == tables.NEW and not row["held"]])
        keys = dict.fromkeys(row["limit_key"] for row in rows if row["held"])
        if keys:
            await self.release(list(keys), per_key)

    async def release(self, limit_keys: Sequence[str], per_key: int | None) -> None:
        """Make jobs of the next items of limit keys, as far as these have room."""
        await self.defer(
            await self.rows(tables.RELEASE, limit_keys=list(limit_keys), per_key=per_key)
        )

    async def defer(self, rows: Iterable[Columns]) -> None:
        jobs = [
            Job(
                id=None,
                queue=self.batch,
                lock=None,
                queueing_lock=None,
                task_name=TASK,
                task_kwargs={"item": row["position"], "round": row["round"]},
            )
            for row in sorted(rows, key=lambda row: row["position"])
        ]
        if jobs:
            await self.app.job_manager.batch_defer_jobs_async(jobs, connection=self.connection)


def _in_columns(rows: Sequence[Columns]) -> Columns:
    """The values of many rows, a list for each column."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def _run_of(row: Columns, name: str) -> tuple[int, int]:
    """The item of a row, and which of its tasks is meant."""
    return row[name], row["round"]


def _given(items: Sequence[Item]) -> Columns:
    """The values of a statement that writes items; those that are repeated among them once."""
    by_key: dict[str, Item] = {}
    for item in items:
        if by_key.setdefault(storable(item.key), item).digest != item.digest:
            raise mismatch(item.key, repeated=True)
    problems = [item.problem for item in by_key.values()]
    return {
        "keys": list(by_key),
        # An index takes no key of 1,000 characters.
        "key_digests": [hashlib.sha256(key.encode()).hexdigest() for key in by_key],
        "digests": [item.digest.hex() for item in by_key.values()],
        "names": [storable(item.title) for item in by_key.values()],
        "tasks": [item.task and storable(item.task[:MAX_KEPT_TASK]) for item in by_key.values()],
        "contents": [item.content for item in by_key.values()],
        "limit_keys": [item.limit_key for item in by_key.values()],
        "maxima": [
            Decimal(0) if item.request is None else TaskPrice.of(item.request).maximum_cents
            for item in by_key.values()
        ],
        "errors": [None if each is None else type(each).__name__ for each in problems],
        "reasons": [None if each is None else storable(str(each)) for each in problems],
    }


def storable(text: str) -> str:
    """The text without NUL and lone surrogates, which PostgreSQL does not accept."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(max(seconds, 0.0), UTC)
