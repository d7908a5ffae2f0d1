"""Reading page after page, one of them ahead of the caller."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

__all__ = ["read_pages"]

PageT = TypeVar("PageT")
RowT = TypeVar("RowT")


async def read_pages(
    fetch: Callable[[int], Awaitable[PageT]],
    take: Callable[[PageT], tuple[list[RowT], int | None]],
    *,
    prefetch: int,
) -> AsyncGenerator[list[RowT], None]:
    """Give the rows of each page; a page of which nothing is to be given is left out.

    Args:
        fetch: Reads a page by its number.
        take: Tells which rows of a page to give, and which page is next, or None at the end.
        prefetch: Pages that are read ahead while the caller works: 0 or 1.
    """
    following: int | None = 1
    ahead: asyncio.Future[PageT] | None = None
    try:
        while following is not None:
            if ahead is None:
                ahead = asyncio.ensure_future(fetch(following))
            page = await ahead
            rows, following = take(page)
            ahead = None
            if prefetch and following is not None:
                ahead = asyncio.ensure_future(fetch(following))
            if rows:
                yield rows
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
