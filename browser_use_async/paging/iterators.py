"""The public iterators over tasks, schedules and profiles."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.errors import InvalidRequestError
from browser_use_async.paging.page_reader import PageReader
from browser_use_async.paging.positions import PageRequest
from browser_use_async.paging.tokens import ResumePoint, decode, encode
from browser_use_async.types import TaskPage, TaskStatus, TaskSummary

MAX_PREFETCH = 8  # pages
PageT = TypeVar("PageT")
RowT = TypeVar("RowT")
# The call of one page, by its number and size
ListPage = Callable[..., Coroutine[Any, Any, PageT]]


class _Iterator(Generic[RowT]):
    """The base of the iterators: each loop starts a new reading."""

    def __init__(
        self,
        list_page: ListPage[PageT],
        rows_of: Callable[[PageT], Sequence[RowT]],
        new_reader: Callable[[], PageReader[RowT]],
        *,
        page_size: int,
        is_ahead: bool,
    ) -> None:
        self._list_page: ListPage[Any] = list_page
        self._rows_of: Callable[[Any], Sequence[RowT]] = rows_of
        self._new_reader = new_reader
        self._page_size, self._is_ahead = page_size, is_ahead
        # Until a loop starts, the resume token is the place at which this process was resumed.
        self._reader = new_reader()

    def _matches(self, row: RowT) -> bool:
        """Whether a row passes the filters."""
        return True

    async def __aiter__(self) -> AsyncGenerator[RowT, None]:
        """Yield each row that existed the whole time exactly once, in the order of the list."""
        reader = self._reader = self._new_reader()
        async with contextlib.aclosing(self._pages(reader)) as pages:
            async for rows in pages:
                for row in rows:
                    # First, so that a token that is read in the loop body includes the row.
                    reader.commit()
                    if self._matches(row):
                        yield row

    async def pages(self) -> AsyncGenerator[list[RowT], None]:
        """Yield the same rows page by page; a page without rows to yield is left out."""
        reader = self._reader = self._new_reader()
        async with contextlib.aclosing(self._pages(reader)) as pages:
            async for rows in pages:
                for _row in rows:
                    reader.commit()
                if wanted := [row for row in rows if self._matches(row)]:
                    yield wanted

    async def _pages(self, reader: PageReader[RowT]) -> AsyncGenerator[list[RowT], None]:
        in_flight: dict[PageRequest, asyncio.Task[Any]] = {}
        try:
            while requests := reader.requests():
                await self._start_requests(requests, in_flight)
                page = await in_flight[requests[0]]
                rows = reader.feed(self._rows_of(page), page.total_count, page.limit)
                # Before the rows are yielded, so that it is under way while the caller works on
                # them.
                if self._is_ahead:
                    await self._start_requests(reader.requests(), in_flight)
                if rows:
                    yield rows
        finally:
            await _cancel(in_flight.values())

    async def _start_requests(
        self, requests: Sequence[PageRequest], in_flight: dict[PageRequest, asyncio.Task[Any]]
    ) -> None:
        """Start the requests that are not in flight, and cancel those no longer wanted."""
        dropped = [in_flight.pop(each) for each in tuple(in_flight) if each not in requests]
        for request in requests:
            if request not in in_flight:
                name = f"browser-use: reads page {request.page} for {self!r}"
                page = self._list_page(page=request.page, limit=self._page_size)
                in_flight[request] = asyncio.create_task(page, name=name)
        await _cancel(dropped)


async def _cancel(requests: Collection[asyncio.Task[Any]]) -> None:
    for request in requests:
        request.cancel()
    # Awaited, so that no request outlives this reading; their errors are ignored.
    if requests:
        await asyncio.gather(*requests, return_exceptions=True)


class PageIterator(_Iterator[TaskSummary]):
    """Async iterator over tasks, newest first, from `session.iterate_all_tasks`; or its `.pages()`.

    Each loop starts a new reading. Reading costs nothing.

    Raises:
        InvalidRequestError: An option is out of bounds, or the text is no resume token.
    """

    def __init__(
        self,
        list_page: ListPage[TaskPage],
        *,
        statuses: Collection[TaskStatus | str] | None = None,
        created_after: datetime | None = None,
        page_size: int = MAX_TASK_PAGE,
        prefetch: int = 1,
        resume: str | None = None,
    ) -> None:
        _check_number("page_size", page_size, 1, MAX_TASK_PAGE)
        _check_number("prefetch", prefetch, 0, MAX_PREFETCH)
        _check_date(created_after)
        # A single status is a string, and so a collection of characters.
        if isinstance(statuses, str):
            statuses = {statuses}
        names = None if statuses is None else "\n".join(sorted({*map(_known_status, statuses)}))
        if resume is None:
            size = int(page_size)
            start = ResumePoint(
                page_size=size,
                served_size=size,
                statuses=names,
                created_after=created_after,
            )
        else:
            start = decode(resume)
            _refuse_other("statuses", names, start.statuses)
            _refuse_other("created_after", created_after, start.created_after)
        self._start = start
        self._statuses = None if start.statuses is None else frozenset(start.statuses.splitlines())

        def new_reader() -> PageReader[TaskSummary]:
            depth = max(prefetch, 1)
            return PageReader(lambda row: row.id, lambda row: row.created_at, start, depth=depth)

        super().__init__(
            list_page,
            lambda page: page.tasks,
            new_reader,
            page_size=start.page_size,
            is_ahead=prefetch > 0,
        )

    def _matches(self, row: TaskSummary) -> bool:
        if self._statuses is not None and row.status not in self._statuses:
            return False
        after = self._start.created_after
        return after is None or (row.created_at is not None and row.created_at >= after)

    def __repr__(self) -> str:
        if not hasattr(self, "_reader"):  # while __init__ raises
            return "<PageIterator of tasks>"
        statuses = f", {' or '.join(sorted(self._statuses))}" if self._statuses else ""
        after = self._start.created_after
        since = f", since {after:%Y-%m-%d %H:%M}" if after else ""
        return f"<PageIterator of tasks{statuses}{since}, {self._page_size} on a page>"

    @property
    def resume_token(self) -> str | None:
        """A text with which `session.iterate_all_tasks(resume=...)` continues, in any process.

        It marks the last row or page that the latest loop has yielded, also after an error; it is
        None before anything was read. A continued loop is as exact as one without a break. The text
        contains no task and no secret, but dates, counts, and digests of those ids that have the
        same microsecond as the last one.

        It has less than 300 characters, and 11 more for each other task of the last one's
        microsecond. If dates cannot be read or are out of order, it has 11 more for each task.
        """
        return encode(self._reader.resume_point()) if self._reader.has_begun else None


class ListIterator(_Iterator[RowT]):
    """Async iterator over schedules or profiles; `.pages()` iterates over pages.

    Returned by `iterate` of `session.scheduled_tasks` and `session.browser_profiles`.
    Each loop starts a new reading. Reading costs nothing.

    Raises:
        InvalidRequestError: An option is out of bounds.
    """

    def __init__(
        self,
        list_page: ListPage[PageT],
        rows_of: Callable[[PageT], Sequence[RowT]],
        key: Callable[[RowT], str],
        *,
        kind: str,
        page_size: int,
        prefetch: int,
    ) -> None:
        _check_number("page_size", page_size, 1)
        _check_number("prefetch", prefetch, 0, 1)
        self._kind = kind
        start = ResumePoint(page_size=page_size, served_size=page_size)

        def new_reader() -> PageReader[RowT]:
            return PageReader(key, lambda _row: None, start, newest_first=None)

        super().__init__(list_page, rows_of, new_reader, page_size=page_size, is_ahead=prefetch > 0)

    def __repr__(self) -> str:
        if not hasattr(self, "_reader"):  # while __init__ raises
            return "<ListIterator>"
        return f"<ListIterator of {self._kind}, {self._page_size} on a page>"


# --- options ------------------------------------------------------------------------------


# Names of the statuses at other services
_SYNONYMS = {
    "created": ("pending", "queued", "new", "waiting"),
    "running": ("active", "started", "in progress", "working"),
    "finished": ("done", "completed", "complete", "success", "succeeded", "ok", "ended"),
    "failed": ("error", "errored", "failure"),
    "stopped": ("cancelled", "canceled", "aborted", "killed"),
    "paused": ("suspended", "on hold"),
}


def _known_status(status: object) -> TaskStatus:
    """A status to look for; an unknown text is refused, since it would find nothing."""
    if isinstance(status, TaskStatus) or (isinstance(status, str) and TaskStatus(status).is_known):
        return TaskStatus(status)
    import difflib  # noqa: PLC0415 - for those who misspell

    names = {word: name for name, words in _SYNONYMS.items() for word in (name, *words)}
    text = str(status).strip().lower().replace("_", " ")
    close = difflib.get_close_matches(text, names, n=1, cutoff=0.8)
    hint = f"; did you mean {names[close[0]]!r}? It" if close else ", which"
    raise InvalidRequestError(
        f"statuses: {status!r} is no status of this version{hint} knows "
        f"{', '.join(TaskStatus)}. For one that is new, pass TaskStatus('...'); nothing was sent",
        field="statuses",
    )


def _check_number(field: str, value: object, least: int, most: int | None = None) -> None:
    if value not in range(least, sys.maxsize if most is None else most + 1):
        bounds = f"{least} or more" if most is None else f"{least} to {most}"
        raise InvalidRequestError(f"{field} must be {bounds}, not {value!r}", field=field)


def _check_date(created_after: object) -> None:
    # Programs without a type checker may pass anything.
    if not isinstance(created_after, datetime | None):
        raise InvalidRequestError(
            "created_after must be a datetime with a time zone, "
            f"not {type(created_after).__name__}",
            field="created_after",
        )
    if created_after is not None and created_after.tzinfo is None:
        raise InvalidRequestError(
            "created_after has no time zone; pass datetime.now(UTC) or the like",
            field="created_after",
        )


def _refuse_other(field: str, given: object, resumed: object) -> None:
    """Refuse an option that contradicts the token; equal options are allowed."""
    if given is not None and given != resumed:
        raise InvalidRequestError(
            f"{field} differs from that of the resume token; leave it out", field=field
        )
