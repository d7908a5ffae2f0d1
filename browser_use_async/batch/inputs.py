"""The input of a batch: items, which are read and checked one at a time, and their prices."""

import asyncio
import hashlib
import json
import re
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sized,
)
from decimal import Decimal
from typing import Any, Union

import attrs

from browser_use_async.api.limits import MAX_METADATA_PAIRS
from browser_use_async.api.requests import build_request, encode_given, warn_if_unconfined
from browser_use_async.api.script_pairs import fill_text, placeholders_in
from browser_use_async.api.serialization import encode_request
from browser_use_async.api.submission_key import is_key
from browser_use_async.errors import BatchInputError, InvalidRequestError
from browser_use_async.money.amounts import TaskPrice
from browser_use_async.types import UNSET, RunTaskRequest
from browser_use_async.types.enums import price_terms

MAX_KEY_LENGTH = 1000
_LONGEST_TITLE = 60
REFUSED = b""  # the digest of an item that is not a valid request


@attrs.frozen
class BatchItem:
    """One item of a batch.

    Attributes:
        request: What the agent should do, a whole request, or a row for the batch's `task`.
        key: Identifies the item, also when the batch is run again: any text of 1 to 1000
            characters. Without one, the content identifies it. The batch's `key_prefix` and this
            key are the submission key of the item's task. The key may be shown, so it must not
            contain a secret.
        name: The name of the item for people, if that is not its key. It identifies nothing.
    """

    request: "str | RunTaskRequest | BatchRow"
    key: str | None = None
    name: str | None = None


BatchRow = Mapping[str, object]
"""The values of one item by name; the `task` of a batch has these names in braces."""

_One = Union[str, RunTaskRequest, BatchRow]  # noqa: UP007
_Each = Union[_One, tuple[str, _One], BatchItem]  # noqa: UP007
# The input of `run_many`: texts, requests, rows, `(key, request)` pairs or `BatchItem`s; lazy.
BatchInput = Iterable[_Each] | AsyncIterable[_Each]


@attrs.frozen(kw_only=True)
class Item:
    """One item of the input, checked."""

    index: int  # its place in the input, counted from 0
    key: str  # what identifies it
    name: str | None = None  # what it is called, if that is not its key
    digest: bytes = REFUSED  # of its content
    # What to send, or None if it was refused
    request: RunTaskRequest | None = attrs.field(default=None, repr=False)
    # The request as JSON, with the names of its secrets instead of these
    content: str | None = attrs.field(default=None, repr=False)
    problem: InvalidRequestError | None = None  # why it was refused, or None
    # The key of its limit, or None
    limit_key: str | None = attrs.field(default=None, repr=False)

    @property
    def task(self) -> str | None:
        """The text of its task, or None if it was refused."""
        return None if self.request is None else self.request.task

    @property
    def has_own_key(self) -> bool:
        """Whether the input gave it a key; else its content identifies it."""
        return self.key != _key_of(self.digest)

    @property
    def title(self) -> str:
        """Its text for people: its name, its key, or without both the beginning of its task."""
        if self.name is not None or self.task is None or self.has_own_key:
            return self.name or self.key
        text = " ".join(self.task.split())
        return text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1]}…"


def _content(request: RunTaskRequest) -> str:
    """Everything that is sent, in a fixed order, but only the names of secrets."""
    # Secrets may be renewed between two runs, and a short one could be guessed from its digest.
    fields = encode_request(request)
    if fields.get("secrets"):
        fields["secrets"] = sorted(fields["secrets"])
    return _encode_json(fields)


# `json.dumps` would make an encoder for each item.
_encode_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _digest_of(content: str) -> bytes:
    return hashlib.sha256(content.encode()).digest()


def content_key(request: RunTaskRequest) -> str:
    """The key of an item that the input gave none: a digest of its content."""
    return _key_of(_digest_of(_content(request)))


def _key_of(digest: bytes) -> str:
    return digest.hex()[:32]


# The form of keys that this module makes: an item whose own key looks like this is another one.
_MADE_HERE = re.compile(r"\Asha256:|\(round \d+\)\Z")


def submission_key(prefix: str, key: str, number: int) -> str:
    """The submission key of an item with its own key, for its task of that number.

    Two ledgers derive the same key, so it depends on nothing else.
    """
    text = f"{prefix}{key}"
    if number == 1:
        return text if is_key(text) and not _MADE_HERE.search(text) else _digest_key(text)
    # A failed task keeps its key: a second task of the same item needs another key.
    of_round = f"{text} (round {number})"
    return of_round if is_key(of_round) else _digest_key(f"{number} {text}")


def _digest_key(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


class InputReader:
    """Reads the items of an input one at a time, for several workers at once."""

    def __init__(
        self,
        requests: BatchInput,
        fields: Mapping[str, Any],
        *,
        has_type: bool = False,
        limit_key_of: Callable[[BatchItem], str | None] | None = None,
    ) -> None:
        _check_input(requests)
        self._requests = requests
        self._fields = fields
        self._has_type = has_type
        self._limit_key_of = limit_key_of
        self._iterator: Iterator[Any] | AsyncIterator[Any] | None = None
        self._lock = asyncio.Lock()
        self.read = 0
        self.ended = False

    @property
    def size(self) -> int | None:
        """How many items there are, or None if a lazy input has not ended."""
        if self.ended:
            return self.read
        return len(self._requests) if isinstance(self._requests, Sized) else None

    async def next(self) -> Item | None:
        """The next item, or None at the end; an exception of the input is a `BatchInputError`."""
        # Generators cannot be entered twice, so workers read one after the other.
        async with self._lock:
            if self.ended:
                return None
            try:
                given = await self._next_item()
            except (StopIteration, StopAsyncIteration):
                self.ended = True
                return None
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and _is_cancelled():
                    raise  # this worker was cancelled, and not something that the input awaited
                # A generator is finished once it has raised; other iterators are treated the same
                # way.
                self.ended = True
                raise BatchInputError(
                    f"the input raised {type(error).__name__} after {self.read} items: {error}. "
                    "Tasks that were created before were waited for. Repair the input and run it "
                    "again with the same ledger: no item is done twice",
                    index=self.read,
                ) from error
            index = self.read
            self.read += 1
        return self._checked(index, given)

    async def _next_item(self) -> Any:
        if self._iterator is None:
            given = self._requests
            self._iterator = aiter(given) if isinstance(given, AsyncIterable) else iter(given)
        if isinstance(self._iterator, AsyncIterator):
            return await anext(self._iterator)
        return _next(self._iterator)

    def _checked(self, index: int, given: object) -> Item:
        key: object = None
        name: str | None = None
        item = given if isinstance(given, BatchItem) else None
        try:
            if isinstance(given, BatchItem):
                key, name, given = given.key, given.name, given.request
            elif isinstance(given, tuple):
                key, given = _pair(given)
            _check_key(key)
        except InvalidRequestError as error:
            return Item(index=index, key=f"#{index}", problem=error)
        own_key = key if isinstance(key, str) else None
        try:
            request = self._request(given)
        except InvalidRequestError as error:
            return Item(index=index, key=own_key or f"#{index}", name=name, problem=error)
        # Without a key the content identifies the item, so equal items are one task.
        content = _content(request)
        digest = _digest_of(content)
        limit_key, problem = self._limit_key(item or BatchItem("", own_key), request)
        return Item(
            index=index,
            key=own_key or _key_of(digest),
            name=name,
            digest=digest,
            request=request,
            content=content,
            problem=problem,
            limit_key=limit_key,
        )

    def _limit_key(
        self, item: BatchItem, request: RunTaskRequest
    ) -> tuple[str | None, InvalidRequestError | None]:
        """The limit key of an item, or the error that prevents one."""
        if self._limit_key_of is None:
            return None, None
        try:
            # With the whole request, whatever the input gave.
            return self._limit_key_of(attrs.evolve(item, request=request)), None
        except InvalidRequestError as error:
            return None, error

    def _request(self, given: object) -> RunTaskRequest:
        if isinstance(given, str):
            request = build_request(RunTaskRequest, {**self._fields, "task": given})
        elif isinstance(given, RunTaskRequest):
            own = encode_given(given)
            if self._has_type and "structured_output_json" in own:
                raise InvalidRequestError(
                    "pass either output_type or structured_output_json, not both; nothing was "
                    "sent for it",
                    field="output_type",
                )
            request = build_request(RunTaskRequest, {**self._fields, **own})
        elif isinstance(given, Mapping) and "task" in self._fields:
            request = build_request(RunTaskRequest, _of_row(self._fields, given))
        else:
            raise InvalidRequestError(
                "an item is a text, a RunTaskRequest, a row (a mapping, with task= for run_many), "
                f"a (key, request) pair or a BatchItem, not {type(given).__name__}; nothing was "
                "sent for it",
                field="requests",
            )
        warn_if_unconfined(request)
        if isinstance(request.metadata, Mapping) and len(request.metadata) >= MAX_METADATA_PAIRS:
            raise InvalidRequestError(
                f"metadata: a batch needs one of the {MAX_METADATA_PAIRS} pairs itself, to find "
                f"tasks again; give up to {MAX_METADATA_PAIRS - 1}; nothing was sent for it",
                field="metadata",
            )
        return request


def _of_row(fields: Mapping[str, Any], row: BatchRow) -> dict[str, Any]:
    """The fields of a request, with the values of a row in its text."""
    text = fields["task"]
    names = placeholders_in(text) if isinstance(text, str) else []
    missing = next((name for name in names if name not in row), None)
    if missing is not None:
        raise InvalidRequestError(
            f"the task has {{{missing}}}, and the row has {', '.join(map(repr, row)) or 'nothing'}"
            "; nothing was sent for it",
            field="requests",
        )
    values = {name: str(row[name]) for name in names}
    if fields.get("script") is not None:
        return {**fields, "inputs": values}
    return {**fields, "task": fill_text(text, values) if names else text}


def _check_input(requests: object) -> None:
    if isinstance(requests, str | bytes | RunTaskRequest | BatchItem | Mapping):
        raise InvalidRequestError(
            "requests must be several: a list, a generator or the like; for one task use "
            "session.run_and_wait(task)",
            field="requests",
        )
    if not isinstance(requests, Iterable | AsyncIterable):
        raise InvalidRequestError(
            f"requests must be iterable, not {type(requests).__name__}", field="requests"
        )


def _next(iterator: Iterator[Any]) -> Any:
    try:
        return next(iterator)
    except StopIteration:
        raise StopAsyncIteration from None  # a coroutine cannot raise StopIteration (PEP 479)


def _is_cancelled() -> bool:
    """Whether the running asyncio task was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _pair(given: tuple[object, ...]) -> tuple[object, object]:
    if len(given) != 2 or given[0] is None:
        raise InvalidRequestError(
            "a tuple is an item's key and its request; nothing was sent for it", field="requests"
        )
    return given[0], given[1]


def _check_key(key: object) -> None:
    if key is None:
        return
    good = isinstance(key, str) and 0 < len(key) <= MAX_KEY_LENGTH
    try:
        good = good and bool(str(key).encode())  # SQLite does not store lone surrogates
    except UnicodeEncodeError:
        good = False
    if not good:
        raise InvalidRequestError(
            f"a key must be a text of 1 to {MAX_KEY_LENGTH} characters; nothing was sent for it",
            field="key",
        )


# --- the prices of an input -----------------------------------------------------------------


@attrs.frozen
class InputPrices:
    """The prices of a whole input."""

    total_cents: Decimal  # what everything costs at most
    # The price of the task with the lowest maximum, or None if there is no task
    cheapest: TaskPrice | None

    @classmethod
    def of(cls, requests: Iterable[object], fields: Mapping[str, Any]) -> "InputPrices":
        """The prices of an input of `run_many`."""
        total, kinds = Decimal(0), set[TaskPrice]()
        for price in _prices(requests, fields):
            total += price.maximum_cents
            kinds.add(price)
        # Over the kinds, since a million items have few of them.
        return cls(total, min(kinds, key=lambda price: price.maximum_cents, default=None))


def _prices(requests: Iterable[object], fields: Mapping[str, Any]) -> Iterator[TaskPrice]:
    # Inputs may have a million items and few prices.
    known: dict[tuple[int, str], TaskPrice] = {}
    for given in requests:
        request = given
        if isinstance(request, BatchItem):
            request = request.request
        elif isinstance(request, tuple) and len(request) == 2:
            request = request[1]
        max_steps, model = (_field(request, fields, name) for name in _TERMS)
        kind = price_terms(max_steps, model)  # a value of a wrong type may not be hashable
        if kind not in known:
            known[kind] = TaskPrice.of_terms(max_steps, model)
        yield known[kind]


_TERMS = ("max_agent_steps", "llm_model")


def _field(request: object, fields: Mapping[str, Any], name: str) -> object:
    value = getattr(request, name, UNSET) if isinstance(request, RunTaskRequest) else UNSET
    return fields.get(name) if value is UNSET else value
