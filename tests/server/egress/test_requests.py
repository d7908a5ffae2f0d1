"""One rule for all outgoing requests of the server: tasks of both kinds, searches and webhooks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import ChromiumSettings, LocalServer, Webhook
from browser_use_async.server.egress.http_client import HttpClient, HttpRefusedError
from browser_use_async.server.egress.policy import EgressPolicy
from tests.server.browser.pages import serve_pages
from tests.server.calling import Answer, Caller
from tests.server.raw_server import page, raw_server
from tests.server.webhooks.receiver import SECRET
from tests.support.patience import until
from tests.support.ports import free_port

CANARY = "CANARY"
SPELLINGS = (
    "127.0.0.1",
    "localhost",
    "0x7f.1",
    "127.1",
    "2130706433",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
)


@asynccontextmanager
async def _served(
    http: aiohttp.ClientSession, *, exposed: bool = False, **options: Any
) -> AsyncIterator[Caller]:
    """A server with the executor `plain`, open to other machines or not."""
    if exposed:
        # The proxy is left out, so that the test cannot be reached from elsewhere.
        port = free_port()
        options |= {
            "api_key": "a-key-of-my-own-" * 3,
            "trusted_proxies": ["127.0.0.1"],
            "port": port,
            "public_url": f"http://127.0.0.1:{port}",
        }
    async with LocalServer(**{"executor": "plain", "balance_cents": 10_000, **options}) as server:
        yield Caller(server, http)


async def _search(caller: Caller, url: str) -> Answer:
    return await caller.post("/search-url", json={"url": url, "query": "canary bread"})


async def _end(caller: Caller, task: str, **fields: Any) -> str:
    """The output and the steps of a task after its end."""
    task_id = await caller.create(task, **fields)
    await until(lambda: caller.stored(task_id).status.is_terminal)
    return str(await caller.task(task_id))


@pytest.mark.parametrize("host", SPELLINGS)
async def test_an_exposed_server_searches_no_private_address(http, inner, host):
    """The key of an exposed server does not open pages of its machine."""
    async with _served(http, exposed=True) as caller:
        searched = await _search(caller, f"http://{host}:{inner.port}/latest/meta-data/iam")
        done = await _end(caller, f"Open http://{host}:{inner.port}/ and tell me the title")

    assert searched.status == 502
    assert CANARY not in searched.text + done
    assert inner.asked == []


async def test_a_search_opens_this_machine_where_it_names_it(http, inner):
    """The control: a server for this machine only reads the address that the request names."""
    async with _served(http) as caller:
        named = await _search(caller, inner.url)
        spelled = await _search(caller, f"http://0.0.0.0:{inner.port}/")
        without_port = await _search(caller, "http://127.0.0.1/")

    assert CANARY in named.json["content"]
    assert inner.asked == ["/"]
    assert (spelled.status, without_port.status) == (502, 502)
    assert without_port.json["detail"].startswith(
        "http://127.0.0.1/ is a private address (127.0.0.1), which this server does not open"
    )


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "127.0.0.1", "0x7f.1"])
async def test_pages_lead_to_no_other_private_address(http, inner, host):
    """Neither a redirect nor a link of a named page leads to another private address."""
    inside = f"http://{host}:{inner.port}/admin/shutdown"
    link = f'<title>Baker</title><p>bread</p><a href="{inside}">canary bread</a>'.encode()
    answers = {
        "/moved": page(status="302 Found", headers={"Location": inside}),
        "/link": page(link),
    }
    async with raw_server(answers) as site, _served(http, search=[f"{site}/link"]) as caller:
        moved = await _search(caller, f"{site}/moved")
        linked = await _search(caller, f"{site}/link")
        found = await caller.post("/simple-search", json={"query": "bread"})
        redirected = await _end(caller, f"Open {site}/moved and tell me the title")
        followed = await _end(caller, f"Open {site}/link and click canary bread. Tell me the title")

    assert moved.status == 502
    assert "is a private address (127.0.0." in moved.json["detail"]
    assert "bread" in linked.json["content"]
    assert found.json["results"], found.text
    assert "is a private address (127.0.0." in redirected
    assert "is a private address (127.0.0." in followed
    assert inner.asked == []


async def test_results_of_a_search_lead_to_no_private_address(http, inner):
    """The results of a search server are not named by the request; the server itself is called."""
    body = f'{{"results": [{{"url": "{inner.url}/admin/shutdown"}}]}}'.encode()
    async with (
        raw_server({"/search?q=bread&format=json": page(body)}) as searxng,
        _served(http, search=f"searxng:{searxng}/search") as caller,
    ):
        found = await caller.post("/simple-search", json={"query": "bread"})

    assert found.json == {"results": []}
    assert inner.asked == []


async def test_a_name_that_changes_its_meaning_is_judged_each_time(http, inner, names):
    """A foreign name is closed as soon as it resolves to this machine."""
    names.known["rebind.example"] = iter(["127.0.0.1"] * 9)
    async with _served(http) as caller:
        searched = await _search(caller, f"http://rebind.example:{inner.port}/secret")

    assert searched.status == 502
    assert "is a private address (127.0.0.1)" in searched.json["detail"]
    assert inner.asked == []


async def test_pages_of_public_hosts_lead_to_no_private_address(inner):
    """Private addresses that the operator has opened are not open for links of public pages."""
    client = HttpClient(EgressPolicy.of_operator())
    with pytest.raises(HttpRefusedError, match="is a private address"):
        await client.send("GET", inner.url, from_public=True)
    refused = list(inner.asked)

    assert CANARY in (await client.send("GET", inner.url)).body.decode()
    assert refused == []


async def test_webhooks_keep_to_the_rule(http, inner, short_folder):
    """A webhook over HTTP may be on this machine at a named port, and on no private address.

    In code, and on the command line, the operator names it.
    """
    hook, bare = f"{inner.url}/hook", "https://127.0.0.1/hook"
    path = short_folder / "admin"
    async with (
        _served(http) as caller,
        _served(http, exposed=True, admin_socket=path) as exposed,
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as through_socket,
    ):
        inside = Caller(exposed.server, through_socket)
        sent = [
            await each.post(f"{place}/admin/webhooks", json={"url": url, "secret": SECRET})
            for each, place, url in (
                (caller, caller.server.url, bare),
                (inside, "http://localhost", hook),
                (caller, caller.server.url, hook),
            )
        ]
        asked = list(inner.asked)
        await exposed.server.add_webhook(Webhook(hook, SECRET))
        with pytest.raises(ConfigurationError, match="is a private address"):
            await exposed.server.add_webhook(Webhook(f"https://0.0.0.0:{inner.port}/hook", SECRET))

    assert [each.status for each in sent] == [422, 422, 200]
    assert all("is a private address (127.0.0.1)" in each.text for each in sent[:2])
    assert asked == ["/hook"]
    assert inner.asked == ["/hook", "/hook"]


@pytest.mark.parametrize("exposed", [False, True])
async def test_the_browser_opens_what_the_task_names(browser_path, http, exposed):
    """A task opens a page of this machine that it names, unless others reach the server too."""
    async with (
        serve_pages({"/": "<title>Inside</title>"}) as site,
        _served(http, exposed=exposed, executor="chromium") as caller,
    ):
        done = await _end(caller, f"Open {site.url}/ and tell me the title")

    assert ("'Inside'" in done) is not exposed
    assert ("/" in site.asked) is not exposed


async def test_pages_of_the_local_server_reach_no_other_service(browser_path, http, inner, names):
    """A page of this machine that a task opens reads no other service of the machine."""
    hosts = ("127.0.0.1", "localhost", "rebind.example")
    names.known["rebind.example"] = iter(["127.0.0.1"] * 99)
    # The proxy's refusal is an answer too, which a page may request and not read.
    fetches = "".join(
        f"await fetch('http://{host}:{inner.port}/{host}', {{mode: 'no-cors'}}).catch(() => 0);"
        for host in hosts
    )
    script = f"<script type=module>{fetches} document.title = 'All asked'</script>"
    async with serve_pages({"/": script}) as site:
        for allowed in ([site.url], True):
            asked_before = list(inner.asked)
            chromium = ChromiumSettings(allow_private_addresses=allowed)
            async with _served(http, executor="chromium", chromium=chromium) as caller:
                done = await _end(caller, f"Open {site.url}/. Wait 1 s. Tell me the title")
            assert "All asked" in done

    assert asked_before == []
    # The control: where the operator opens everything, the same page gets there.
    assert inner.asked == [f"/{host}" for host in hosts]
