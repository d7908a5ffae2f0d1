"""What goes into a batch. Pure."""

from collections.abc import AsyncIterable, Iterable
from typing import Union

import attrs

from browser_use_async.types import RunTaskRequest

__all__ = ["BatchInput", "BatchItem"]


@attrs.frozen
class BatchItem:
    """One item of a batch.

    Attributes:
        request: What the agent should do, or a whole request.
        key: What identifies the item, also when the batch is run again: any text of 1 to 1000
            characters. Without one the content does.
    """

    request: str | RunTaskRequest
    key: str | None = None


_Each = Union[str, RunTaskRequest, tuple[str, str | RunTaskRequest], BatchItem]  # noqa: UP007
BatchInput = Iterable[_Each] | AsyncIterable[_Each]
"""What `run_many` takes: texts, requests, `(key, request)` pairs or `BatchItem`s, read lazily."""
