"""The news and the results of a remote task."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import PurePosixPath
from typing import Any

import attrs
from yarl import URL

from browser_use_async.server.executors.remote.client import MAX_REMOTE_FILE, CloudClient
from browser_use_async.server.records import Step
from browser_use_async.types import TaskStatus

_logger = logging.getLogger(__name__)

_LONGEST_NAME = 200
_MOST_DOLLARS = 1_000_000  # more is no price, and too large for the account


@attrs.frozen
class News:
    """The news of a remote task."""

    status: TaskStatus  # in terms of v1
    steps: Sequence[Step] = ()  # those that were not reported before
    cents: Decimal | None = None  # its cost so far
    live_url: str | None = attrs.field(default=None, repr=False)
    reason: str = ""  # why it failed, in the service's words


@attrs.frozen
class Results:
    """The results of a remote task."""

    output: str | None = None
    files: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    recordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    cents: Decimal | None = None  # its whole cost


def page_url(value: Any) -> str | None:
    """An address of the service that a person may open, or None."""
    try:
        is_page = isinstance(value, str) and URL(value).scheme in {"http", "https"}
    except ValueError:
        return None
    return value if is_page else None


def cents_of(*amounts: Any) -> Decimal | None:
    """The sum of amounts in US dollars, in cents; None if the first one is missing."""
    found = [_amount(each) for each in amounts]
    if not found or found[0] is None:
        return None
    return sum((each for each in found if each is not None), Decimal(0)) * 100


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(str(value)) if value is not None else None
    except InvalidOperation:
        return None
    if amount is None or not amount.is_finite() or not 0 <= amount <= _MOST_DOLLARS:
        return None
    return amount


def file_name(path: str, taken: Mapping[str, bytes]) -> str:
    """A name of its own for a file of the service, without folders."""
    name = PurePosixPath(path.replace("\\", "/")).name or "file"
    name = "".join(each for each in name if each.isprintable())[-_LONGEST_NAME:] or "file"
    stem, dot, suffix = name.rpartition(".")
    number = 2
    while name in taken:
        name = f"{stem}-{number}.{suffix}" if dot else f"{suffix}-{number}"
        number += 1
    return name


async def fetch_files(
    client: CloudClient, links: AsyncIterator[tuple[str, Any]]
) -> dict[str, bytes]:
    """The files behind named links, except those that cannot be fetched or are too large."""
    files = dict[str, bytes]()
    size = 0
    async for path, url in links:
        content = await client.fetch(url) if page_url(url) else None
        if content is None or size + len(content) > MAX_REMOTE_FILE:
            _logger.warning("the file %r of a remote task is not kept", path)
            continue
        size += len(content)
        files[file_name(path, files)] = content
    return files
