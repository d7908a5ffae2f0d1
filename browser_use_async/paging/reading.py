"""Reading pages ahead of the caller, as many at once as a reader asks for."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from typing import Protocol, TypeVar

import attrs

__all__ = ["Reader", "Request", "read_pages"]

PageT = TypeVar("PageT")
PageT_contra = TypeVar("PageT_contra", contravariant=True)
RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)


@attrs.frozen
class Request:
    """One reading of one page."""

    number: int  # tells it from other readings of the same page
    page: int


class Reader(Protocol[PageT_contra, RowT_co]):
    """What decides which pages are read."""

    def requests(self) -> Sequence[Request]:
        """The readings to have under way, in the order to be taken in; none at the end."""
        ...

    def take(self, page: PageT_contra) -> Sequence[RowT_co]:
        """Take in what the first of `requests()` brought, and tell which rows to give."""
        ...


async def read_pages(
    fetch: Callable[[int], Awaitable[PageT]], reader: Reader[PageT, RowT], *, ahead: bool
) -> AsyncGenerator[Sequence[RowT], None]:
    """Give the rows of each page; a page of which nothing is to be given is left out."""
    under_way: dict[Request, asyncio.Future[PageT]] = {}
    try:
        while requests := reader.requests():
            await _bring_about(fetch, requests, under_way)
            rows = reader.take(await under_way[requests[0]])
            if ahead:
                await _bring_about(fetch, reader.requests(), under_way)
            if rows:
                yield rows
    finally:
        await _end(under_way.values())


async def _bring_about(
    fetch: Callable[[int], Awaitable[PageT]],
    requests: Sequence[Request],
    under_way: dict[Request, asyncio.Future[PageT]],
) -> None:
    """Send what is asked for and not under way, and end what nobody asks for any more."""
    dropped = [under_way.pop(each) for each in tuple(under_way) if each not in requests]
    for each in requests:
        if each not in under_way:
            under_way[each] = asyncio.ensure_future(fetch(each.page))
    await _end(dropped)


async def _end(futures: Collection[asyncio.Future[PageT]]) -> None:
    for each in futures:
        each.cancel()
    if futures:
        await asyncio.gather(*futures, return_exceptions=True)
