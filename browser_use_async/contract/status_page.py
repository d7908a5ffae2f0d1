"""A page of the task list, read only for where its tasks stand.

Whole rows can hold kilobytes of output each, and a wait looks at them every few seconds; so no
models are built. What such a page says is a hint: a task that it calls ended is fetched.
"""

import contextlib
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import attrs

from browser_use_async.api.endpoint_table import LIST_TASKS, Endpoint
from browser_use_async.api.json import skim_json
from browser_use_async.errors import ResponseDecodeError

__all__ = ["LIST_STATUSES", "StatusPage", "read_status_page"]


class StatusPage(NamedTuple):
    """Where the tasks of one page stand."""

    rows: list[tuple[str, str]]  # id and status of each task, newest first
    limit: int  # how many rows a page has at most, as the answer says
    total_count: int  # how many tasks there are on all pages
    size: int  # bytes of the answer


_ID_AND_STATUS = itemgetter("id", "status")

LIST_STATUSES: Endpoint = attrs.evolve(LIST_TASKS, returns=StatusPage)
"""The same call as `LIST_TASKS`, with less read of its answer."""


def read_status_page(body: bytes) -> StatusPage:
    """Read a page.

    Raises:
        ResponseDecodeError: It is no page of tasks.
    """
    with contextlib.suppress(ValueError, TypeError, LookupError, RecursionError):
        page: Any = skim_json(body)
        rows = [*map(_ID_AND_STATUS, page["tasks"])]
        limit, total = page["limit"], page["total_count"]
        if isinstance(limit, int) and isinstance(total, int) and _are_texts(rows):
            return StatusPage(rows, limit, total, len(body))
    # Raised here and not where it was caught, whose exception holds the body.
    raise ResponseDecodeError("the answer is no page of tasks with their statuses")


def _are_texts(rows: list[tuple[Any, ...]]) -> bool:
    return {*map(type, chain.from_iterable(rows))} <= {str}
