"""Resuming among many tasks with one date: longer tokens, and as exact as otherwise."""

import contextlib
import random
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import pytest

from browser_use_async import errors
from browser_use_async.paging import PageIterator
from browser_use_async.types import TaskPage, TaskStatus, TaskSummary
from tests.paging.parallel import ParallelServer, check, read_with_resumes
from tests.paging.simulation import EPOCH, Churn, ChurningList, row


def _tied(draw: random.Random, count: int, churn: Collection[Churn] = ()) -> ChurningList:
    """A list with runs of tasks of one date; new ones arrive on top."""
    dates, date = list[int](), 0
    while len(dates) < count:
        dates += [date] * draw.choice((1, 1, 2, 20, 60, 150, count))
        date += 1
    rows = [
        TaskSummary(str(number), "x", TaskStatus.RUNNING, EPOCH + timedelta(seconds=dates[number]))
        for number in reversed(range(count))
    ]
    return ChurningList(rows, list(churn))


def _churn(draw: random.Random, *, deletions: bool) -> list[Churn]:
    return [
        Churn(
            draw.choice((0, 0, 1, 7)),
            tuple(draw.random() for _ in range(draw.choice((0, 0, 1, 3)) if deletions else 0)),
        )
        for _ in range(draw.randrange(40))
    ]


async def _sweep(seeds: range, depth: int) -> None:
    """Read many lists in several processes each, exactly."""
    for seed in seeds:
        draw = random.Random(seed)
        count = draw.randrange(1, 500)
        tasks = _tied(draw, count, _churn(draw, deletions=draw.random() < 0.7))
        size = draw.choice((1, 3, 10, 40, 100))
        stops = [draw.randrange(1 + count // 2) for _ in range(draw.randrange(1, 8))]

        ids, _longest = await read_with_resumes(ParallelServer(tasks, draw), size, depth, stops)

        check(tasks, ids)


@pytest.mark.long
@pytest.mark.parametrize("depth", [0, 1, 4])
async def test_exact_among_tasks_of_one_date(depth):
    """Up to 500 tasks of one date while tasks come and go: none twice, none missed."""
    await _sweep(range(60), depth)


@pytest.mark.torture
@pytest.mark.parametrize("depth", [0, 1, 4])
async def test_exact_among_many_more(depth):
    """The same for a thousand lists."""
    await _sweep(range(1000, 2000), depth)


def _one_date(count: int) -> ChurningList:
    """A list of tasks that all share a date."""
    tasks = ChurningList.of(count)
    for each in tasks.rows:
        each.created_at = EPOCH
    return tasks


async def _read_until(tasks: ChurningList, stop: int, size: int = 10) -> tuple[list[str], str]:
    """The ids of the first rows, and the token behind them."""
    iterator = PageIterator(tasks.fetch, page_size=size)
    rows = aiter(iterator)
    ids = [(await anext(rows)).id for _ in range(stop)]
    await rows.aclose()  # type: ignore[attr-defined]
    return ids, iterator.resume_token or ""


@pytest.mark.long
@pytest.mark.parametrize("count", [20, 150, 1500])
async def test_tokens_among_ties_of_any_size(count):
    """With all filters: 11 characters for each task of the last one's date, exact from there."""
    tasks = ChurningList.of(count + 21)
    for each in tasks.rows[1 : count + 1]:
        each.created_at = EPOCH + timedelta(days=9000)
    tasks.rows[0].created_at = EPOCH + timedelta(days=9001)
    options: dict[str, Any] = {"statuses": list(TaskStatus), "created_after": EPOCH}
    iterator = PageIterator(tasks.fetch, **options)
    longest, given, places = 0, list[str](), {1, 2, 15, count // 2, count, count + 3}

    async for each in iterator:
        given.append(each.id)
        token = iterator.resume_token or ""
        longest = max(longest, len(token))
        if len(given) in places:
            rest = [row.id async for row in PageIterator(tasks.fetch, resume=token)]
            assert given + rest == tasks.original

    assert longest < 300 + 11 * count


@pytest.mark.parametrize("births", [0, 3, 400])
@pytest.mark.parametrize("deaths", [0, 1, 60, 120])
async def test_many_changes_between_two_processes(births, deaths):
    """The place among tasks of one date is found wherever it is then."""
    tasks = _one_date(300)
    ids, token = await _read_until(tasks, 150)
    draw = random.Random(births + deaths)
    for gone in draw.sample(tasks.rows, deaths):
        tasks.rows.remove(gone)
        tasks.deleted.add(gone.id)
    tasks.rows[:0] = [row(number) for number in reversed(range(1000, 1000 + births))]

    ids += [each.id async for each in PageIterator(tasks.fetch, resume=token)]

    check(tasks, ids)


@pytest.mark.parametrize("change", ["the last ones deleted", "all deleted", "reversed", "shuffled"])
async def test_other_tasks_where_the_last_ones_were(change):
    """The order of tasks of one date is not specified, and a token does not depend on it."""
    tasks = _one_date(300)
    ids, token = await _read_until(tasks, 150)
    if change.endswith("deleted"):
        first = 0 if change.startswith("all") else 140
        tasks.deleted.update(each.id for each in tasks.rows[first:150])
        del tasks.rows[first:150]
    elif change == "reversed":
        tasks.rows.reverse()
    else:
        random.Random(5).shuffle(tasks.rows)

    ids += [each.id async for each in PageIterator(tasks.fetch, resume=token)]

    check(tasks, ids)


async def test_a_reading_that_is_cut_short():
    """An error among tasks of one date leaves a token that is as good as the one before."""
    tasks = _one_date(300)
    ids, token = await _read_until(tasks, 150)
    reads = 0

    async def breaking(page: int, limit: int) -> TaskPage:
        nonlocal reads
        reads += 1
        if reads % 2 == 0:
            raise errors.APIConnectionError("no", sent=False)
        return await tasks.fetch(page, limit)

    async def read(iterator: PageIterator) -> None:
        async for each in iterator:
            ids.append(each.id)

    for _ in range(3):
        iterator = PageIterator(breaking, prefetch=0, resume=token)
        with pytest.raises(errors.APIConnectionError):
            await read(iterator)
        token = iterator.resume_token or ""

    assert ids + [each.id async for each in PageIterator(tasks.fetch, resume=token)] == [
        each.id for each in tasks.rows
    ]


async def test_a_list_that_turns_out_of_order():
    """From then on dates decide nothing, and the content of earlier tokens still applies."""
    tasks = ChurningList.of(60)
    for each in tasks.rows[:30]:
        each.created_at = tasks.rows[0].created_at
    ids, token = await _read_until(tasks, 15)
    tasks.rows[35:] = reversed(tasks.rows[35:])

    for _ in range(8):
        iterator = PageIterator(tasks.fetch, resume=token)
        async with contextlib.aclosing(aiter(iterator)) as rows:  # type: ignore[type-var]
            with contextlib.suppress(StopAsyncIteration):
                for _ in range(7):
                    ids.append((await anext(rows)).id)
        token = iterator.resume_token or ""

    check(tasks, ids)
