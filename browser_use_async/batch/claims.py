"""Claims the rows of items in a ledger; one job claims all items of one turn of the loop."""

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
from browser_use_async.batch.together import Together
from browser_use_async.errors import LedgerMismatchError


async def _claim(asked: Sequence[tuple[BatchState, Item]]) -> Sequence[Claim | Exception]:
    """Claim the rows of items, inserted if they are new."""
    batch, items = asked[0][0], [item for _batch, item in asked]
    now, revive = batch.now().timestamp(), batch.options.retry_failed
    # A claim need not be durable: without it the next run claims the item again.
    return await batch.writer.run(
        lambda store: _claim_all(store, items, now, revive=revive), durable=False
    )


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
        self._claims = Together(_claim)
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
            claim = await self._claims.ask((state, item))
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
