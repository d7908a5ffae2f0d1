"""Pages that are made to cost a reader as much as possible."""

import asyncio
import gzip

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.egress.http_client import HttpClient
from browser_use_async.server.executors.plain.executor import PlainExecutor
from browser_use_async.server.executors.settings import ChromiumSettings
from browser_use_async.server.records import Failed
from tests.server.calling import Answer, Caller
from tests.server.plain.running import run
from tests.server.raw_server import page, raw_server

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
def server_options():
    """A server that searches."""
    return {"executor": "scripted"}


@pytest.mark.long
@pytest.mark.parametrize("body", _COSTLY.values(), ids=_COSTLY)
async def test_a_costly_page_does_not_block_the_server(caller, body):
    """While it is read and compared, the loop makes hundreds of turns.

    Read in the loop itself there would be a few.
    """
    async with raw_server({"/": page(body.encode(), headers=_UTF8)}) as url:
        search = {"url": f"{url}/", "query": "open"}
        answer = asyncio.create_task(caller.post("/search-url", json=search))
        turns = 0
        while not answer.done():
            await asyncio.sleep(0)
            turns += 1

    assert (await answer).status == 200
    assert turns > 100


async def test_a_long_base_is_not_part_of_each_link():
    """A base of 200 KB is ignored; links are relative to the page then."""
    body = f"<base href='{_LONG_BASE}'><a href=prices>Prices</a>".encode()
    async with raw_server({"/": page(body)}) as url:
        executor = PlainExecutor()
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
async def test_a_deep_page_costs_only_its_own_site(http):
    """Thousands of headings in each other are cut where the tree ends."""
    answer = await _found(http, {"/endless": _ENDLESS, "/good": b"<p>We open at nine."})

    assert answer.status == 200, answer.text
    assert any("We open at nine." in each["content"] for each in answer.json["results"])


_MILLION = 1_000_000
_HOSTILE = {
    "nested tags": b"<div>" * _MILLION,
    "headings in each other": _ENDLESS,
    "tables in each other": b"<table><tr><td>" * 60_000,
    "attributes": b"<a " + b"a=1 " * _MILLION + b">",
    "tags without an end": b"<a" * _MILLION,
    "comments without an end": b"<!--" * _MILLION,
    "marks that nobody knows": b"<![x[" * 200_000,
    "ends of nothing": b"</x>" * _MILLION,
    "a script without an end": b"<script>" + b"</" * _MILLION,
    "values without an end": b"<a b='" * 200_000,
    "a number of a million digits": b"&#" + b"9" * _MILLION + b";",
    "entities without an end": b"&lt" * 300_000,
    "cells over everything": b"<table>" + b"<tr><td colspan=9999999 rowspan=9999999>x" * 5_000,
    "no text": bytes(range(256)) * 4_000,
}
_TITLE = b"<title>T</title>"
_LYING = {
    "gzip of much": (gzip.compress(bytes(50 * _MILLION), 1), {"Content-Encoding": "gzip"}),
    "larger than it says": (b"x" * 6 * _MILLION, {"Content-Length": "", "Connection": "close"}),
    "JSON of much": (b"[" + b"1," * _MILLION + b"1]", {"Content-Type": "application/json"}),
    "no Shift-JIS": (_TITLE + bytes(range(256)), {"Content-Type": "text/html; charset=sjis"}),
    "no UTF-16": (_TITLE * 2, {"Content-Type": "text/html; charset=utf-16"}),
    "no charset": (_TITLE + b"\xe9", {"Content-Type": "text/html; charset=punycode"}),
}


@pytest.mark.parametrize(("body", "headers"), _LYING.values(), ids=_LYING)
async def test_the_plain_hand_ends_with_any_lie(body, headers):
    """It reads what can be read, or says in one sentence why not."""
    async with raw_server({"/": page(body, headers=headers)}) as url:
        done = await run(PlainExecutor(), f"Tell me the title of {url}")

    if isinstance(done.end, Failed):
        assert done.reason.startswith(url)
        assert done.reason.count(". ") == 0
    else:
        assert done.output == "T"


@pytest.mark.long
@pytest.mark.parametrize("body", _HOSTILE.values(), ids=_HOSTILE)
async def test_the_plain_hand_ends_with_any_page(body):
    """It reads the beginning, or says in one sentence why not; the loop is not held up."""
    async with raw_server({"/": page(b"<title>T</title>" + body, headers=_UTF8)}) as url:
        executor = PlainExecutor()
        reading = asyncio.create_task(run(executor, f"Tell me the title of {url}"))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        done = await reading

    if isinstance(done.end, Failed):
        assert done.reason.startswith(url)
        assert done.reason.count(". ") == 0
    else:
        assert done.output == "T"
    assert turns > 5


async def test_a_text_before_an_ampersand_is_not_lost():
    """A document may end with one."""
    async with raw_server({"/": page(b"<h1>Tea</h1><p>Sold by AT&T", headers=_UTF8)}) as url:
        done = await run(PlainExecutor(), f"Tell me the text of {url}")

    assert "Sold by AT&T" in done.output
