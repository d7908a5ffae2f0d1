"""The results of a batch as its processes bring them, for one that only looks."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import attrs
import psycopg
from psycopg import sql

from browser_use_async.batch.ledger.reader import ROW_COLUMNS, LedgerRow, ledger_row
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import (
    PASSING,
    as_ledger_error,
    connection_parameters,
    literal,
)
from browser_use_async.batch.postgres.reader import FORMER_TASKS
from browser_use_async.batch.postgres.schema import HANDED_OUT, WAITING

LOOK_SECONDS = 5.0  # after which the ledger is read although no notification came
OVERLAP = 20.0  # seconds: a result is recorded a little before others can see it

_ENDED = f"""
SELECT {ROW_COLUMNS}, name, task, {FORMER_TASKS}, recorded_at FROM items
WHERE (recorded_at, position) > (%s, %s) ORDER BY recorded_at, position LIMIT 1000
"""
_IS_OVER = f"""
SELECT is_complete AND NOT EXISTS (SELECT 1 FROM items WHERE feed IN ({WAITING}, {HANDED_OUT}))
FROM batch
"""


async def follow_results(
    address: LedgerAddress, patience: float, since: float = 0.0
) -> AsyncIterator[LedgerRow]:
    """Each item that has ended since a moment or ends now, until the batch is over.

    An item that is tried again meanwhile comes again.

    Raises:
        LedgerError: The ledger could not be read for `patience` seconds.
    """
    view, lost_at = _ResultCursor(since), None
    while True:
        try:
            async with await _connect(address) as connection:
                async for row in view.rows(connection, address):
                    lost_at = None
                    yield row
            return
        except PASSING as error:
            lost_at = lost_at or time.monotonic()
            if time.monotonic() - lost_at > patience:
                raise as_ledger_error(error, address) from None
        except psycopg.Error as error:
            raise as_ledger_error(error, address) from None
        await asyncio.sleep(1.0)


@attrs.define
class _ResultCursor:
    """What was seen, over lost connections."""

    since: float  # when the latest result was recorded
    _seen: dict[int, float] = attrs.field(factory=dict)  # when, by the item's position

    async def rows(
        self, connection: psycopg.AsyncConnection, address: LedgerAddress
    ) -> AsyncIterator[LedgerRow]:
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(address.schema)))
        while True:
            # Asked first: what ended before the batch was over is read afterwards.
            over = await (await connection.execute(literal(_IS_OVER))).fetchone()
            async for row in self._new(connection):
                yield row
            if over is None or over[0]:
                return
            async for _notification in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                pass

    async def _new(self, connection: psycopg.AsyncConnection) -> AsyncIterator[LedgerRow]:
        after, position = self.since - OVERLAP, -1
        while True:
            found = await connection.execute(literal(_ENDED), [after, position])
            rows: list[tuple[Any, ...]] = await found.fetchall()
            for *columns, recorded_at in rows:
                after, position = recorded_at, columns[0]
                if self._seen.get(position) != recorded_at:
                    self._seen[position] = recorded_at
                    yield ledger_row(tuple(columns))
            if not rows:
                break
        self.since = max(self.since, after)
        # Those that will not be read again need not be remembered.
        kept = {each: at for each, at in self._seen.items() if at > self.since - OVERLAP}
        self._seen = kept


async def _connect(address: LedgerAddress) -> psycopg.AsyncConnection:
    parameters: Any = connection_parameters(address)
    return await psycopg.AsyncConnection.connect(autocommit=True, **parameters)
