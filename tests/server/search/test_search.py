"""Searching live pages, on sites that each test makes up."""

import asyncio
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.http.static_site import StaticSite
from browser_use_async.server.search.backends import choose_backend
from tests.server.calling import Caller
from tests.support.patience import PATIENCE

PAGES = {
    "index.html": (
        "<title>Baker</title><p>We bake bread every morning.</p>"
        '<a href="opening.html">Opening hours</a> <a href="history.html">History</a>'
    ),
    "opening.html": (
        "<title>Hours</title><h1>Opening hours</h1><p>We open at six and close at noon.</p>"
        '<a href="holidays.html">Holidays</a>'
    ),
    "holidays.html": "<title>Holidays</title><p>On holidays we open at eight.</p>",
    "history.html": "<title>History</title><p>Founded in 1911 by two sisters.</p>",
}


@pytest.fixture
async def searched_site(tmp_path):
    """A small website of the test."""
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text)
    async with StaticSite(tmp_path) as pages:
        yield pages


@pytest.fixture
async def searching(http, searched_site):
    """A server whose index is that website."""
    async with LocalServer(
        executor="scripted", search=[searched_site.url], balance_cents=10_000
    ) as server:
        yield Caller(server, http)


async def _content(caller: Caller, searched_site: StaticSite, query: str, **fields: Any) -> str:
    answer = await caller.post(
        "/search-url", json={"url": searched_site.url, "query": query, **fields}
    )
    assert answer.status == 200, answer.text
    assert answer.json["url"] == searched_site.url
    content: str = answer.json["content"]
    return content


async def test_a_website_is_read_for_the_passages_that_fit(searching, searched_site):
    """One click deep by default; passages that do not fit are left out."""
    content = await _content(searching, searched_site, "When do you open?")

    assert "We open at six" in content
    assert "sisters" not in content


async def test_deeper_pages_need_more_depth(searching, searched_site):
    """Depth 2 does not reach a page two clicks away; depth 3 does."""
    shallow = await _content(searching, searched_site, "open on holidays", depth=2)
    deep = await _content(searching, searched_site, "open on holidays", depth=3)

    assert "at eight" not in shallow
    assert "at eight" in deep


async def test_pages_are_read_live(searching, searched_site, tmp_path):
    """A page that changes is read in its present form, though the index knew it before."""
    before = await searching.post("/simple-search", json={"query": "founded"})
    (tmp_path / "history.html").write_text("<title>H</title><p>Founded in 1899 by a monk.</p>")
    after = await searching.post("/simple-search", json={"query": "founded"})

    assert "1911" in before.json["results"][0]["content"]
    assert "1899" in after.json["results"][0]["content"]
    assert "1911" not in after.json["results"][0]["content"]


async def test_at_most_so_many_websites_are_read(searching):
    """`max_websites` bounds the results."""
    answer = await searching.post("/simple-search", json={"query": "open", "max_websites": 1})

    assert len(answer.json["results"]) == 1


async def test_a_query_that_nothing_fits(searching, searched_site):
    """The answer says so."""
    content = await _content(searching, searched_site, "submarines")

    assert content.startswith("Nothing on the 3 pages")
    assert (await searching.post("/simple-search", json={"query": "zebra"})).json == {"results": []}


async def test_a_query_that_the_only_page_does_not_fit(searching, searched_site):
    """The sentence is in the singular."""
    body = {"url": f"{searched_site.url}/history.html", "query": "submarines"}
    answer = await searching.post("/search-url", json=body)

    assert answer.json["content"] == "Nothing on the 1 page that was read fits the query."


async def test_searches_cost_the_published_prices(searching, searched_site):
    """Before anything is read, for any results."""
    await _content(searching, searched_site, "open", depth=4)
    await searching.post("/simple-search", json={"query": "open", "max_websites": 3, "depth": 2})

    assert (await searching.get("/balance")).json == {"balance": str(10_000 - 4 - 6)}


@pytest.mark.parametrize(
    ("path", "fields", "place"),
    [
        ("/search-url", {"depth": 1}, "depth"),
        ("/search-url", {"depth": 6}, "depth"),
        ("/search-url", {"query": ""}, "query"),
        ("/search-url", {"url": "ftp://x"}, "url"),
        ("/simple-search", {"depth": 6}, "depth"),
        ("/simple-search", {"max_websites": 0}, "max_websites"),
        ("/simple-search", {"max_websites": 11}, "max_websites"),
    ],
)
async def test_bounds(path, fields, place, searching):
    """Each gets a 422 that names the field, and nothing is charged."""
    body = {"url": "http://127.0.0.1:9/", "query": "x", **fields}
    answer = await searching.post(path, json=body)

    assert answer.problem["loc"] == ["body", place]
    assert (await searching.get("/balance")).json == {"balance": "10000"}


async def test_an_unreachable_website_is_reported(searching):
    """With the reason, as a gateway does."""
    answer = await searching.post("/search-url", json={"url": "http://127.0.0.1:9/", "query": "x"})

    assert answer.status == 502
    assert "could not be opened" in answer.json["detail"]


async def test_without_a_backend_there_is_no_web_search(caller):
    """A clear 503, and nothing is charged."""
    answer = await caller.post("/simple-search", json={"query": "x"})

    assert answer.status == 503
    assert "--search" in answer.json["detail"]
    assert (await caller.get("/balance")).json == {"balance": "10000"}


async def test_addresses_may_come_from_searxng(http, searched_site):
    """Its snippets are not used: the pages are read."""
    asked: list[dict[str, str]] = []

    async def search(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        rows = [
            {"url": f"{searched_site.url}/history.html", "content": "a snippet"},
            {"url": "http://127.0.0.1:9/gone", "content": "another"},
        ]
        return web.json_response({"results": rows})

    application = web.Application()
    application.router.add_get("/search", search)
    runner = web.AppRunner(application)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    host, port = runner.addresses[0][:2]
    try:
        async with LocalServer(
            executor="scripted",
            search=f"searxng:http://{host}:{port}/search",
            chromium=ChromiumSettings(allow_private_addresses=[searched_site.url]),
        ) as server:
            answer = await Caller(server, http).post("/simple-search", json={"query": "founded"})
    finally:
        await runner.cleanup()

    assert asked == [{"q": "founded", "format": "json"}]
    assert [result["url"] for result in answer.json["results"]] == [
        f"{searched_site.url}/history.html"
    ]
    assert "sisters" in answer.text
    assert "snippet" not in answer.text


@pytest.mark.parametrize("search", ["nowhere", [], ["ftp://x"], "file:///etc", "searxng:ftp://x"])
def test_a_backend_that_cannot_be_is_refused(search):
    """When the server is created."""
    with pytest.raises(ConfigurationError):
        choose_backend(search)


async def test_one_address_is_a_website(http, searched_site):
    """A text is a website to index, in a program as on the command line."""
    async with LocalServer(executor="scripted", search=searched_site.url) as server:
        answer = await Caller(server, http).post("/simple-search", json={"query": "founded"})

    assert "sisters" in answer.text


async def test_each_website_comes_before_a_second_page_of_one(
    http, searched_site, tmp_path_factory
):
    """The API counts websites: further pages of the best one leave room for the others."""
    other_pages = tmp_path_factory.mktemp("other")
    (other_pages / "index.html").write_text("<title>Mill</title><p>Open on Sundays.</p>")
    async with (
        StaticSite(other_pages) as other,
        LocalServer(
            executor="scripted", search=[searched_site.url, other.url], balance_cents=10_000
        ) as server,
    ):
        caller = Caller(server, http)
        body = {"query": "opening hours: when do you open", "max_websites": 3}
        results = (await caller.post("/simple-search", json=body)).json["results"]

    sites = [str(URL(each["url"]).origin()) for each in results]
    assert len(sites) == 3
    assert sorted(sites[:2]) == sorted([searched_site.url, other.url])


async def test_an_index_of_nothing_is_made_again_soon(http, tmp_path):
    """A website that is down at the first search is found once it answers."""
    (tmp_path / "index.html").write_text(PAGES["index.html"])
    async with StaticSite(tmp_path) as pages:
        url = pages.url
    async with LocalServer(executor="scripted", search=[url], balance_cents=10_000) as server:
        caller = Caller(server, http)
        body = {"query": "bread", "max_websites": 1}
        before = after = await caller.post("/simple-search", json=body)
        async with StaticSite(tmp_path, URL(url).port or 0), asyncio.timeout(PATIENCE):
            while after.status == 503:
                await asyncio.sleep(0.5)
                after = await caller.post("/simple-search", json=body)

    assert (before.status, after.status) == (503, 200)
    assert "We bake bread" in after.json["results"][0]["content"]
