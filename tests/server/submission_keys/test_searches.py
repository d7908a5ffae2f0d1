"""A search with a key is paid once, and its answer is kept for the key."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from tests.server.calling import Answer, Caller
from tests.server.fleet.conftest import eventually
from tests.support.patience import until
from tests.support.wall_clock import WallClock

CALLS = ["/search-url", "/simple-search"]


class Site:
    """A website of one page, with the number of its visits.

    Attributes:
        url: Its address.
        visits: How often the page was asked for.
        status: What it is answered with.
        opened: The page is answered once it is set.
    """

    def __init__(self) -> None:
        self.url = ""
        self.visits = 0
        self.status = 200
        self.opened = asyncio.Event()
        self.opened.set()

    async def answer(self, _request: web.Request) -> web.Response:
        """The page, with the number of the visit."""
        self.visits += 1
        visit = self.visits
        await self.opened.wait()
        text = f"<title>Baker</title><p>We bake bread, number {visit}.</p>"
        return web.Response(text=text, status=self.status, content_type="text/html")


@pytest.fixture
async def counted_site():
    """The website."""
    counted_site = Site()
    application = web.Application()
    application.router.add_get("/", counted_site.answer)
    runner = web.AppRunner(application, shutdown_timeout=1.0)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    counted_site.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield counted_site
    counted_site.opened.set()
    await runner.cleanup()


async def _search(
    caller: Caller,
    counted_site: Site,
    path: str = "/search-url",
    key: str | None = '"bread-7"',
    **fields: Any,
) -> Answer:
    headers = {} if key is None else {"Idempotency-Key": key}
    place = {"url": counted_site.url} if path == "/search-url" else {}
    return await caller.post(path, json={**place, "query": "bread", **fields}, headers=headers)


async def _cents(caller: Caller) -> Decimal:
    return Decimal((await caller.get("/balance")).json["balance"])


def _is_replay(answer: Answer) -> bool:
    return answer.headers.get("Idempotency-Replayed") == "?1"


@pytest.mark.parametrize("path", CALLS)
async def test_a_repeat_is_answered_as_before(path, restart, counted_site):
    """The same bytes, also after a restart; nothing is read or paid once more."""
    caller = await restart(search=[counted_site.url])
    before = await _cents(caller)
    first = await _search(caller, counted_site, path)
    paid, visits = await _cents(caller), counted_site.visits
    again = await _search(caller, counted_site, path)
    equal = await _search(caller, counted_site, path, depth=2)
    restarted = await restart(search=[counted_site.url])
    later = await _search(restarted, counted_site, path)

    assert [each.status for each in (first, again, equal, later)] == [200] * 4, first.text
    assert "We bake bread" in first.text
    assert first.body == again.body == equal.body == later.body
    assert list(map(_is_replay, (first, again, equal, later))) == [False, True, True, True]
    assert again.headers["Idempotency-Key"] == '"bread-7"'
    assert before > paid == await _cents(restarted)
    assert counted_site.visits == visits


@pytest.mark.parametrize("path", CALLS)
async def test_each_search_without_a_key_is_paid(path, restart, counted_site):
    """So is each with a key of its own, each other call, and each owner."""
    caller = await restart(search=[counted_site.url])
    other = await caller.with_new_key("shop")
    before = await _cents(caller)
    first = await _search(caller, counted_site, path, None)
    price = before - await _cents(caller)
    answers = [
        await _search(caller, counted_site, path, None),
        await _search(caller, counted_site, path, '"other"'),
        await _search(caller, counted_site, path),
        await _search(other, counted_site, path),
    ]

    assert not any(map(_is_replay, (first, *answers)))
    assert before - await _cents(caller) == 5 * price


async def test_another_search_with_a_key_is_refused(restart, counted_site):
    """With the names of the fields that differ, and without a charge."""
    caller = await restart()
    first = await _search(caller, counted_site)
    paid = await _cents(caller)
    refused = await _search(caller, counted_site, query="cake", depth=3)
    again = await _search(caller, counted_site)

    problem = refused.problem
    assert (problem["type"], problem["ctx"]) == (
        "idempotency_key_conflict",
        {"fields": ["depth", "query"]},
    )
    assert "belongs to another request, which differs in depth, query" in problem["msg"]
    assert "cake" not in refused.text
    assert "bread" not in problem["msg"]
    assert again.body == first.body
    assert await _cents(caller) == paid


async def test_a_search_waits_for_the_one_in_progress(restart, counted_site):
    """The website is read once for all of them; another search does not wait."""
    caller = await restart()
    counted_site.opened.clear()
    before = await _cents(caller)
    searches = [asyncio.create_task(_search(caller, counted_site)) for _ in range(5)]
    await until(lambda: counted_site.visits == 1)
    refused = await _search(caller, counted_site, key='"other"', query="")
    counted_site.opened.set()
    answers = await asyncio.gather(*searches)

    assert refused.status == 422
    assert {each.status for each in answers} == {200}
    assert len({each.body for each in answers}) == 1
    assert sum(map(_is_replay, answers)) == 4
    assert counted_site.visits == 1
    assert before - await _cents(caller) == 2


async def test_a_search_that_failed_is_tried_again_unpaid(restart, counted_site):
    """The key is paid; the first answer with something found is kept."""
    caller = await restart()
    counted_site.status = 500
    before = await _cents(caller)
    failed = [await _search(caller, counted_site) for _ in range(2)]
    counted_site.status = 200
    found, again = await _search(caller, counted_site), await _search(caller, counted_site)

    assert [each.status for each in failed] == [502] * 2
    assert (found.status, _is_replay(found), _is_replay(again)) == (200, False, True)
    assert found.body == again.body
    assert before - await _cents(caller) == 2


async def test_a_refused_search_leaves_its_key_free(restart, counted_site):
    """Nothing was paid for it."""
    caller = await restart()
    poor = await caller.with_new_key("shop", budget_cents=1)
    refused = [
        await _search(caller, counted_site, url="ftp://shop"),
        await _search(poor, counted_site),
    ]
    richer = await caller.with_new_key("shop", budget_cents=10)
    found = [
        await _search(caller, counted_site, depth=3),
        await _search(richer, counted_site, depth=3),
    ]

    assert [each.status for each in refused] == [422, 402]
    assert [(each.status, _is_replay(each)) for each in found] == [(200, False)] * 2


async def test_a_server_that_ends_while_it_searches(restart, counted_site):
    """The repeat is carried out, and not paid a second time."""
    caller = await restart()
    before = await _cents(caller)
    counted_site.opened.clear()
    lost = asyncio.create_task(_search(caller, counted_site))
    await until(lambda: counted_site.visits == 1)
    restarted = await restart()
    await asyncio.wait([lost])
    counted_site.opened.set()
    found = await _search(restarted, counted_site)

    assert lost.exception() is not None or lost.result().status != 200
    assert (found.status, _is_replay(found)) == (200, False)
    assert before - await _cents(restarted) == 2


async def test_an_answer_is_kept_for_a_day(restart, counted_site):
    """After it the same call is paid, and carried out."""
    clock = WallClock()
    caller = await restart(now=clock)
    first = await _search(caller, counted_site)
    clock.time += timedelta(hours=23)
    caller = await restart(now=clock)
    kept = await _search(caller, counted_site)
    clock.time += timedelta(hours=2)
    caller = await restart(now=clock)
    before = await _cents(caller)

    async def is_new() -> bool:
        return not _is_replay(await _search(caller, counted_site))

    await eventually(is_new)

    assert kept.body == first.body
    assert before - await _cents(caller) == 2


@pytest.mark.long
async def test_two_servers_that_search_at_once(start, counted_site):
    """Both read the website; one pays, and its key has one answer."""
    servers = [await start(role="api"), await start(role="api")]
    counted_site.opened.clear()
    before = await _cents(servers[0])
    searches = [asyncio.create_task(_search(each, counted_site)) for each in servers]
    await until(lambda: counted_site.visits == 2)
    counted_site.opened.set()
    answers = await asyncio.gather(*searches)

    assert {each.status for each in answers} == {200}
    assert len({each.body for each in answers}) == 1
    assert sum(map(_is_replay, answers)) == 1
    assert before - await _cents(servers[1]) == 2
