"""Resuming among many tasks of one date: short tokens, and exact all the same."""

import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from datetime import timedelta
from typing import Any

import pytest

from browser_use_async import errors
from browser_use_async.paging import PageIterator
from browser_use_async.types import TaskPage, TaskStatus, TaskSummary
from tests.paging.parallel import ParallelServer, check, read_with_resumes
from tests.paging.simulation import EPOCH, Churn, ChurningList, row

LONGEST = 400
Fetch = Callable[[int, int], Awaitable[TaskPage]]


def _tied(draw: random.Random, count: int, churn: Collection[Churn] = ()) -> ChurningList:
    """A list in which runs of tasks share a date; new ones arrive on top."""
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


async def _sweep(seeds: range, depth: int) -> int:
    """Read many lists in several processes each, exactly; the length of the longest token."""
    longest = 0
    for seed in seeds:
        draw = random.Random(seed)
        count = draw.randrange(1, 500)
        tasks = _tied(draw, count, _churn(draw, deletions=draw.random() < 0.7))
        size = draw.choice((1, 3, 10, 40, 100))
        stops = [draw.randrange(1 + count // 2) for _ in range(draw.randrange(1, 8))]

        ids, length = await read_with_resumes(ParallelServer(tasks, draw), size, depth, stops)

        check(tasks, ids)
        longest = max(longest, length)
    return longest


@pytest.mark.long
@pytest.mark.parametrize("depth", [0, 1, 4])
async def test_exact_among_tasks_of_one_date(depth: int):
    """Up to 500 tasks of one date while tasks come and go: none twice, none missed."""
    longest = await _sweep(range(60), depth)

    assert longest < LONGEST


@pytest.mark.torture
@pytest.mark.parametrize("depth", [0, 1, 4])
async def test_exact_among_many_more(depth: int):
    """The same for a thousand lists."""
    _resumes, longest = await _sweep(range(1000, 2000), depth)

    assert longest < LONGEST


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
@pytest.mark.parametrize("count", [20, 36, 37, 38, 150, 1500])
async def test_tokens_among_ties_of_any_size(count: int):
    """Below 400 characters after each row, with all filters, and exact from there."""
    tasks = ChurningList.of(count + 30)
    for each in tasks.rows[10 : count + 10]:
        each.created_at = EPOCH + timedelta(days=9000)
        tasks.rows[0].created_at = each.created_at + timedelta(days=1)
    tasks.rows[1:10] = []
    tasks.original = [each.id for each in tasks.rows]
    options: dict[str, Any] = {"statuses": list(TaskStatus), "created_after": EPOCH}
    iterator = PageIterator(tasks.fetch, **options)
    longest, given, places = 0, list[str](), {1, 2, 30, count // 2, count, count + 3}

    async for each in iterator:
        given.append(each.id)
        token = iterator.resume_token or ""
        longest = max(longest, len(token))
        if len(given) in places:
            rest = [row.id async for row in PageIterator(tasks.fetch, resume=token)]
            assert given + rest == tasks.original

    assert longest < LONGEST


@pytest.mark.parametrize("births", [0, 3, 400])
@pytest.mark.parametrize("deaths", [0, 1, 60, 120])
async def test_much_happens_between_two_processes(births: int, deaths: int):
    """The place among tasks of one date is found wherever it is by then."""
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
async def test_the_place_is_gone(change: str):
    """Nothing is missed, also where the place cannot be found; then some come twice."""
    tasks = _one_date(300)
    ids, token = await _read_until(tasks, 150)
    if change.endswith("deleted"):
        first = 100 if change.startswith("all") else 140
        tasks.deleted.update(each.id for each in tasks.rows[first:150])
        del tasks.rows[first:150]
    elif change == "reversed":
        tasks.rows.reverse()
    else:
        random.Random(5).shuffle(tasks.rows)

    ids += [each.id async for each in PageIterator(tasks.fetch, resume=token)]

    assert set(tasks.constant) <= set(ids)
    assert all(count <= 2 for count in Counter(ids).values())
    if change == "the last ones deleted":
        check(tasks, ids)


async def test_the_last_ids_alone_tell_too_little():
    """The control: to know only the ids that a token has room for gives the others twice."""
    tasks = _one_date(300)
    ids, _token = await _read_until(tasks, 150)
    known = set(ids[-40:])

    ids += [each.id for each in tasks.rows if each.id not in known]

    assert max(Counter(ids).values()) == 2


async def test_a_search_that_is_cut_short():
    """An error before the place is found leaves a token that is as good as the one before."""
    tasks = _one_date(300)
    ids, token = await _read_until(tasks, 150)
    reads = 0

    async def breaking(page: int, limit: int) -> TaskPage:
        nonlocal reads
        reads += 1
        if reads % 4 == 0:
            raise errors.APIConnectionError("no", sent=False)
        return await tasks.fetch(page, limit)

    for _ in range(3):
        iterator = PageIterator(breaking, prefetch=0, resume=token)
        with pytest.raises(errors.APIConnectionError):
            [each async for each in iterator]
        assert iterator.resume_token == token

    assert ids + [each.id async for each in PageIterator(tasks.fetch, resume=token)] == [
        each.id for each in tasks.rows
    ]


async def test_where_the_place_is_gone_a_token_is_exact_again():
    """What is given twice is not given a third time by the process after the next."""
    tasks = _one_date(300)
    ids, token = await _read_until(tasks, 150)
    del tasks.rows[100:150]
    counts = Counter(ids)
    for stop in (1, 40, 120, None):
        iterator = PageIterator(tasks.fetch, page_size=10, resume=token)
        rows = aiter(iterator)
        taken = 0
        while stop is None or taken < stop:
            try:
                counts[(await anext(rows)).id] += 1
            except StopAsyncIteration:
                break
            taken += 1
        await rows.aclose()  # type: ignore[attr-defined]
        token = iterator.resume_token or ""

    assert {counts[each.id] for each in tasks.rows[:100]} == {2}
    assert {counts[each.id] for each in tasks.rows[100:]} == {1}


async def test_a_list_that_turns_out_of_order():
    """From then on no date tells anything, and what the short token told goes on to count."""
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


# Of the format before this one: rows 0 to 11 of 30 given; 14, of which 20 share a date; 24 of 49,
# the last eight of them below eight that were not given; and 5 of 12, half of which have no date.
OLD = {
    "plain": (
        "bup1.eJxljkFuwkAMRbti0WN4iaIqQ0QKOQJSL1AhoVHHk44CHmRPqNQoF-AG7DhH2XAlboADlZBar_yt7_d_"
        "B00gBxUkK41ABltb40rCN0I1y0CQd-ge-iPukFH9xgyipQRVkWfQUPyi-9VFUq-3a8EMNpFVdOA5UgrIw271x"
        "7wW03I2L808v02vNAzrQPVfx-ThiOzu4YlbZUuyqRUULe8DBflEtyRuiQaK8hht0u7Wp_-5-e_0ff989G8X87"
        "7_eRqND6eXxfkKjZxXOw"
    ),
    "tie": (
        "bup1.eJyrVsrOzEtRslIqSSzOLlbSUSpITE-NL86sSlWystBRKk4tKktNQfCT88tSi1KB6g1NQJzSvBIlK2MD"
        "HaXsvPzyPIhoSn4eUG1aYk5xqo5Sbn4RkFOtlFaUn1eSmVoEYicC9RiaG5uaWViaGZkYgEEt0LTUzJzMvHQMF"
        "ZZwFflFKRDLS4pKgWYXlySWlBanFitZ5ZXm5AANKEpNLAE6NjGtBGQRSLC2lut3v3Tf96rWlwxsWjN3V01jUG"
        "voFHjLu-wBjB_KlCm5odB_DYy_U6y-4sb5PkkYPysg9OChfUI_YPwFab4fDaO6dsH4Ero1uw6WpPbD-AqWvcJ"
        "9vtVbYPxSfkYj093v2WB8AO_Xf9E"
    ),
    "gap": (
        "bup1.eJyrVsrOzEtRslIqSSzOLlbSUSpITE-NL86sSlWystBRKk4tKktNQfCT88tSi1KB6o1MQZzSvBIlKxNL"
        "HaXsvPzyPKCoiY5SSn4eUG1aYk5xqo5Sbn4RkFOtlFaUn1eSmVoEYicC9RiaG5uaWViaGZkYgEEt0LTUzJzMv"
        "HR0FcaWcBX5RSkQy0uKSoFmF5cklpQWpxYrWeWV5uQADShKTSwBOjYxrQRkEUiwtpbrd7903_eq1pcMbFozd1"
        "dNYyjlZzQy3f2eDcxnaGH4vuTBgjMbqh6D-Ls-Oh4IFFh7JPKLtzqY__B_w0rrlOk2fzqmg_mX9jpkV3E-7Dh"
        "mAFF_uJrhZqK3cuyTrG1g_haLA982b9WYp3N2Cpi_5FtD3676u79Ef7KC-VO3OAAAz2eKBA"
    ),
    "half dated": (
        "bup1.eJyrVsrOzEtRslIqSSzOLlbSUSpITE-NL86sSlWyMtFRKk4tKktNQfCT88tSi1KB6k1B7NK8EiUrQyMd"
        "pey8_PI8sGBKfh5QZVpiTnGqjlJufhGQU62UVpSfV5KZWgRiJ4K0mBubmllYmhlYGIBBLdCw1MyczLx0dBWGB"
        "nAV-UUpEKtLikqBZheXJJaUFqcWK1nllebkAA0oSk0sATo1Ma0EZBFIsLaW62ait3Lsk6xtDQwQ0Ler_u4v0Z"
        "-sMP5iC_X005fMfjGwac3c1VbE8DxA_NS5iv4mmDwAPvJb_Q"
    ),
}


@pytest.mark.parametrize("kind", OLD)
async def test_tokens_of_the_format_before(kind: str):
    """They go on as they were meant to, and what follows them does, too."""
    tasks, given = ChurningList.of({"gap": 49, "half dated": 12}.get(kind, 30)), [11, 14, 24, 5]
    if kind == "tie":
        for each in tasks.rows[5:25]:
            each.created_at = tasks.rows[5].created_at
    elif kind == "half dated":
        for each in tasks.rows[::2]:
            each.created_at = None
    expected = [each.id for each in tasks.rows][given[list(OLD).index(kind)] :]
    if kind == "gap":
        expected = [str(number) for number in (*range(23, 16, -1), *range(8, -1, -1))]

    for stop in range(len(expected)):
        iterator = PageIterator(tasks.fetch, page_size=8, resume=OLD[kind])
        rows = aiter(iterator)
        ids = [(await anext(rows)).id for _ in range(stop)]
        await rows.aclose()  # type: ignore[attr-defined]
        rest = PageIterator(tasks.fetch, resume=iterator.resume_token)
        assert ids + [each.id async for each in rest] == expected
