"""The iterator over tasks that users see."""

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import TypeVar

from browser_use_async.api.limits import MAX_TASK_PAGE
from browser_use_async.errors import InvalidRequestError
from browser_use_async.paging.compensation import KIND
from browser_use_async.paging.reading import read_pages
from browser_use_async.paging.task_reader import MORE, Options, TaskReader
from browser_use_async.paging.tokens import parse
from browser_use_async.types import TaskPage, TaskStatus, TaskSummary

__all__ = ["PageIterator"]

MAX_PREFETCH = 8
Fetch = Callable[[int, int], Awaitable[TaskPage]]
OptionT = TypeVar("OptionT")


class PageIterator:
    """What `session.iterate_all_tasks` gives: `async for` rows, or `.pages()` of rows.

    Each loop reads anew. Reading is free.

    Raises:
        InvalidRequestError: An option is out of bounds, or the token belongs elsewhere.
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
        if created_after is not None and created_after.tzinfo is None:
            raise InvalidRequestError(
                "created_after has no time zone; pass datetime.now(UTC) or the like",
                field="created_after",
            )
        if isinstance(statuses, str):
            statuses = {statuses}
        wanted = None if statuses is None else frozenset(map(TaskStatus, statuses))
        self._fetch = fetch
        self._start = None if resume is None else parse(resume, KIND, MORE)
        if self._start is not None:
            more, page_size = self._start.more, self._start.page_size
            names = more["statuses"]
            told = None if names is None else frozenset(map(TaskStatus, names.splitlines()))
            wanted = _agreed("statuses", wanted, told)
            created_after = _agreed("created_after", created_after, more["created_after"])
        self._options = Options(wanted, created_after, page_size, prefetch)
        self._reader = TaskReader(self._options, self._start)

    @property
    def resume_token(self) -> str | None:
        """A text with which `session.iterate_all_tasks(resume=...)` goes on, in any process.

        It stands for the last row or page that was given, by the loop that began last, and also
        after an error. None before anything was read. It holds no task and no secret: dates,
        counts, and digests of the few ids that no date tells from those to come: those of the
        same microsecond as the last one.

        It stays below 400 characters however many tasks share that microsecond. Where there is no
        room for all of them, it holds the last ones, and the next process reads the tasks of that
        date again to find the place. That is exact as long as the service lists them in the same
        order as before, whatever is created above or disappears meanwhile. If they come in another
        order, or nearly all of the last ones have disappeared, all tasks of that date are given
        again: some twice, none missed.

        Without readable dates, or where these are out of order, it holds all ids and grows by
        about 13 characters per task.
        """
        return self._reader.token

    async def __aiter__(self) -> AsyncGenerator[TaskSummary, None]:
        """Give each task that existed throughout exactly once, newest first."""
        reader = self._reader = TaskReader(self._options, self._start)
        async with contextlib.aclosing(self._read(reader)) as pages:
            async for rows in pages:
                for row in rows:
                    del reader.untold[0]
                    yield row

    async def pages(self) -> AsyncGenerator[list[TaskSummary], None]:
        """Give the same rows page by page; a page whose rows are all left out is not given."""
        reader = self._reader = TaskReader(self._options, self._start)
        async with contextlib.aclosing(self._read(reader)) as pages:
            async for rows in pages:
                reader.untold.clear()
                yield list(rows)

    def _read(self, reader: TaskReader) -> AsyncGenerator[Sequence[TaskSummary], None]:
        size = self._options.page_size
        return read_pages(
            lambda page: self._fetch(page, size), reader, ahead=self._options.prefetch > 0
        )


def _agreed(field: str, given: OptionT | None, told: OptionT | None) -> OptionT | None:
    """What the token says; the caller need not say it again, and must not say something else."""
    if given is not None and given != told:
        raise InvalidRequestError(
            f"{field} differs from that of the resume token; leave it out", field=field
        )
    return told
