"""Continuing in another process, from a text, as exactly as without an interruption."""

import asyncio
import base64
import random
import subprocess
import sys
import zlib
from typing import Any

import pytest

from browser_use_async import errors
from browser_use_async.paging import PageIterator
from tests.paging.parallel import ParallelServer, check, drawn_list, read_with_resumes
from tests.paging.simulation import EPOCH, Churn, ChurningList, row

DEPTHS = (1, 4, 8)


async def _sweep(seeds: range, depth: int) -> int:
    """Read many lists in several processes each; the length of the longest token."""
    longest = 0
    for seed in seeds:
        draw = random.Random(seed)
        tasks, size = drawn_list(draw, deletions=draw.random() < 0.7)
        server = ParallelServer(tasks, draw)
        stops = [draw.randrange(15) for _ in range(draw.randrange(1, 8))]

        by_pages = draw.random() < 0.3
        ids, length = await read_with_resumes(server, size, depth, stops, by_pages=by_pages)

        check(tasks, ids)
        longest = max(longest, length)
    return longest


@pytest.mark.long
@pytest.mark.parametrize("depth", DEPTHS)
async def test_exact_under_churn(depth):
    """Stopped and resumed while tasks come and go: 0 duplicates, 0 misses, and an end."""
    longest = await _sweep(range(70), depth)
    assert longest < 300


@pytest.mark.torture
@pytest.mark.parametrize("depth", DEPTHS)
async def test_exact_under_much_churn(depth):
    """The same for some thousand lists."""
    await _sweep(range(1000, 4000), depth)


@pytest.mark.parametrize("by_pages", [False, True], ids=["rows", "pages"])
@pytest.mark.parametrize("depth", DEPTHS)
async def test_at_every_place(depth, by_pages):
    """For every last row or page of the first process, while the list changes."""
    places = 12 if by_pages else 45
    for place in range(places):
        draw = random.Random(place)
        churn = [Churn(2, (0.3,)), Churn(), Churn(1, (0.9,)), Churn(0, (0.1, 0.5)), Churn(7)]
        tasks = ChurningList.of(45, churn)
        server = ParallelServer(tasks, draw)

        ids, _longest = await read_with_resumes(server, 4, depth, [place], by_pages=by_pages)

        check(tasks, ids)


@pytest.mark.parametrize("depth", DEPTHS)
async def test_same_order_on_a_quiet_list(depth):
    """Another process after every single row: the same tasks in the same order."""
    tasks = ChurningList.of(40)

    ids, _longest = await read_with_resumes(
        ParallelServer(tasks, random.Random(1)), 7, depth, [1] * 39
    )

    assert ids == tasks.original


async def test_a_page_number_is_no_token():
    """The control: continuing with the next page number misses rows that deletions move up."""
    tasks = ChurningList.of(50, [Churn(0, (0.0,) * 5)])
    first = await tasks.fetch(1, 10)
    rest = [await tasks.fetch(page, 10) for page in range(2, 6)]

    ids = {each.id for page in [first, *rest] for each in page.tasks}

    assert set(tasks.constant) - ids


@pytest.mark.parametrize("stop", range(0, 31, 5))
async def test_tasks_of_the_same_moment(stop):
    """Equal dates decide nothing; the ids at the border do."""
    tasks = ChurningList.of(30, [Churn(), Churn(0, (0.1,) * 3)])
    for each in tasks.rows:
        each.created_at = EPOCH

    ids, _longest = await read_with_resumes(ParallelServer(tasks, random.Random(2)), 4, 1, [stop])

    check(tasks, ids)


@pytest.mark.parametrize("kind", ["undated", "half dated", "oldest first"])
async def test_lists_without_a_usable_date(kind):
    """Then the token has all ids, and nothing is yielded twice or missed."""
    for stop in range(30):
        tasks = ChurningList.of(30)
        if kind == "oldest first":
            tasks.rows.reverse()
        else:
            for each in tasks.rows[:: 1 if kind == "undated" else 2]:
                each.created_at = None

        ids, _longest = await read_with_resumes(
            ParallelServer(tasks, random.Random(3)), 4, 4, [stop, 3]
        )

        assert ids == [each.id for each in tasks.rows]


async def test_a_resumed_reader_reads_at_once():
    """As many pages at once as configured, also after another process took over."""
    tasks = ChurningList.of(100)
    first = PageIterator(tasks.fetch, page_size=5)
    await anext(pages := first.pages())
    await pages.aclose()
    server = ParallelServer(tasks, random.Random(4))

    rest = PageIterator(server.fetch, prefetch=4, resume=first.resume_token)

    assert [each.id async for each in rest] == tasks.original[5:]
    assert server.most == 4


@pytest.mark.parametrize("depth", DEPTHS)
async def test_tokens_stay_short(depth):
    """After each of 50 pages the token has less than 300 characters."""
    iterator = PageIterator(ChurningList.of(5000).fetch, prefetch=depth)

    lengths = [len(iterator.resume_token or "") async for _rows in iterator.pages()]

    assert len(lengths) == 50
    assert max(lengths) < 300


async def test_in_another_process():
    """A token is a text, and works in a program that has nothing else."""
    iterator = PageIterator(ChurningList.of(30).fetch, page_size=8)
    rows = aiter(iterator)
    first = [(await anext(rows)).id for _ in range(11)]
    program = (
        "import asyncio, sys\n"
        "from browser_use_async.paging import PageIterator\n"
        "from tests.paging.simulation import ChurningList\n"
        "async def main():\n"
        "    rows = PageIterator(ChurningList.of(33).fetch, resume=sys.argv[1])\n"
        "    print(*[row.id async for row in rows])\n"
        "asyncio.run(main())\n"
    )

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", program, iterator.resume_token or ""],
        capture_output=True,
        text=True,
        check=True,
    )

    await rows.aclose()  # type: ignore[attr-defined]
    assert first + done.stdout.split() == [str(number) for number in reversed(range(30))]


async def test_before_the_start_and_after_the_end():
    """None before the first read; after the end a token that yields nothing, births or not."""
    tasks = ChurningList.of(25)
    iterator = PageIterator(tasks.fetch, page_size=10)
    assert iterator.resume_token is None

    assert len([each async for each in iterator]) == 25
    token = iterator.resume_token
    tasks.rows.insert(0, row(25))

    again = PageIterator(tasks.fetch, resume=token)
    assert [each async for each in again] == []
    assert again.resume_token is not None


async def test_after_an_error():
    """Rows before an error do not come again after it, and nothing is lost."""
    tasks = ChurningList.of(50)

    async def broken(page: int, limit: int) -> Any:
        if page == 3:
            raise errors.APIConnectionError("no", sent=False)
        return await tasks.fetch(page, limit)

    iterator = PageIterator(broken, page_size=10)
    pages = iterator.pages()
    for _ in range(2):
        await anext(pages)
    with pytest.raises(errors.APIConnectionError):
        await anext(pages)

    rest = PageIterator(tasks.fetch, resume=iterator.resume_token)
    assert [each.id async for each in rest] == tasks.original[20:]


async def test_filters_come_along():
    """Statuses, date and page size need not be given again, and cannot be changed."""
    tasks = ChurningList.of(0)
    tasks.rows = [row(number, ("failed", "finished")[number % 2]) for number in range(59, -1, -1)]
    options: dict[str, Any] = {"statuses": "failed", "created_after": row(20).created_at}
    iterator = PageIterator(tasks.fetch, page_size=7, **options)
    rows = aiter(iterator)
    first = [(await anext(rows)).id for _ in range(5)]
    token = iterator.resume_token
    await rows.aclose()  # type: ignore[attr-defined]

    for again in ({}, options):
        rest = [each.id async for each in PageIterator(tasks.fetch, resume=token, **again)]
        assert first + rest == [str(number) for number in range(58, 19, -2)]
    with pytest.raises(errors.InvalidRequestError) as caught:
        PageIterator(tasks.fetch, statuses="finished", resume=token)
    assert caught.value.field == "statuses"
    with pytest.raises(errors.InvalidRequestError) as caught:
        PageIterator(tasks.fetch, created_after=EPOCH, resume=token)
    assert caught.value.field == "created_after"


@pytest.mark.parametrize(
    "text",
    ["", "bup3.", "bup3.eJw", "{}", "bu3." + "0" * 32, "bup3." + "é" * 40, "bup2.eJw", 7, b"bup3."],
)
async def test_what_is_no_token_is_refused(text):
    """Other texts are refused before any read, whatever they are."""
    with pytest.raises(errors.InvalidRequestError) as caught:
        PageIterator(ChurningList.of(1).fetch, resume=text)

    assert caught.value.field == "resume"


def _signed(head: bytes) -> str:
    content = head + b"\n"
    checked = zlib.crc32(content).to_bytes(4, "big") + content
    return "bup3." + base64.urlsafe_b64encode(checked).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        _signed(b"[" * 100_000),
        _signed(b"[10,10,-1,0,0,0,1,0,1,1,null,null]"),
        _signed(b"[10,10,0,0,0,0,1,-1,1,1,null,null]"),
        _signed(b"[0,10,0,0,0,0,1,0,1,1,null,null]"),
        _signed(b"[10,10,1" + b"0" * 400 + b",0,0,0,1,0,1,1,null,null]"),
        _signed(b"[10,10,0,0,0,0,1,0,1" + b"0" * 40 + b",1,null,null]"),
        _signed(b"[10,10,0,0,0,0,1,0,[1],1,null,null]"),
        _signed(b"[10,10,0,0,0,0,1,0,1,1,null,[1]]"),
    ],
    ids=[
        "deep",
        "negative place",
        "negative tie",
        "no page size",
        "huge place",
        "huge date",
        "a list for a date",
        "a list for statuses",
    ],
)
async def test_a_forged_token_is_refused(text):
    """It may come from a browser that was given a cursor: the error is that of any other text."""
    with pytest.raises(errors.InvalidRequestError, match="no resume token"):
        PageIterator(ChurningList.of(1).fetch, resume=text)


@pytest.mark.parametrize("place", range(5, 60, 6))
async def test_a_damaged_token_is_refused(place):
    """Cut off, or with one character changed."""
    iterator = PageIterator(ChurningList.of(30).fetch, page_size=10)
    await anext(pages := iterator.pages())
    await pages.aclose()
    token = iterator.resume_token or ""
    changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]

    for text in (changed, token[:place]):
        with pytest.raises(errors.InvalidRequestError):
            PageIterator(ChurningList.of(1).fetch, resume=text)
