"""The iterators over tasks, schedules and profiles that users see."""

import contextlib
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from types import UnionType
from typing import Generic, TypeVar, cast

import attrs

from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.errors import InvalidRequestError
from browser_use_async.paging.cursor import FIELDS, KIND, NewestFirstCursor, UnorderedCursor
from browser_use_async.paging.prefetch import PageReader, PageRequest, ParallelReader, read_pages
from browser_use_async.paging.tokens import ResumePoint, decode, encode
from browser_use_async.types import TaskPage, TaskStatus, TaskSummary

MAX_PREFETCH = 8  # pages
Fetch = Callable[[int, int], Awaitable[TaskPage]]
OptionT = TypeVar("OptionT")
PageT = TypeVar("PageT")
RowT = TypeVar("RowT")
# What a resume token of the task list holds besides the fields that all lists share
_TASK_FIELDS: Mapping[str, type | UnionType] = {
    "frontier": datetime | None,
    "ceiling": datetime | None,
    "ordered": bool,
    "statuses": str | None,
    "created_after": datetime | None,
}


@attrs.frozen
class _Options:
    """What the caller asked for."""

    statuses: Collection[TaskStatus] | None  # only tasks in these statuses, or None for all
    created_after: datetime | None  # only tasks created at this time or later
    page_size: int  # rows on a page
    prefetch: int  # pages that are read ahead

    def matches(self, row: TaskSummary) -> bool:
        """Whether to yield a row."""
        if self.statuses is not None and row.status not in self.statuses:
            return False
        return self.created_after is None or (
            row.created_at is not None and row.created_at >= self.created_after
        )

    def ends_with(self, page: TaskPage) -> bool:
        """Whether all rows after a page are older than the caller asked for."""
        if self.created_after is None or not page.tasks:
            return False
        # The last row is the oldest, as long as the list is newest first.
        oldest = page.tasks[-1].created_at
        return oldest is not None and oldest < self.created_after


class _TaskReader:
    """One reading of the task list, from its start or from a token."""

    def __init__(self, options: _Options, start: ResumePoint | None) -> None:
        self.pending: list[str] = []  # ids of rows that were read and not yielded yet
        self._options = options
        self._has_begun = start is not None
        self._cursor = (
            NewestFirstCursor(options.page_size)
            if start is None
            else NewestFirstCursor.resumed(start)
        )
        self._parallel: ParallelReader | None = None
        self._depth = options.prefetch  # requests in flight; 1 after a deletion
        self._number = 0

    @property
    def token(self) -> str | None:
        """The text with which another process can continue, or None at the very start."""
        if not self._has_begun:
            return None
        point = self._cursor.resume_point(self._options.page_size, self.pending)
        statuses, after = self._options.statuses, self._options.created_after
        filters = {
            "statuses": None if statuses is None else "\n".join(sorted(map(str, statuses))),
            "created_after": after,
        }
        return encode(attrs.evolve(point, more={**point.more, **filters}))

    def requests(self) -> Sequence[PageRequest]:
        """The requests to have in flight, in the order of processing; none at the end."""
        if self._cursor.page is None:
            return ()
        if self._parallel is not None:
            return self._parallel.requests()
        return (PageRequest(self._number, self._cursor.page),)

    def feed(self, page: TaskPage) -> Sequence[TaskSummary]:
        """Process the answer to the first of `requests()`, and return the rows to yield."""
        self._has_begun = True
        if self._parallel is None:
            # Counts down: `ParallelReader` numbers its requests upwards, so none is taken for
            # another.
            self._number -= 1
            rows = self._cursor.feed(page.tasks, page.total_count, page.limit)
        else:
            rows = self._parallel.feed(page)
        self._choose_mode(page)
        matching = [row for row in rows if self._options.matches(row)]
        self.pending = [row.id for row in matching]
        return matching

    def _choose_mode(self, page: TaskPage) -> None:
        """Decide whether to continue after a page, and with how many requests in flight."""
        # A page that the parallel reader put back waits for rows above it, so it ends nothing.
        was_fed = self._cursor.last_rows is page.tasks
        if was_fed and not self._cursor.gap and self._options.ends_with(page):
            self._cursor.page = None
        if self._parallel is None:
            self._parallel = ParallelReader.following(self._cursor, self._depth)
        # For good, since each failure wastes the requests in flight.
        elif self._parallel.failed:
            self._parallel, self._depth = None, 1


class _Iterator(Generic[PageT, RowT]):
    """What the iterators share: each loop starts a new reading, whose pages they give."""

    def __init__(
        self,
        fetch: Callable[[int, int], Awaitable[PageT]],
        new_reader: Callable[[], PageReader[PageT, RowT]],
        page_size: int,
        prefetch: int,
    ) -> None:
        self._fetch = fetch
        self._new_reader = new_reader
        self._size = page_size
        # How many requests that are is up to the reader, which may go back to one.
        self._is_ahead = prefetch > 0
        # Until a loop starts, `resume_token` marks where this process was resumed.
        self._reader = new_reader()

    async def __aiter__(self) -> AsyncGenerator[RowT, None]:
        """Yield each row that existed throughout exactly once, in the order of the list."""
        reader = self._reader = self._new_reader()
        async with contextlib.aclosing(self._read(reader)) as pages:
            async for rows in pages:
                for row in rows:
                    # First, so that a token read in the loop body includes it.
                    del reader.pending[0]
                    yield row

    async def pages(self) -> AsyncGenerator[list[RowT], None]:
        """Yield the same rows page by page; a page without rows to yield is left out."""
        reader = self._reader = self._new_reader()
        async with contextlib.aclosing(self._read(reader)) as pages:
            async for rows in pages:
                reader.pending.clear()
                yield list(rows)

    def _read(self, reader: PageReader[PageT, RowT]) -> AsyncGenerator[Sequence[RowT], None]:
        return read_pages(lambda page: self._fetch(page, self._size), reader, ahead=self._is_ahead)


class PageIterator(_Iterator[TaskPage, TaskSummary]):
    """Async iterator over tasks, newest first, from `session.iterate_all_tasks`; or its `.pages()`.

    Each loop starts a new reading. Reading costs nothing.

    Raises:
        InvalidRequestError: An option is out of bounds, or the token belongs to another list.
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        statuses: Collection[TaskStatus | str] | None = None,
        created_after: datetime | None = None,
        page_size: int = MAX_TASK_PAGE,
        prefetch: int = 1,
        resume: str | None = None,
    ) -> None:
        if page_size not in range(1, MAX_TASK_PAGE + 1):
            raise InvalidRequestError(
                f"page_size must be 1 to {MAX_TASK_PAGE}, not {page_size!r}", field="page_size"
            )
        if prefetch not in range(MAX_PREFETCH + 1):
            raise InvalidRequestError(
                f"prefetch must be 0 to {MAX_PREFETCH}, not {prefetch!r}", field="prefetch"
            )
        given = cast(object, created_after)  # programs without a type checker pass anything
        if not isinstance(given, datetime | None):
            raise InvalidRequestError(
                f"created_after must be a datetime with a time zone, not {type(given).__name__}",
                field="created_after",
            )
        if created_after is not None and created_after.tzinfo is None:
            raise InvalidRequestError(
                "created_after has no time zone; pass datetime.now(UTC) or the like",
                field="created_after",
            )
        # A single status is a string, and so a collection of characters.
        if isinstance(statuses, str):
            statuses = {statuses}
        wanted = None if statuses is None else frozenset(map(_known_status, statuses))
        start = None if resume is None else decode(resume, KIND, _TASK_FIELDS)
        if start is not None:
            more, page_size = start.more, start.page_size
            names = more["statuses"]
            resumed = None if names is None else frozenset(map(TaskStatus, names.splitlines()))
            wanted = _resumed("statuses", wanted, resumed)
            created_after = _resumed("created_after", created_after, more["created_after"])
        self._options = options = _Options(wanted, created_after, page_size, prefetch)
        super().__init__(fetch, lambda: _TaskReader(options, start), page_size, prefetch)

    def __repr__(self) -> str:
        options = getattr(self, "_options", None)
        if options is None:  # while __init__ raises
            return "<PageIterator of tasks>"
        statuses = f", {' or '.join(sorted(options.statuses))}" if options.statuses else ""
        since = f", since {options.created_after:%Y-%m-%d %H:%M}" if options.created_after else ""
        return f"<PageIterator of tasks{statuses}{since}, {options.page_size} on a page>"

    @property
    def resume_token(self) -> str | None:
        """A text with which `session.iterate_all_tasks(resume=...)` continues, in any process.

        It marks the last row or page that was yielded by the loop that started last, also after an
        error. None before anything was read. It holds no task and no secret: dates, counts, and
        digests of the few ids that no date decides, those of the same microsecond as the last one.

        It stays below 400 characters however many tasks share that microsecond. Where there is no
        room for all of them, it holds the last ones, and the next process reads the tasks of that
        date again to find the position. That is exact as long as the service lists them in the same
        order as before, whatever is created above or deleted meanwhile. If their order changes, or
        nearly all of the last ones are deleted, all tasks of that date are yielded again: some
        twice, none missed.

        Without readable dates, or where these are out of order, it holds a digest of every id and
        grows by about 13 characters per task.
        """
        return self._reader.token


@attrs.frozen
class Rows(Generic[RowT]):
    """One page of a list, whatever the API calls its rows."""

    rows: Sequence[RowT]
    total_count: int  # how many there are on all pages


class _ListReader(Generic[RowT]):
    """One reading of a list of unknown order, from its start or from a token."""

    def __init__(
        self, kind: str, key: Callable[[RowT], str], page_size: int, start: ResumePoint | None
    ) -> None:
        self.pending: list[str] = []  # ids of rows that were read and not yielded yet
        self._kind = kind
        self._key = key
        self._has_begun = start is not None
        self._cursor = UnorderedCursor(key, page_size, start)
        self._number = 0

    @property
    def token(self) -> str | None:
        """The text with which another process can continue, or None at the very start."""
        return (
            encode(self._cursor.resume_point(self._kind, self.pending)) if self._has_begun else None
        )

    def requests(self) -> Sequence[PageRequest]:
        """The page to read, or none at the end."""
        page = self._cursor.page
        return () if page is None else (PageRequest(self._number, page),)

    def feed(self, page: Rows[RowT]) -> Sequence[RowT]:
        """Process a page, and return the rows to yield."""
        self._has_begun = True
        self._number += 1
        rows = self._cursor.feed(page.rows, page.total_count)
        self.pending = [self._key(row) for row in rows]
        return rows


class ListIterator(_Iterator[Rows[RowT], RowT]):
    """Async iterator over schedules or profiles; `.pages()` iterates over pages.

    Returned by `session.iterate_all_scheduled_tasks` and `session.iterate_all_browser_profiles`.
    Each loop starts a new reading. Reading costs nothing.

    Raises:
        InvalidRequestError: An option is out of bounds, or the token belongs to another list.
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
        start = None if resume is None else decode(resume, kind, FIELDS)
        self._kind = kind
        self._page_size = size = page_size if start is None else start.page_size
        super().__init__(fetch, lambda: _ListReader(kind, key, size, start), size, prefetch)

    def __repr__(self) -> str:
        size = getattr(self, "_page_size", None)  # not there yet while __init__ raises
        return f"<ListIterator of {self._kind}, {size} on a page>" if size else "<ListIterator>"

    @property
    def resume_token(self) -> str | None:
        """A text with which the same `session.iterate_all_...(resume=...)` continues, anywhere.

        It marks the last row or page that was yielded by the loop that started last, also after an
        error. None before anything was read. Continuing is as exact as a loop that was only slow.
        These lists carry no dates that could separate what was yielded from the rest, so the token
        holds a digest of each id, and grows by about 13 characters per row.
        """
        return self._reader.token


# What other services call the statuses
_SYNONYMS = {
    "created": ("pending", "queued", "new", "waiting"),
    "running": ("active", "started", "in progress", "working"),
    "finished": ("done", "completed", "complete", "success", "succeeded", "ok", "ended"),
    "failed": ("error", "errored", "failure"),
    "stopped": ("cancelled", "canceled", "aborted", "killed"),
    "paused": ("suspended", "on hold"),
}


def _known_status(status: object) -> TaskStatus:
    """A status to look for; a plain text that no task ever has would only find nothing."""
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


def _resumed(field: str, given: OptionT | None, resumed: OptionT | None) -> OptionT | None:
    """The option of the token, which the caller may repeat and must not contradict."""
    if given is not None and given != resumed:
        raise InvalidRequestError(
            f"{field} differs from that of the resume token; leave it out", field=field
        )
    return resumed
