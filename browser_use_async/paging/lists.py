"""The iterator over schedules and profiles that users see."""

import contextlib
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import attrs

from browser_use_async.errors import InvalidRequestError
from browser_use_async.paging.reading import Request, read_pages
from browser_use_async.paging.tokens import ResumePoint, parse, write
from browser_use_async.paging.undirected import MORE, UndirectedReader

__all__ = ["ListIterator", "Rows"]

RowT = TypeVar("RowT")


@attrs.frozen
class Rows(Generic[RowT]):
    """One page of a list, whatever the API calls its rows."""

    rows: Sequence[RowT]
    total_count: int  # how many there are on all pages


class _ListReader(Generic[RowT]):
    """The state of one reading."""

    def __init__(
        self, kind: str, key: Callable[[RowT], str], page_size: int, start: ResumePoint | None
    ) -> None:
        self.untold: list[str] = []
        self._kind = kind
        self._key = key
        self._has_begun = start is not None
        self._reader = UndirectedReader(key, page_size, start)
        self._number = 0

    @property
    def token(self) -> str | None:
        """The text with which another process goes on, or None at the very start."""
        return write(self._reader.point(self._kind, self.untold)) if self._has_begun else None

    def requests(self) -> Sequence[Request]:
        """The page to read, or none at the end."""
        page = self._reader.page
        return () if page is None else (Request(self._number, page),)

    def take(self, page: Rows[RowT]) -> Sequence[RowT]:
        """Take in what the page brought, and tell which rows to give."""
        self._has_begun = True
        self._number += 1
        rows = self._reader.feed(page.rows, page.total_count)
        self.untold = [self._key(row) for row in rows]
        return rows


class ListIterator(Generic[RowT]):
    """What `session.iterate_all_scheduled_tasks` and its like give: `async for`, or `.pages()`.

    Each loop reads anew. Reading is free.

    Raises:
        InvalidRequestError: An option is out of bounds, or the token belongs elsewhere.
    """

    def __init__(
        self,
        fetch: Callable[[int, int], Awaitable[Rows[RowT]]],
        key: Callable[[RowT], str],
        *,
        kind: str,
        page_size: int,
        prefetch: int,
        resume: str | None = None,
    ) -> None:
        if page_size not in range(1, sys.maxsize):
            raise InvalidRequestError(
                f"page_size must be 1 or more, not {page_size!r}", field="page_size"
            )
        if prefetch not in {0, 1}:
            raise InvalidRequestError(
                f"prefetch must be 0 or 1, not {prefetch!r}", field="prefetch"
            )
        self._start = None if resume is None else parse(resume, kind, MORE)
        self._fetch = fetch
        self._key = key
        self._kind = kind
        self._page_size = page_size if self._start is None else self._start.page_size
        self._prefetch = prefetch
        self._reader = self._new_reader()

    @property
    def resume_token(self) -> str | None:
        """A text with which the same `session.iterate_all_...(resume=...)` goes on, anywhere.

        It stands for the last row or page that was given, by the loop that began last, and also
        after an error. None before anything was read. It goes on as exactly as a loop that was
        only slow. Since these lists carry no dates by which to tell what was given, it holds a
        digest of each id, and so grows by about 13 characters per row.
        """
        return self._reader.token

    async def __aiter__(self) -> AsyncGenerator[RowT, None]:
        """Give each row that existed throughout exactly once, in the order of the service."""
        reader = self._reader = self._new_reader()
        async with contextlib.aclosing(self._read(reader)) as pages:
            async for rows in pages:
                for row in rows:
                    del reader.untold[0]
                    yield row

    async def pages(self) -> AsyncGenerator[list[RowT], None]:
        """Give the same rows page by page; a page without news is not given."""
        reader = self._reader = self._new_reader()
        async with contextlib.aclosing(self._read(reader)) as pages:
            async for rows in pages:
                reader.untold.clear()
                yield list(rows)

    def _new_reader(self) -> _ListReader[RowT]:
        return _ListReader(self._kind, self._key, self._page_size, self._start)

    def _read(self, reader: _ListReader[RowT]) -> AsyncGenerator[Sequence[RowT], None]:
        return read_pages(
            lambda page: self._fetch(page, self._page_size), reader, ahead=self._prefetch > 0
        )
