"""Items that are in an input more than once: one task, and a result for each of them."""

from typing import Any
from weakref import WeakValueDictionary

import attrs

from browser_use_async.batch.claims import ItemClaims
from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger.row import mismatch
from browser_use_async.batch.results import BatchResult, repeated_result
from browser_use_async.batch.runner import ItemRunner
from browser_use_async.batch.state import BatchState


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
