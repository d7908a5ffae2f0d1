"""A changing list that answers in any order, and the result of a reader."""

import asyncio
import random
from collections import Counter

from browser_use_async.paging import PageIterator
from browser_use_async.types import TaskPage
from tests.paging.simulation import Churn, ChurningList

__all__ = ["ParallelServer", "check", "drawn_list", "read", "read_with_resumes"]


class ParallelServer:
    """Answers reads in a random order; the list changes between any two of them.

    Args:
        tasks: The list.
        draw: The source of chance.
    """

    def __init__(self, tasks: ChurningList, draw: random.Random) -> None:
        self.tasks = tasks
        self.in_flight = self.most = 0
        self._draw = draw

    async def fetch(self, page: int, limit: int) -> TaskPage:
        """Read a page some time after the request, and return it some time later."""
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            for _ in range(self._draw.randrange(6)):
                await asyncio.sleep(0)
            got = await self.tasks.fetch(page, limit)
            for _ in range(self._draw.randrange(6)):
                await asyncio.sleep(0)
            return got
        finally:
            self.in_flight -= 1


def drawn_list(draw: random.Random, *, deletions: bool) -> tuple[ChurningList, int]:
    """A list with random changes, and a page size for it.

    Args:
        draw: The source of chance.
        deletions: Whether tasks disappear, too; half of them hidden by as many births.
    """
    size = draw.randrange(1, 12)
    count = draw.randrange(size * 25)
    churn = []
    for _ in range(draw.randrange(30)):
        gone = draw.choice((0, 0, 1, draw.randrange(6))) if deletions else 0
        born = gone if draw.random() < 0.5 else draw.choice((0, 0, 1, draw.randrange(12)))
        churn.append(Churn(born, tuple(draw.random() for _ in range(gone))))
    return ChurningList.of(count, churn, limit=draw.choice((100, 100, 7))), size


def check(tasks: ChurningList, ids: list[str]) -> None:
    """Each task that existed throughout is there exactly once, and none that was created later."""
    twice = [each for each, count in Counter(ids).items() if count > 1]
    assert not twice, f"given twice: {twice}"
    missed = set(tasks.constant) - set(ids)
    assert not missed, f"missed: {sorted(missed)}"
    assert set(ids) <= set(tasks.original), "a task was given that was born later"


async def read(server: ParallelServer, size: int, depth: int) -> list[str]:
    """Read everything; a reader without an end fails here.

    Args:
        server: What answers.
        size: Rows on a page.
        depth: Pages that are read ahead.
    """
    tasks, ids = server.tasks, list[str]()
    async for each in PageIterator(server.fetch, page_size=size, prefetch=depth):
        ids.append(each.id)
        pages = len(tasks.original) // min(size, tasks.limit) + 1
        assert tasks.reads <= 4 * pages + 3 * tasks.events + 10 + depth
    assert server.in_flight == 0
    return ids


async def read_with_resumes(
    server: ParallelServer, size: int, depth: int, stops: list[int], *, by_pages: bool = False
) -> tuple[list[str], int]:
    """Read in several processes, each of which has only a token.

    Args:
        server: What answers.
        size: Rows on a page.
        depth: Pages that are read ahead.
        stops: After how many rows (or pages) each process stops; the last one reads to the end.
        by_pages: Whether to read `.pages()`.

    Returns:
        The ids, and the length of the longest token.
    """
    token: str | None = None
    ids, longest = list[str](), 0
    for stop in [*stops, None]:
        iterator = PageIterator(server.fetch, page_size=size, prefetch=depth, resume=token)
        units = iterator.pages() if by_pages else aiter(iterator)
        taken = 0
        while stop is None or taken < stop:
            try:
                unit = await anext(units)
            except StopAsyncIteration:
                break
            ids += [each.id for each in (unit if isinstance(unit, list) else [unit])]
            taken += 1
        token = iterator.resume_token
        await units.aclose()
        assert iterator.resume_token == token
        longest = max(longest, len(token or ""))
    return ids, longest
