"""Enqueues a batch: its items and their requests, for the processes that work on them."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs
import psycopg

from browser_use_async.api.requests import Caller
from browser_use_async.api.serialization import encode_request
from browser_use_async.batch.inputs import BatchInput, InputItem, InputReader
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.store import MAX_KEPT_TASK
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import as_ledger_error, connect, literal
from browser_use_async.batch.postgres.schema import AT_REST, WAITING
from browser_use_async.batch.postgres.store import (
    PostgresStore,
    RunContext,
    key_digest,
    storable,
)
from browser_use_async.batch.postgres.writer import BatchLock, acquire_lock
from browser_use_async.errors import LedgerMismatchError
from browser_use_async.types import RunTaskRequest

CHUNK = 2000  # items in one transaction

_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
    place BIGINT, key TEXT, key_digest BYTEA, digest BYTEA, name TEXT, task TEXT, request TEXT,
    state TEXT, error TEXT, reason TEXT
) ON COMMIT DELETE ROWS
"""
_COPY = (
    "COPY incoming (place, key, key_digest, digest, name, task, request, state, error, reason) "
    "FROM STDIN"
)
_KNOWN = """
SELECT items.position, items.key, items.state, items.run, items.digest = incoming.digest,
       incoming.state IS NULL
FROM incoming JOIN items USING (key_digest)
"""
_INSERT = f"""
INSERT INTO items (position, key, key_digest, digest, run, state, entered_at, name, task, request,
                   error, reason, feed, recorded_at)
SELECT %s + row_number() OVER (ORDER BY place) - 1, key, key_digest, digest, %s,
       COALESCE(state, '{ItemState.NEW}'), %s, name, task, request, error, reason,
       CASE WHEN state IS NULL THEN {WAITING} ELSE {AT_REST} END,
       CASE WHEN state IS NOT NULL THEN extract(epoch FROM clock_timestamp()) END
FROM incoming
WHERE NOT EXISTS (SELECT 1 FROM items WHERE items.key_digest = incoming.key_digest)
"""
_UPDATE = f"""
UPDATE items SET run = %s, name = incoming.name, task = incoming.task,
    digest = incoming.digest, request = incoming.request,
    feed = CASE WHEN feed = {AT_REST} AND position = ANY(%s) THEN {WAITING} ELSE feed END
FROM incoming
WHERE items.key_digest = incoming.key_digest AND incoming.state IS NULL
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
    caller: Caller | None = None,
) -> Enqueued:
    """Write a whole input to the ledger, which is created if need be.

    After an error the same call goes on; what is written is handed out already. Of secrets only
    the names are written.

    Raises:
        LedgerError: The ledger cannot be used.
        LedgerMismatchError: A key stands for another request than before.
        BatchInputError: The input raised an exception.
    """
    reader = InputReader(requests, fields, caller=caller)
    lock = await acquire_lock(address, is_shared=True, creates=True)
    queue = _Queue(address, lock, options)
    try:
        await queue.run(queue.begin)
        writing: asyncio.Future[None] | None = None
        # The next chunk is read while the last one is written.
        while chunk := await _read(reader):
            if writing is not None:
                await writing
            writing = asyncio.ensure_future(queue.run(queue.write, chunk))
        if writing is not None:
            await writing
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
    _context: RunContext = attrs.field(factory=lambda: RunContext(owner="enqueue"))

    async def run(self, work: Any, *arguments: Any) -> None:
        """Call one of the methods in a thread, and translate its errors."""
        try:
            await asyncio.to_thread(work, *arguments)
        except psycopg.Error as error:
            raise as_ledger_error(error, self.address) from None

    def begin(self) -> None:
        """Begin a run. Two inputs for one batch come one after the other."""
        connection = self._connection = connect(self.address)
        connection.execute("SET lock_timeout = 0")
        connection.execute(
            "SELECT pg_advisory_lock(hashtextextended(%s, 2))", [self.address.schema]
        )
        connection.execute(_INCOMING)
        options = self.options
        with connection.transaction():
            store = PostgresStore(connection, self._context, "")
            store.begin_run(
                time.time(), options.budget_cents, options.labels, retry_failed=options.retry_failed
            )
            connection.execute(
                "UPDATE batch SET is_complete = false, is_strict = %s", [options.budget_strict]
            )

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
        items = self._unique(chunk)
        self.enqueued.items += len(chunk)
        with connection.transaction():
            with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                for item in items:
                    copy.write_row(_incoming_row(item))
            known = connection.execute(literal(_KNOWN)).fetchall()
            self._update_known(connection, known)
            self._insert_new(connection, items, len(known))

    def _unique(self, chunk: Iterable[InputItem]) -> list[InputItem]:
        by_key: dict[str, InputItem] = {}
        for item in chunk:
            first = by_key.setdefault(item.key, item)
            if first is not item:
                self.enqueued.duplicates += 1
                if first.digest != item.digest:
                    raise _mismatch(item.key, repeated=True)
        return list(by_key.values())

    def _insert_new(
        self, connection: psycopg.Connection, items: Sequence[InputItem], known: int
    ) -> None:
        new = len(items) - known
        if not new:
            return
        first = connection.execute(
            "UPDATE batch SET items = items + %s RETURNING items - %s", [new, new]
        ).fetchone()
        assert first is not None
        connection.execute(literal(_INSERT), [first[0], self._context.run, time.time()])
        refused = sum(item.request is None for item in items)
        self.enqueued.refused += refused
        self.enqueued.waiting += new - refused

    def _update_known(
        self, connection: psycopg.Connection, known: Sequence[tuple[Any, ...]]
    ) -> None:
        if not known:
            return
        waiting, revived, failed = list[int](), list[int](), list[int]()
        for position, key, text, run, is_same, is_valid in known:
            state = ItemState(text)
            repeated = run == self._context.run
            self.enqueued.duplicates += repeated
            if not is_same and (repeated or state is not ItemState.DEAD):
                raise _mismatch(key, repeated=repeated)
            if not is_valid or repeated:
                continue
            if state is ItemState.DEAD and (self.options.retry_dead_letters or not is_same):
                revived.append(position)
            elif state is ItemState.FAILED:
                failed.append(position)
            elif state not in {ItemState.DONE, ItemState.DEAD}:
                waiting.append(position)
        if self.options.retry_failed and failed:
            tried = connection.execute(literal(_RETRIED), [self._context.round, failed]).fetchall()
            waiting += set(failed) - {position for (position,) in tried}
        waiting += revived
        connection.execute(literal(_REVIVE), [revived])
        connection.execute(literal(_UPDATE), [self._context.run, waiting])
        self.enqueued.waiting += len(waiting)
        self.enqueued.ended += len(known) - len(waiting)


def _incoming_row(item: InputItem) -> tuple[Any, ...]:
    key, problem = str(storable(item.key)), item.problem
    return (
        *(item.index, key, key_digest(key), item.digest, storable(item.name)),
        storable(None if item.task is None else item.task[:MAX_KEPT_TASK]),
        None if item.request is None else _stored(item.request),
        None if problem is None else str(ItemState.DEAD),
        None if problem is None else type(problem).__name__,
        None if problem is None else storable(str(problem)),
    )


def _stored(request: RunTaskRequest) -> str:
    """The request as JSON, with the names of its secrets instead of these."""
    fields = encode_request(request)
    if fields.get("secrets"):
        fields["secrets"] = sorted(fields["secrets"])
    return json.dumps(fields, separators=(",", ":"))


def _mismatch(key: str, *, repeated: bool) -> LedgerMismatchError:
    return LedgerMismatchError(
        f"the item {key!r} is not what it was: this key stands for another request "
        f"{'earlier in the input' if repeated else 'in the ledger'}. Nothing was sent for it. Give "
        "it another key, or restore its content"
    )
