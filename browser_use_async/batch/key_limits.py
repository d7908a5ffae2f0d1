"""Limits per key: how many items of one key, such as one site, are under way at once."""

import asyncio
import contextlib
import hashlib
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from typing import cast

import attrs

from browser_use_async.api.limits import is_count
from browser_use_async.api.submission_key import is_key
from browser_use_async.batch.inputs import BatchItem, InputReader, Item
from browser_use_async.batch.ledger.records import OpenItem
from browser_use_async.errors import BrowserUseError, InvalidRequestError

LimitBy = Callable[[BatchItem], str | int | None]

MOST_WAITING = 10_000  # items that wait for their keys in memory; with more, reading pauses


@attrs.frozen
class KeyLimits:
    """Which items share a limit, and how many of them are under way at once."""

    limit_by: LimitBy
    per_key: int

    @classmethod
    def of(cls, limit_by: LimitBy | None, per_key: int | None) -> "KeyLimits | None":
        """The limits of a batch from its two options, or None if it has none."""
        if limit_by is None and per_key is None:
            return None
        if limit_by is None or per_key is None:
            missing = "limit_by" if limit_by is None else "per_key"
            raise InvalidRequestError(
                f"{missing} is missing: limit_by says which items share a limit, and per_key how "
                "many of them run at once; give both or neither; nothing was sent",
                field=missing,
            )
        if not callable(limit_by):
            raise InvalidRequestError(
                f"limit_by must be a function that gives the limit key of an item, not "
                f"{limit_by!r}; nothing was sent",
                field="limit_by",
            )
        if not is_count(per_key):
            raise InvalidRequestError(
                f"per_key must be a whole number from 1, not {per_key!r}; nothing was sent",
                field="per_key",
            )
        return cls(limit_by, per_key)

    def key_of(self, item: BatchItem) -> str | None:
        """The limit key of an item as text, or None if the item has no limit."""
        try:
            key = cast("object", self.limit_by(item))
        except Exception as error:
            raise InvalidRequestError(
                f"limit_by raised {type(error).__name__} for it: {error}; nothing was sent for it",
                field="limit_by",
            ) from error
        if key is None:
            return None
        # Ledgers have the key as text, and other processes compare it. Equal values of other types
        # may have different texts, and then the limit would not work.
        if not isinstance(key, str | int):
            raise InvalidRequestError(
                f"limit_by must give a text, a whole number, or None for no limit, and gave "
                f"{type(key).__name__} for it; nothing was sent for it",
                field="limit_by",
            )
        text = str(key)
        if is_key(text):
            return text
        # Too long for an index, or with characters that no database accepts.
        return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


@attrs.define(eq=False)
class LimitedItems:
    """Hands out the items of an input as their limits allow; others need not wait for them."""

    # It also counts the items with a task that earlier runs have left, from the beginning: items of
    # the same key that come first in the input must wait for them.

    _reader: InputReader
    _per_key: int
    # How many items of each key are under way
    _counts: Counter[str] = attrs.field(factory=Counter, init=False)
    _waiting: dict[str, deque[Item]] = attrs.field(factory=dict, init=False)  # by limit key
    _waiting_count: int = attrs.field(default=0, init=False)
    _ready: deque[Item] = attrs.field(factory=deque, init=False)  # counted, but not handed out yet
    # Items of earlier runs that the input has not named yet, by key
    _open: dict[str, OpenItem] = attrs.field(factory=dict, init=False)
    _following: "set[asyncio.Task[None]]" = attrs.field(factory=set, init=False)
    _reading: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)
    _changed: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    async def next(self) -> Item | None:
        """The next item that may start now, or None once all have been handed out."""
        while not self._ready:
            if self._reading is not None and self._reading.done():
                reading, self._reading = self._reading, None
                reading.result()  # raises the exception of the input, if any
            elif self._may_read:
                if self._reading is None:
                    self._reading = asyncio.create_task(
                        self._read(), name="browser-use: reads the input of a batch"
                    )
                    self._reading.add_done_callback(lambda _reading: self._changed.set())
                await self._wait()
            elif self._waiting_count:
                await self._wait()
            else:
                return None
        return self._ready.popleft()

    @property
    def _may_read(self) -> bool:
        return not self._reader.ended and self._waiting_count < MOST_WAITING

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _read(self) -> None:
        """Read until an item may start."""
        # One asyncio task for all workers: while it waits for a slow input, items whose keys become
        # free are handed out.
        while not self._ready and self._may_read:
            item = await self._reader.next()
            if item is None:
                return
            self._add(item)
            await asyncio.sleep(0)  # many items of one key in a row must not block the event loop

    def _add(self, item: Item) -> None:
        key, before = item.limit_key, self._open.pop(item.key, None)
        if before is not None:
            # It has a task, which counts from the beginning and waits for nothing.
            if before.limit_key != key:
                self._free(before.limit_key)
                self._count(key)
            self._ready.append(item)
        elif key is None or self._counts[key] < self._per_key:
            self._count(key)
            self._ready.append(item)
        else:
            self._waiting.setdefault(key, deque()).append(item)
            self._waiting_count += 1

    def release(self, item: Item) -> None:
        """Record that an item that was handed out is no longer under way."""
        if item.limit_key is not None:
            self._free(item.limit_key)

    def _count(self, key: str | None) -> None:
        if key is not None:
            self._counts[key] += 1

    def _free(self, key: str) -> None:
        self._counts[key] -= 1
        waiting = self._waiting.get(key)
        while waiting and self._counts[key] < self._per_key:
            self._counts[key] += 1
            self._waiting_count -= 1
            self._ready.append(waiting.popleft())
        if not waiting:
            self._waiting.pop(key, None)
        if not self._counts[key]:
            del self._counts[key]
        self._changed.set()

    def follow(
        self, items: Iterable[OpenItem], until_end: Callable[[str | None], Awaitable[object]]
    ) -> None:
        """Count items that earlier runs have left, until the input names them or they have ended.

        `until_end` is called with the id of the task, or None if that is unknown.
        """
        for each in items:
            self._open[each.key] = each
            self._count(each.limit_key)
            following = asyncio.create_task(
                self._follow(each, until_end), name="browser-use: follows a task of an earlier run"
            )
            self._following.add(following)
            following.add_done_callback(self._following.discard)

    async def _follow(
        self, item: OpenItem, until_end: Callable[[str | None], Awaitable[object]]
    ) -> None:
        # If its end cannot be found out, no item waits for it.
        with contextlib.suppress(BrowserUseError):
            await until_end(item.task_id)
        if self._open.pop(item.key, None) is not None:
            self._free(item.limit_key)

    def stop_reading(self, running: "asyncio.Task[object] | None") -> None:
        """Stop reading; the input itself may call this, in the running asyncio task."""
        if self._reading is not None and self._reading is not running:
            self._reading.cancel()

    async def aclose(self) -> None:
        """End the background tasks."""
        tasks = {*self._following, *([] if self._reading is None else [self._reading])}
        for each in tasks:
            each.cancel()
        if tasks:
            await asyncio.wait(tasks)
