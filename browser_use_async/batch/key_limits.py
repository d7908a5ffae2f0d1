"""Limits per key: how many items of one key, such as one site, are under way at once."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable
from typing import cast
from weakref import WeakValueDictionary

import attrs

from browser_use_async.api.limits import is_count
from browser_use_async.api.submission_key import is_key
from browser_use_async.batch.inputs import BatchItem, Item
from browser_use_async.errors import InvalidRequestError

LimitBy = Callable[[BatchItem], str | int | None]

READ_AHEAD = 1000  # items that wait for their keys in memory; with more, reading pauses


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
