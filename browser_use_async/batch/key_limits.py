"""Room for items under way, with a limit for each key, such as each site."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from weakref import WeakValueDictionary

import attrs

from browser_use_async.batch.inputs import Item

READ_AHEAD = 1000  # items that wait for their keys in memory; with more, reading pauses


@attrs.define(eq=False)
class LimitedRoom:
    """Room for items under way: so many of each limit key, and so many of all."""

    _per_key: int
    _of_all: asyncio.Semaphore
    # A key is forgotten once no item of it is under way or waits.
    _of_keys: WeakValueDictionary[str, asyncio.Semaphore] = attrs.field(
        factory=WeakValueDictionary, init=False
    )
    waiting: int = attrs.field(default=0, init=False)  # items that wait for their keys

    def is_full(self, item: Item) -> bool:
        """Whether an item would wait for its key."""
        found = self._of_keys.get(item.limit_key or "")
        return found is not None and found.locked()

    @contextlib.asynccontextmanager
    async def for_item(self, item: Item) -> AsyncGenerator[None]:
        """Wait for room; the first item of a key that came is the first that gets it."""
        key = item.limit_key
        if key is None:
            async with self._of_all:
                yield
            return
        of_key = self._of_keys.setdefault(key, asyncio.Semaphore(self._per_key))
        self.waiting += 1
        try:
            await of_key.acquire()
        finally:
            self.waiting -= 1
        try:
            async with self._of_all:
                yield
        finally:
            of_key.release()
