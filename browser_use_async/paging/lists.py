"""The iterator over schedules and profiles that users see."""

import contextlib
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

import attrs

from browser_use_async.errors import InvalidRequestError
from browser_use_async.paging.reading import read_pages
from browser_use_async.paging.undirected import UndirectedReader

__all__ = ["ListIterator", "Rows"]

RowT = TypeVar("RowT")


@attrs.frozen
class Rows(Generic[RowT]):
    """One page of a list, whatever the API calls its rows.

    Attributes:
        rows: The rows.
        total_count: How many there are on all pages.
    """

    rows: Sequence[RowT]
    total_count: int


class ListIterator(Generic[RowT]):
    """What `session.iterate_all_scheduled_tasks` and its like give: `async for`, or `.pages()`.

    Each loop reads anew. Reading is free.

    Args:
        fetch: Reads one page: its number, and rows on a page.
        key: Tells rows apart.
        page_size: Rows on a page, 1 or more.
        prefetch: Pages that are read ahead while the caller works: 0 or 1.

    Raises:
        InvalidRequestError: An option is out of bounds.
    """

    def __init__(
        self,
        fetch: Callable[[int, int], Awaitable[Rows[RowT]]],
        key: Callable[[RowT], Hashable],
        *,
        page_size: int,
        prefetch: int,
    ) -> None:
        if page_size not in range(1, sys.maxsize):
            raise InvalidRequestError(
                f"page_size must be 1 or more, not {page_size!r}", field="page_size"
            )
        if prefetch not in {0, 1}:
            raise InvalidRequestError(
                f"prefetch must be 0 or 1, not {prefetch!r}", field="prefetch"
            )
        self._fetch = fetch
        self._key = key
        self._page_size = page_size
        self._prefetch = prefetch

    async def __aiter__(self) -> AsyncGenerator[RowT, None]:
        """Give each row that existed throughout exactly once, in the order of the service."""
        async with contextlib.aclosing(self.pages()) as pages:
            async for rows in pages:
                for row in rows:
                    yield row

    def pages(self) -> AsyncGenerator[list[RowT], None]:
        """Give the same rows page by page; a page without news is not given."""
        reader = UndirectedReader(self._key, self._page_size)

        def take(page: Rows[RowT]) -> tuple[list[RowT], int | None]:
            return reader.feed(page.rows, page.total_count), reader.page

        return read_pages(
            lambda page: self._fetch(page, self._page_size), take, prefetch=self._prefetch
        )
