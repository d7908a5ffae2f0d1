"""What a batch is given: its options, and its items, which are read and checked one at a time."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sized
from decimal import Decimal
from typing import Any, Literal, Union, cast

import attrs

from browser_use_async.api.limits import MAX_METADATA_PAIRS, is_count, is_seconds
from browser_use_async.api.requests import build_request, encode_given, warn_if_unconfined
from browser_use_async.api.serialization import encode_request
from browser_use_async.api.submission_token import MAX_WINDOW
from browser_use_async.errors import BatchInputError, InvalidRequestError
from browser_use_async.lifecycle.create import OnAmbiguous
from browser_use_async.types import RunTaskRequest

OnClose = Literal["leave", "stop"]

# The largest amount of money: ten trillion dollars, in thousandths of a cent, fit 64 bits.
MAX_CENTS = 10**15


def is_cents(value: object) -> bool:
    """Whether something is an amount in US cents: a finite number of 0 or more."""
    # bool is an int in Python, but no amount of money.
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    if isinstance(value, Decimal) and not value.is_finite():
        return False  # such numbers refuse to be compared
    return 0 <= value <= MAX_CENTS


@attrs.frozen(kw_only=True)
class BatchOptions:
    """The options of a batch, checked; `run_many` explains them."""

    concurrency: int
    output_type: Any = None
    budget_cents: Decimal | None = None
    budget_strict: bool = False
    check_balance: bool = False
    stop_orphans: bool = False
    on_ambiguous: OnAmbiguous = "resubmit"
    settle_window: float = 150.0  # in seconds
    timeout: float | None = None  # in seconds, for each task
    on_cancel: OnClose = "leave"
    outage_tolerance: float = 600.0  # in seconds
    retry_dead_letters: bool = False
    retry_failed: bool = False
    max_failures: int | None = None  # in a row
    labels: Mapping[str, str] = attrs.field(factory=dict)
    is_recorded: bool = False  # whether there is a ledger that outlives the batch

    def __attrs_post_init__(self) -> None:
        if not is_count(self.concurrency):
            raise _refused("concurrency", "a whole number from 1", self.concurrency)
        if self.on_ambiguous not in {"reconcile", "resubmit", "raise"}:
            raise _refused("on_ambiguous", "'reconcile', 'resubmit' or 'raise'", self.on_ambiguous)
        if self.on_cancel not in {"leave", "stop"}:
            raise _refused("on_cancel", "'leave' or 'stop'", self.on_cancel)
        if not is_seconds(self.settle_window) or self.settle_window >= MAX_WINDOW:
            raise _refused("settle_window", "a number of seconds of 0 or more", self.settle_window)
        if not is_seconds(self.outage_tolerance):
            raise _refused(
                "outage_tolerance", "a number of seconds of 0 or more", self.outage_tolerance
            )
        self._check_bounds()
        if self.budget_strict and self.budget_cents is None and not self.check_balance:
            raise InvalidRequestError(
                "budget_strict needs budget_cents or check_balance; nothing was sent",
                field="budget_strict",
            )
        for name, value in cast("Mapping[object, object]", self.labels).items():
            if not (isinstance(name, str) and isinstance(value, str)):
                raise _refused("labels", "texts by name", {name: value})

    def _check_bounds(self) -> None:
        """Check the options that may be None."""
        if self.max_failures is not None and not is_count(self.max_failures):
            raise _refused("max_failures", "a whole number from 1, or None", self.max_failures)
        if self.timeout is not None and not (is_seconds(self.timeout) and self.timeout > 0):
            raise _refused("timeout", "a number of seconds above 0", self.timeout)


def budget_in_cents(value: object, name: str = "budget_cents") -> Decimal | None:
    """Convert a budget as a caller passed it."""
    if value is None:
        return None
    if not is_cents(value):
        raise _refused(name, "a number of cents of 0 or more", value)
    # Through text: Decimal(0.1) would be the binary fraction beside it.
    return Decimal(str(value))


def _refused(name: str, wanted: str, given: object) -> InvalidRequestError:
    return InvalidRequestError(
        f"{name} must be {wanted}, not {given!r}; nothing was sent", field=name
    )


MAX_KEY_LENGTH = 1000
_LONGEST_TITLE = 60
REFUSED = b""  # the digest of an item that is not a valid request


@attrs.frozen
class BatchItem:
    """One item of a batch.

    Attributes:
        request: What the agent should do, or a whole request.
        key: What identifies the item, also when the batch is run again: any text of 1 to 1000
            characters. Without one the content does.
        name: What to call the item in reports, if that is not its key. It identifies nothing.
    """

    request: str | RunTaskRequest
    key: str | None = None
    name: str | None = None


_Each = Union[str, RunTaskRequest, tuple[str, str | RunTaskRequest], BatchItem]  # noqa: UP007
# What `run_many` takes: texts, requests, `(key, request)` pairs or `BatchItem`s, read lazily.
BatchInput = Iterable[_Each] | AsyncIterable[_Each]


@attrs.frozen(kw_only=True)
class InputItem:
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

    @property
    def task(self) -> str | None:
        """The text of its task, or None if it was refused."""
        return None if self.request is None else self.request.task

    @property
    def title(self) -> str:
        """What people are shown: its name, its key, or without both the beginning of its task."""
        if self.name is not None or self.task is None or self.key != _key_of(self.digest):
            return self.name or self.key
        text = " ".join(self.task.split())
        return text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1]}…"


def _content(request: RunTaskRequest) -> str:
    """Everything that is sent, in one order, but of secrets only their names."""
    # Secrets can be renewed between two runs, and a short one could be guessed from its digest.
    fields = encode_request(request)
    if fields.get("secrets"):
        fields["secrets"] = sorted(fields["secrets"])
    return _encode_json(fields)


# A function of the module would make an encoder for each item.
_encode_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _digest_of(content: str) -> bytes:
    return hashlib.sha256(content.encode()).digest()


def content_key(request: RunTaskRequest) -> str:
    """What identifies an item without a key of its own."""
    return _key_of(_digest_of(_content(request)))


def _key_of(digest: bytes) -> str:
    return digest.hex()[:32]


class InputReader:
    """Reads the items of an input one at a time, for several workers at once."""

    def __init__(
        self,
        requests: BatchInput,
        fields: Mapping[str, Any],
        *,
        has_type: bool = False,
    ) -> None:
        _check_input(requests)
        self._requests = requests
        self._fields = fields
        self._has_type = has_type
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

    async def next(self) -> InputItem | None:
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
                    raise  # and not what the input has awaited
                # A generator that has raised is finished; other iterators are treated alike.
                self.ended = True
                raise BatchInputError(
                    f"the input raised {type(error).__name__} after {self.read} items: {error}. "
                    "What was submitted before comes to its end first. Repair the input and run it "
                    "again with the same ledger: nothing is done twice",
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

    def _checked(self, index: int, given: object) -> InputItem:
        key: object = None
        name: str | None = None
        try:
            if isinstance(given, BatchItem):
                key, name, given = given.key, given.name, given.request
            elif isinstance(given, tuple):
                key, given = _pair(given)
            _check_key(key)
        except InvalidRequestError as error:
            return InputItem(index=index, key=f"#{index}", problem=error)
        own_key = key if isinstance(key, str) else None
        try:
            request = self._request(given)
        except InvalidRequestError as error:
            return InputItem(index=index, key=own_key or f"#{index}", name=name, problem=error)
        # Without a key the content identifies the item, so equal items are one task.
        content = _content(request)
        digest = _digest_of(content)
        return InputItem(
            index=index,
            key=own_key or _key_of(digest),
            name=name,
            digest=digest,
            request=request,
            content=content,
        )

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
        else:
            raise InvalidRequestError(
                f"an item is a text, a RunTaskRequest, a (key, request) pair or a BatchItem, not "
                f"{type(given).__name__}; nothing was sent for it",
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
