"""Enqueues a batch: its items and their requests, for the processes that work on them."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import psycopg

from browser_use_async.batch.inputs import BatchInput, InputReader, Item
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.row import WITHOUT_OUTPUT, Claim, LedgerRow
from browser_use_async.batch.ledger.store import Columns, RunContext
from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import (
    BatchLock,
    acquire_lock,
    connect,
    ledger_errors,
)
from browser_use_async.batch.postgres.schema import AT_REST, WAITING
from browser_use_async.batch.postgres.store import (
    PostgresStore,
    key_digest,
    storable,
    waits,
)
from browser_use_async.postgres.connection import literal

CHUNK = 4000  # items in one transaction

_COPY = (
    "COPY items (position, key, key_digest, digest, run, state, entered_at, name, task, request, "
    "limit_key, error, reason, queue_state) FROM STDIN"
)
_RECORD_REFUSED = (
    "UPDATE items SET recorded_at = extract(epoch FROM clock_timestamp()) "
    "WHERE position >= %s AND error IS NOT NULL"
)
# A handed out item stays so, since a process works on it.
_UPDATE = f"""
UPDATE items SET run = %s, name = %s, task = %s, request = %s, limit_key = %s,
    queue_state = CASE WHEN queue_state = {AT_REST} AND %s THEN {WAITING} ELSE queue_state END
WHERE position = %s
"""


@attrs.define(kw_only=True)
class Enqueued:
    """How many items an input had, by state."""

    items: int = 0
    waiting: int = 0  # to be handed out
    ended: int = 0  # have already ended
    refused: int = 0  # no valid requests
    duplicates: int = 0  # were earlier in this input


async def enqueue(
    requests: BatchInput,
    address: LedgerAddress,
    options: BatchOptions,
    fields: Mapping[str, Any],
) -> Enqueued:
    """Write a whole input to the ledger, which is created if it is missing."""
    # After an error the same call continues; written items are handed out already. Only the names
    # of secrets are written.
    limits = options.limits
    key_of = None if limits is None else limits.key_of
    reader = InputReader(requests, fields, limit_key_of=key_of)
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
                writing = asyncio.create_task(
                    queue.run(queue.write, chunk), name="browser-use: writes items of a batch"
                )
        finally:
            if writing is not None:
                await writing  # also items that were read before the input raised an exception
        await queue.run(queue.end)
    finally:
        await asyncio.to_thread(queue.close)
    return queue.enqueued


async def _read(reader: InputReader) -> list[Item]:
    chunk: list[Item] = []
    while len(chunk) < CHUNK and (item := await reader.next()) is not None:
        chunk.append(item)
    return chunk


@attrs.define(eq=False)
class _Queue:
    """Writes the items of one input. Its methods block."""

    address: LedgerAddress
    lock: BatchLock
    options: BatchOptions
    enqueued: Enqueued = attrs.field(factory=Enqueued)
    _connection: psycopg.Connection | None = None
    _context: RunContext = attrs.field(factory=RunContext)

    async def run(self, work: Any, *arguments: Any) -> None:
        """Call one of the methods in a thread, and translate its errors."""
        with ledger_errors(self.address):
            await asyncio.to_thread(work, *arguments)

    def begin(self) -> None:
        """Begin a run. Two inputs for one batch come one after the other."""
        connection = self._connection = connect(self.address)
        # The previous input may take any time.
        connection.execute("SET lock_timeout = 0")
        connection.execute("SET statement_timeout = 0")
        connection.execute(
            "SELECT pg_advisory_lock(hashtextextended(%s, 2))", [self.address.schema]
        )
        options = self.options
        with connection.transaction():
            store = PostgresStore(connection, self._context, "")
            store.begin_run(
                *(time.time(), options.budget_cents, options.labels),
                key_prefix=options.key_prefix,
                retry_failed=options.retry_failed,
                per_key=None if options.limits is None else options.limits.per_key,
            )
            connection.execute("UPDATE batch SET is_complete = false")

    def end(self) -> None:
        """Record that the whole input is written."""
        assert self._connection is not None
        self._connection.execute("UPDATE batch SET is_complete = true")

    def close(self) -> None:
        """Close the connections."""
        if self._connection is not None:
            self._connection.close()
        self.lock.close()

    def write(self, chunk: Sequence[Item]) -> None:
        """Write some items in one transaction."""
        assert self._connection is not None
        revive = self.options.retry_failed
        with self._connection.transaction():
            store = EnqueueStore(self._connection, self._context, "")
            claims = store.claim(chunk, time.time(), revive=revive)
        for item, claim in zip(chunk, claims, strict=True):
            self._count(item, claim)

    def _count(self, item: Item, claim: Claim) -> None:
        done = self.enqueued
        done.items += 1
        if claim.repeated:
            done.duplicates += 1
        elif not claim.known and item.problem is not None:
            done.refused += 1
        elif waits(claim, item):
            done.waiting += 1
        else:
            done.ended += 1


class EnqueueStore(PostgresStore):
    """The statements that write an input for the processes that work on it."""

    columns = WITHOUT_OUTPUT

    def _is_repeated(self, row: LedgerRow, call: str | None) -> bool:
        return row.run == self.context.run  # whichever process has it

    def _is_known(self, row: LedgerRow, call: str | None, now: float) -> bool:
        return True

    def _insert(self, items: Mapping[str, Item], now: float) -> list[int]:
        # No other process inserts items meanwhile.
        first: int = self._required("SELECT items FROM batch")[0]
        positions = [*range(first, first + len(items))]
        with self.connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for position, (key, item) in zip(positions, items.items(), strict=True):
                copy.write_row((position, key, *self._columns(key, item, now)))
        # Last, since a process that reserves money or records an outcome waits for this row.
        self._do("UPDATE batch SET items = %s", (first + len(items),))
        if any(item.problem is not None for item in items.values()):
            self._do(_RECORD_REFUSED, (first,))
        return positions

    def _columns(self, key: str, item: Item, now: float) -> Columns:
        """The columns of a new item after its position and key."""
        problem = item.problem
        shared = (key_digest(key), item.digest, self.context.run)
        shown = (*self._shown(item), storable(item.content), item.limit_key)
        if problem is None:
            return (*shared, str(ItemState.NEW), now, *shown, None, None, WAITING)
        reason = storable(str(problem))
        return (*shared, str(ItemState.DEAD), now, *shown, type(problem).__name__, reason, AT_REST)

    def _take(self, claims: Sequence[tuple[Claim, Item]]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(
                literal(_UPDATE),
                [
                    (
                        *(self.context.run, *self._shown(item), storable(item.content)),
                        *(item.limit_key, waits(claim, item), claim.position),
                    )
                    for claim, item in claims
                    if item.request is not None
                ],
            )
