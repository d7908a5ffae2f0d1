"""A newest-first list that changes between two reads: pure, and read through `PageIterator`."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import attrs

from browser_use_async.types import TaskPage, TaskStatus, TaskSummary

__all__ = ["Churn", "ChurningList", "naive_ids", "row"]

EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


def row(number: int, status: str = "running") -> TaskSummary:
    """The task with this number; later numbers are younger."""
    return TaskSummary(str(number), "x", TaskStatus(status), EPOCH + timedelta(seconds=number))


@attrs.frozen
class Churn:
    """The changes between two reads.

    Attributes:
        births: How many tasks are created.
        deletions: Which ones disappear, as fractions of the list from the top.
    """

    births: int = 0
    deletions: tuple[float, ...] = ()


@attrs.define
class ChurningList:
    """The list.

    Attributes:
        rows: The tasks, newest first.
        churn: The changes before the second read, the third one, and so on; then none.
        limit: The largest page that the server gives.
        echo: Whether the server answers with the size that it really used.
        reads: How many reads there were.
        original: The ids that existed when reading began.
        deleted: The ids that disappeared.
    """

    rows: list[TaskSummary]
    churn: list[Churn] = attrs.field(factory=list)
    limit: int = 100
    echo: bool = True
    reads: int = 0
    original: list[str] = attrs.field(init=False)
    deleted: set[str] = attrs.field(factory=set)
    next_number: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.original = [each.id for each in self.rows]
        self.next_number = len(self.rows)

    @classmethod
    def of(cls, count: int, churn: Iterable[Churn] = (), **more: object) -> "ChurningList":
        """A list of this many tasks."""
        return cls([row(number) for number in reversed(range(count))], list(churn), **more)  # type: ignore[arg-type]

    @property
    def constant(self) -> list[str]:
        """The ids that existed throughout, newest first."""
        return [each for each in self.original if each not in self.deleted]

    @property
    def events(self) -> int:
        """How many births and deletions were prepared."""
        return sum(each.births + len(each.deletions) for each in self.churn)

    async def fetch(self, page: int, limit: int) -> TaskPage:
        """Read a page, as `session.tasks.list` does."""
        if 0 < self.reads <= len(self.churn):
            self._change(self.churn[self.reads - 1])
        self.reads += 1
        size = min(limit, self.limit)
        rows = self.rows[(page - 1) * size : page * size]
        echoed = size if self.echo else limit
        pages = -(-len(self.rows) // size)
        return TaskPage(list(rows), pages, page, echoed, len(self.rows))

    def _change(self, churn: Churn) -> None:
        for fraction in churn.deletions:
            if self.rows:
                gone = self.rows.pop(int(fraction * (len(self.rows) - 1)))
                self.deleted.add(gone.id)
        for _ in range(churn.births):
            self.rows.insert(0, row(self.next_number))
            self.next_number += 1


async def naive_ids(fetch: Callable[..., object], page_size: int) -> list[str]:
    """The ids from a reader that only drops known ids: page 1, 2, 3 to the end."""
    seen: dict[str, None] = {}
    page = 1
    while True:
        got: TaskPage = await fetch(page, page_size)  # type: ignore[misc]
        seen.update(dict.fromkeys(each.id for each in got.tasks))
        if page >= got.total_pages:
            return list(seen)
        page += 1
