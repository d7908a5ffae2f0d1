"""Enqueues a batch: its items and their requests, for the processes that work on them."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import psycopg

from browser_use_async.batch.inputs import BatchInput, InputItem, InputReader
from browser_use_async.batch.ledger.records import FINAL_STATES, ItemState
from browser_use_async.batch.ledger.store import MAX_KEPT_TASK, RunContext, mismatch
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import (
    BatchLock,
    acquire_lock,
    connect,
    ledger_errors,
)
from browser_use_async.batch.postgres.schema import AT_REST, WAITING
from browser_use_async.batch.postgres.store import PostgresStore, key_digest, storable
from browser_use_async.postgres.connection import literal

CHUNK = 4000  # items in one transaction

_COPY = (
    "COPY items (position, key, key_digest, digest, run, state, entered_at, name, task, request, "
    "error, reason, queue_state) FROM STDIN"
)
_RECORD_REFUSED = (
    "UPDATE items SET recorded_at = extract(epoch FROM clock_timestamp()) "
    "WHERE position >= %s AND error IS NOT NULL"
)
# In binary, because thousands of digests are costly to write as text.
_KNOWN = "SELECT position, key, state, run, digest FROM items WHERE key_digest = ANY(%b)"
# What is handed out stays so: a process is at work on it.
_UPDATE = f"""
UPDATE items SET run = %s, name = %s, task = %s, digest = %s, request = %s,
    queue_state = CASE WHEN queue_state = {AT_REST} AND %s THEN {WAITING} ELSE queue_state END
WHERE position = %s
"""
_REVIVE = f"""
UPDATE items SET state = '{ItemState.NEW}', attempts = 0, error = NULL, reason = NULL
WHERE position = ANY(%s)
"""
_RETRIED = "SELECT position FROM former_tasks WHERE round = %s AND position = ANY(%s)"


@attrs.frozen(kw_only=True)
class EnqueueOptions:
    """How a batch is to be worked on."""

    budget_cents: Decimal | None = None
    budget_strict: bool = False
    retry_failed: bool = False  # whether items whose task failed get another one
    retry_dead_letters: bool = False  # whether items that were refused are tried again
    labels: Mapping[str, str] = attrs.field(factory=dict)


@attrs.define(kw_only=True)
class Enqueued:
    """How many items an input had, by what becomes of them."""

    items: int = 0
    waiting: int = 0  # are handed out
    ended: int = 0  # have come to their end before
    refused: int = 0  # are no valid request
    duplicates: int = 0  # were named before by this input


async def enqueue(
    requests: BatchInput,
    address: LedgerAddress,
    options: EnqueueOptions,
    fields: Mapping[str, Any],
) -> Enqueued:
    """Write a whole input to the ledger, which is created if need be."""
    # After an error the same call goes on; what is written is handed out already. Of secrets only
    # the names are written.
    reader = InputReader(requests, fields)
    lock = await acquire_lock(address, is_shared=True, creates=True)
    queue = _Queue(address, lock, options)
    writing: asyncio.Future[None] | None = None
    try:
        await queue.run(queue.begin)
        try:
            # The next chunk is read while the last one is written.
            while chunk := await _read(reader):
                if writing is not None:
                    await writing
                writing = asyncio.ensure_future(queue.run(queue.write, chunk))
        finally:
            if writing is not None:
                await writing  # also what was read before the input raised an exception
        await queue.run(queue.end)
    finally:
        await asyncio.to_thread(queue.close)
    return queue.enqueued


async def _read(reader: InputReader) -> list[InputItem]:
    chunk: list[InputItem] = []
    while len(chunk) < CHUNK and (item := await reader.next()) is not None:
        chunk.append(item)
    return chunk


@attrs.define(eq=False)
class _Queue:
    """Writes the items of one input. Its methods block."""

    address: LedgerAddress
    lock: BatchLock
    options: EnqueueOptions
    enqueued: Enqueued = attrs.field(factory=Enqueued)
    _connection: psycopg.Connection | None = None
    _context: RunContext = attrs.field(factory=RunContext)
    _next: int = 0  # the position of the next new item: nobody else inserts any meanwhile

    async def run(self, work: Any, *arguments: Any) -> None:
        """Call one of the methods in a thread, and translate its errors."""
        with ledger_errors(self.address):
            await asyncio.to_thread(work, *arguments)

    def begin(self) -> None:
        """Begin a run. Two inputs for one batch come one after the other."""
        connection = self._connection = connect(self.address)
        # The input before this one may take any time.
        connection.execute("SET lock_timeout = 0")
        connection.execute("SET statement_timeout = 0")
        connection.execute(
            "SELECT pg_advisory_lock(hashtextextended(%s, 2))", [self.address.schema]
        )
        options = self.options
        with connection.transaction():
            store = PostgresStore(connection, self._context, "")
            store.begin_run(
                time.time(), options.budget_cents, options.labels, retry_failed=options.retry_failed
            )
            begun = connection.execute(
                "UPDATE batch SET is_complete = false, is_strict = %s RETURNING items",
                [options.budget_strict],
            ).fetchone()
        assert begun is not None
        self._next = begun[0]

    def end(self) -> None:
        """Say that the whole input is written."""
        assert self._connection is not None
        self._connection.execute("UPDATE batch SET is_complete = true")

    def close(self) -> None:
        """Close the connections."""
        if self._connection is not None:
            self._connection.close()
        self.lock.close()

    def write(self, chunk: Sequence[InputItem]) -> None:
        """Write some items in one transaction."""
        connection = self._connection
        assert connection is not None
        by_key = self._unique(chunk)
        with connection.transaction():
            digests = [key_digest(key) for key in by_key]
            known = connection.execute(_KNOWN, [digests]).fetchall()
            if known:
                pairs = [(_Known(*row), by_key.pop(row[1])) for row in known]
                self._update_known(connection, pairs)
            self._insert(connection, by_key)
        self.enqueued.items += len(chunk)

    def _unique(self, chunk: Iterable[InputItem]) -> dict[str, InputItem]:
        by_key: dict[str, InputItem] = {}
        for item in chunk:
            key = str(storable(item.key))
            first = by_key.setdefault(key, item)
            if first is not item:
                self.enqueued.duplicates += 1
                if first.digest != item.digest:
                    raise mismatch(key, repeated=True)
        return by_key

    def _insert(self, connection: psycopg.Connection, items: Mapping[str, InputItem]) -> None:
        if not items:
            return
        now, run, first = time.time(), self._context.run, self._next
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for position, (key, item) in enumerate(items.items(), first):
                copy.write_row((position, key, *_row(key, item, run, now)))
        # At the end: whoever reserves money or records an outcome waits for this row.
        self._next = first + len(items)
        connection.execute("UPDATE batch SET items = %s", [self._next])
        refused = sum(item.request is None for item in items.values())
        if refused:
            connection.execute(_RECORD_REFUSED, [first])
        self.enqueued.refused += refused
        self.enqueued.waiting += len(items) - refused

    def _update_known(
        self, connection: psycopg.Connection, pairs: "Sequence[tuple[_Known, InputItem]]"
    ) -> None:
        valid = [pair for pair in pairs if self._is_valid(*pair)]
        revived = [known.position for known, item in valid if self._revives(known, item)]
        connection.execute(literal(_REVIVE), [revived])
        waiting = {*revived, *self._retried(connection, [known for known, _item in valid])}
        waiting |= {known.position for known, _item in valid if known.state not in FINAL_STATES}
        with connection.cursor() as cursor:
            cursor.executemany(
                literal(_UPDATE),
                [
                    (
                        *(self._context.run, storable(item.name), _shown_task(item), item.digest),
                        *(storable(item.content), known.position in waiting, known.position),
                    )
                    for known, item in valid
                ],
            )
        self.enqueued.waiting += len(waiting)
        self.enqueued.ended += len(pairs) - len(waiting)

    def _is_valid(self, known: "_Known", item: InputItem) -> bool:
        """Whether an item is named for the first time in this run, with a valid request."""
        repeated = known.run == self._context.run
        self.enqueued.duplicates += repeated
        if known.digest != item.digest and (repeated or known.state is not ItemState.DEAD):
            raise mismatch(known.key, repeated=repeated)
        return item.request is not None and not repeated

    def _revives(self, known: "_Known", item: InputItem) -> bool:
        changed = known.digest != item.digest
        return known.state is ItemState.DEAD and (self.options.retry_dead_letters or changed)

    def _retried(self, connection: psycopg.Connection, known: "Sequence[_Known]") -> set[int]:
        """The failed items that get another task."""
        failed = {each.position for each in known if each.state is ItemState.FAILED}
        if not self.options.retry_failed or not failed:
            return set()
        tried = connection.execute(_RETRIED, [self._context.round, list(failed)])
        return failed - {position for (position,) in tried}


@attrs.frozen
class _Known:
    """An item that the ledger has already."""

    position: int
    key: str
    state: ItemState = attrs.field(converter=ItemState)
    run: int
    digest: bytes = attrs.field(converter=bytes)


def _row(key: str, item: InputItem, run: int, now: float) -> tuple[Any, ...]:
    """The columns of a new item behind its position and key."""
    problem = item.problem
    shared = (key_digest(key), item.digest, run)
    shown = (storable(item.name), _shown_task(item), storable(item.content))
    if problem is None:
        return (*shared, str(ItemState.NEW), now, *shown, None, None, WAITING)
    reason = storable(str(problem))
    return (*shared, str(ItemState.DEAD), now, *shown, type(problem).__name__, reason, AT_REST)


def _shown_task(item: InputItem) -> str | None:
    return None if item.task is None else storable(item.task[:MAX_KEPT_TASK])
