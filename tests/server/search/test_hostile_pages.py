"""Pages that are made to cost a reader as much as possible."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.reader.executor import ReaderExecutor
from browser_use_async.server.executors.settings import ChromiumSettings
from browser_use_async.server.http_client import HttpClient
from tests.server.calling import Answer, Caller
from tests.server.raw_server import page, raw_server
from tests.server.reader.running import run

_UTF8 = {"Content-Type": "text/html; charset=utf-8"}
# Becomes eighteen letters once it is normalised.
_PHRASE = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}"
_LONG_BASE = f"http://a.example/{'x' * 200_000}/"
_COSTLY = {
    "letters that stand for phrases": f"<p>We open {_PHRASE * 400_000}",
    "a long base": f"<base href='{_LONG_BASE}'><p>We open" + "<a href=open>x</a>" * 3_000,
}


_ENDLESS = b"<h1>We open<div>" * 25_000


@pytest.fixture
async def api(http: aiohttp.ClientSession) -> AsyncIterator[Caller]:
    """A server that searches."""
    async with LocalServer(executor="scripted") as server:
        yield Caller(server, http)


@pytest.mark.long
@pytest.mark.parametrize("body", _COSTLY.values(), ids=_COSTLY)
async def test_a_costly_page_does_not_block_the_server(api: Caller, body: str):
    """While it is read and compared, the loop makes thousands of turns.

    Read within the server there were between 40 and 400 turns.
    """
    async with raw_server({"/": page(body.encode(), headers=_UTF8)}) as url:
        search = {"url": f"{url}/", "query": "open"}
        answer = asyncio.create_task(api.post("/search-url", json=search))
        turns = 0
        while not answer.done():
            await asyncio.sleep(0)
            turns += 1

    assert (await answer).status == 200
    assert turns > 1_000


async def test_a_long_base_is_not_part_of_each_link():
    """A base of 200 KB is ignored; links are relative to the page then."""
    body = f"<base href='{_LONG_BASE}'><a href=prices>Prices</a>".encode()
    async with raw_server({"/": page(body)}) as url:
        executor = ReaderExecutor()
        done = await run(executor, f"List the links of {url}")
        await executor.aclose()

    assert f"Prices: {url}/prices" in done.output
    assert len(done.output) < 1_000


async def _found(http: aiohttp.ClientSession, pages: dict[str, bytes]) -> Answer:
    class Named:
        """Finds these pages for every query."""

        async def addresses(self, outbound: HttpClient, query: str, limit: int) -> list[str]:
            """All of them."""
            return [f"{url}{path}" for path in pages]

    async with (
        raw_server({path: page(body) for path, body in pages.items()}) as url,
        LocalServer(
            executor="scripted",
            search=Named(),
            chromium=ChromiumSettings(allow_private_addresses=[url]),
        ) as server,
    ):
        return await Caller(server, http).post("/simple-search", json={"query": "open"})


@pytest.mark.long
async def test_a_page_that_takes_too_long_is_left_out_of_a_search(http: aiohttp.ClientSession):
    """Thousands of nested headings, each of which is read, cost only their own site."""
    answer = await _found(http, {"/endless": _ENDLESS, "/good": b"<p>We open at nine."})

    assert answer.status == 200, answer.text
    (result,) = answer.json["results"]
    assert "We open at nine." in result["content"]


@pytest.mark.long
async def test_a_task_with_a_page_that_takes_too_long_says_so():
    """The task fails in time, with the address and the reason."""
    async with raw_server({"/": page(_ENDLESS)}) as url:
        executor = ReaderExecutor()
        done = await run(executor, f"Open {url}")
        await executor.aclose()

    assert done.reason == f"{url} could not be read: reading it takes too long."
