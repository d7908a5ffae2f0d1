"""Claims the rows of items in a ledger; one job claims all items of one turn of the loop."""

import asyncio
import copy
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import attrs

from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger.row import Claim, mismatch
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.results import BatchResult, repeated_result
from browser_use_async.batch.runner import ItemRunner
from browser_use_async.batch.state import BatchState
from browser_use_async.errors import LedgerMismatchError

_Asked = list[tuple[Item, "asyncio.Future[Claim]"]]


@attrs.define(eq=False)
class ItemClaims:
    """Claims items for the workers of one batch."""

    # A commit wakes several workers, which read their next items in the same turn of the loop. The
    # first of them claims the items of all.

    _asked: _Asked = attrs.field(factory=list, init=False)

    async def claim(self, batch: BatchState, item: Item) -> Claim:
        """Claim the row of an item, inserted if it is new."""
        claimed: asyncio.Future[Claim] = asyncio.get_running_loop().create_future()
        self._asked.append((item, claimed))
        if len(self._asked) == 1:
            asked = self._asked
            try:
                await asyncio.sleep(0)
                self._asked = []
                await self._claim(batch, asked)
            finally:
                if self._asked is asked:  # cancelled in that turn
                    self._asked = []
                for _item, each in asked:
                    each.cancel()  # no effect on those that have their claim
        return await claimed

    async def _claim(self, batch: BatchState, asked: _Asked) -> None:
        items = [item for item, _claimed in asked]
        now, revive = batch.now().timestamp(), batch.options.retry_failed
        try:
            # A claim need not be durable: without it the next run claims the item again.
            found: Sequence[Claim | Exception] = await batch.writer.run(
                lambda store: _claim_all(store, items, now, revive=revive), durable=False
            )
        except Exception as error:  # noqa: BLE001 - raised for each of the items
            found = [copy.copy(error) for _item in items]
        for (_item, claimed), each in zip(asked, found, strict=True):
            if claimed.done():  # its worker was cancelled
                continue
            if isinstance(each, Claim):
                claimed.set_result(each)
            else:
                claimed.set_exception(each)


def _claim_all(
    store: LedgerStore, items: Sequence[Item], now: float, *, revive: bool
) -> list[Claim | Exception]:
    """The claims of items; for an item whose content has changed, its error."""
    try:
        return [*store.claim(items, now, revive=revive)]
    except LedgerMismatchError as error:  # nothing was written
        if len(items) == 1:
            return [error]
    return [each for item in items for each in _claim_all(store, [item], now, revive=revive)]


@attrs.define(eq=False)
class _FirstItem:
    """An item under way, and its repetitions so far."""

    digest: bytes
    repeats: list[Item] = attrs.field(factory=list)


class RepeatedItems:
    """Runs the items of one input, each content or key once."""

    # A repetition waits in no worker: in an input of pairs half of the workers would wait.

    def __init__(self) -> None:
        self._claims = ItemClaims()
        self._under_way: dict[str, _FirstItem] = {}  # by key
        # Results that the program still references; the ledger has the others.
        self._results: WeakValueDictionary[str, BatchResult[Any]] = WeakValueDictionary()

    async def run(self, state: BatchState, item: Item) -> list[BatchResult[Any]]:
        """Run an item; returns its result and those of its repetitions meanwhile."""
        first = self._under_way.get(item.key)
        if first is not None:
            if first.digest != item.digest:
                raise mismatch(item.key, repeated=True)
            first.repeats.append(item)
            return []
        first = self._under_way[item.key] = _FirstItem(item.digest)
        try:
            claim = await self._claims.claim(state, item)
            earlier = self._results.get(item.key)
            result = await ItemRunner(state, item, claim, earlier).run()
        finally:
            del self._under_way[item.key]
        if result is None:
            return []
        self._results[item.key] = result
        state.counter.duplicates += len(first.repeats)
        if first.repeats:
            state.on_change()
        return [result, *(repeated_result(each, result) for each in first.repeats)]
