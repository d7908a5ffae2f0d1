"""Hosts that a task's browser may reach: the limits apply at the network, whatever a page tries."""

import base64

import pytest
from aiohttp import web

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.egress.policy import AdHosts, PrivateAddresses
from browser_use_async.server.executors.browser.executor import ChromiumExecutor
from browser_use_async.server.executors.settings import ChromiumSettings
from tests.server.browser.pages import serve_pages
from tests.server.browser.running import browse

HERE = ["127.0.0.1"]

# Each requests /caught of the other domain in its own way; none may arrive there.
WAYS = {
    "image": '<img src="OTHER/caught">',
    "frame": '<iframe src="OTHER/caught"></iframe>',
    "style": '<link rel="stylesheet" href="OTHER/caught">',
    "script": '<script src="OTHER/caught"></script>',
    "fetch": "<script>fetch('OTHER/caught', {mode: 'no-cors'})</script>",
    "beacon": "<script>navigator.sendBeacon('OTHER/caught', 'x')</script>",
    "websocket": "<script>new WebSocket('OTHER/caught'.replace('http', 'ws'))</script>",
    "worker": (
        "<script>new Worker(URL.createObjectURL(new Blob(["
        "\"fetch('OTHER/caught', {mode: 'no-cors'})\"])))</script>"
    ),
    "redirected": '<img src="/away">',
    "preload": '<link rel="preload" as="image" href="OTHER/caught">',
    "form": (
        '<iframe name="inner"></iframe><form target="inner" action="OTHER/caught"></form>'
        "<script>document.forms[0].submit()</script>"
    ),
}


async def test_pages_reach_no_other_domain(chromium):
    """A page may embed, fetch or open another domain: no request arrives, and steps say so."""
    pages = {f"/{name}": f"<title>{name}</title>{way}" for name, way in WAYS.items()}
    async with serve_pages({**pages, "/away": "REDIRECT OTHER/caught"}) as site:
        task = " ".join(f"Open {site.url}/{name}. Wait 1 s." for name in WAYS)
        done = await browse(chromium, task, allowed_domains=HERE)
        asked = list(site.asked)
        free = await browse(chromium, f"Open {site.url}/image. Wait 1 s.")
    goals = [step.evaluation_previous_goal for step in done.steps]
    # Before a page's second step, and after it.
    said = {name: " ".join(goals[2 * n + 1 : 2 * n + 3]) for n, name in enumerate(WAYS)}

    refused = f"localhost:{site.port} is outside the allowed domains of this task (127.0.0.1)"
    assert {name: refused in each for name, each in said.items()} == dict.fromkeys(WAYS, True)
    assert "/caught" not in asked
    # Without the rule the same page does get there.
    assert "/caught" in site.asked
    assert "Refused" not in " ".join(step.evaluation_previous_goal for step in free.steps)


async def test_tasks_open_no_other_domain(chromium):
    """A redirect, a script, a link or the task itself that leads elsewhere fails the task."""
    pages = {
        "/redirect": "REDIRECT OTHER/caught",
        "/script": "<script>location.href = 'OTHER/caught'</script>",
        "/link": '<a href="OTHER/caught">Away</a>',
        "/window": '<a href="OTHER/caught" target="_blank">Away</a>',
        "/caught": "<title>Caught</title>",
    }
    async with serve_pages(pages) as site:
        tasks = {
            "typed": f"Open {site.other_url}/caught",
            "redirect": f"Open {site.url}/redirect",
            "script": f"Open {site.url}/script",
            "link": f"Open {site.url}/link and click Away",
            "window": f"Open {site.url}/window and click Away",
        }
        reasons = {
            name: (await browse(chromium, task, allowed_domains=HERE)).reason
            for name, task in tasks.items()
        }
        asked = list(site.asked)

    refused = f"localhost:{site.port} is outside the allowed domains of this task (127.0.0.1)."
    assert reasons == dict.fromkeys(tasks, refused)
    assert "/caught" not in asked


@pytest.mark.torture
async def test_private_addresses_are_closed_unless_opened(browser_path):
    """By default no address of this machine is opened, by any of its names."""
    async with serve_pages({"/": "<title>Inner</title>"}) as site:
        some = ChromiumSettings(browser_path, allow_private_addresses=[site.url])
        closed = ChromiumExecutor(ChromiumSettings(browser_path))
        opened = ChromiumExecutor(some)
        try:
            numeric = await browse(closed, f"Open {site.url}/ and tell me the title")
            named = await browse(closed, f"Open {site.other_url}/ and tell me the title")
            mapped = await browse(closed, f"Open http://[::ffff:127.0.0.1]:{site.port}/")
            allowed = await browse(opened, f"Open {site.url}/ and tell me the title")
            elsewhere = await browse(opened, f"Open {site.other_url}/ and tell me the title")
        finally:
            await closed.aclose()
            await opened.aclose()

    for done in (numeric, named, mapped, elsewhere):
        assert "is a private address (" in done.reason, done.reason
    assert allowed.output == "Inner"
    assert set(site.asked) <= {"/", "/favicon.ico"}
    assert site.asked.count("/") == 1


async def test_files_of_this_machine_are_no_pages(chromium):
    """Neither a task nor a page opens a file: address."""
    typed = await browse(chromium, "Open file:///etc/passwd and tell me the text")
    link = '<a href="file:///etc/passwd">Passwords</a><title>Page</title>'
    async with serve_pages({"/": link}) as site:
        clicked = await browse(chromium, f"Open {site.url}/. Click Passwords. Tell me the title")

    assert "names no page" in typed.reason
    assert clicked.output == "Page"


async def test_advertisements_are_blocked(browser_path):
    """With `use_adblock` known hosts of advertisements are blocked."""
    executor = ChromiumExecutor(ChromiumSettings(browser_path, allow_private_addresses=True))
    page = '<title>Page</title><img src="http://sub.doubleclick.net/ad">'
    try:
        async with serve_pages({"/": page}) as site:
            task = f"Open {site.url}/ and tell me the title"
            blocked = await browse(executor, task)
            shown = await browse(executor, task, use_adblock=False)
    finally:
        await executor.aclose()

    assert blocked.output == shown.output == "Page"
    said = "Blocked as advertising: sub.doubleclick.net."
    assert said in blocked.steps[-1].evaluation_previous_goal
    assert said not in shown.steps[-1].evaluation_previous_goal


@pytest.mark.torture
async def test_the_proxy_of_the_country_is_used(browser_path):
    """Connections use the operator's proxy, with its password; the first step says so."""
    seen: list[tuple[str, str, str]] = []

    async def proxy(request: web.BaseRequest) -> web.Response:
        authorization = request.headers.get("Proxy-Authorization", "")
        seen.append((request.method, str(request.url), authorization))
        if request.method == "CONNECT":
            return web.Response(status=407)
        return web.Response(text="<title>By proxy</title>", content_type="text/html")

    runner = web.ServerRunner(web.Server(proxy))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://me:p%40ss@127.0.0.1:{runner.addresses[0][1]}"
    executor = ChromiumExecutor(ChromiumSettings(browser_path, proxies={"se": address}))
    try:
        task = "Open http://inner.invalid/x and tell me the title"
        away = await browse(executor, task, use_proxy=True, proxy_country_code="se")
        home = await browse(executor, task, use_proxy=True, proxy_country_code="us")
        tunnel = await browse(
            executor, "Open https://inner.invalid/", use_proxy=True, proxy_country_code="SE"
        )
    finally:
        await executor.aclose()
        await runner.cleanup()

    assert away.output == "By proxy"
    assert "through the operator's proxy for se." in away.steps[0].evaluation_previous_goal
    assert "is not known" in home.reason
    assert "The operator's proxy gave 407 for inner.invalid." in tunnel.reason
    assert "p%40ss" not in repr(executor)
    basic = "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert ("GET", "http://inner.invalid/x", basic) in seen


async def test_a_missing_proxy_is_named(chromium, site):
    """A task for a country without a proxy connects directly, and its first step says so."""
    task = f"Open {site}/ and tell me the title"
    done = await browse(chromium, task, use_proxy=True, proxy_requested=True)
    default = await browse(chromium, task, use_proxy=True)

    assert done.steps[0].evaluation_previous_goal == (
        "None - this is the first step. This server has no proxy for the United States (us), so "
        "connections are direct."
    )
    assert default.steps[0].evaluation_previous_goal == "None - this is the first step."


@pytest.mark.parametrize(
    "address", ["socks5://a:1", "https://a:1", "a:1", "", "http://", "http://["]
)
def test_wrong_proxies(address, browser_path):
    """An address that is no HTTP proxy is refused before anything starts."""
    with pytest.raises(ConfigurationError, match="a proxy has an address such as"):
        ChromiumExecutor(ChromiumSettings(browser_path, proxies={"us": address}))


def test_ad_hosts_include_what_is_below_them():
    """A listed host blocks its subdomains, and nothing that only ends in the same letters."""
    known = AdHosts()

    assert "stats.g.doubleclick.net" in known
    assert "doubleclick.net" in known
    assert "notdoubleclick.net" not in known
    assert "net" not in known


@pytest.mark.parametrize("wrong", ["127.0.0.1:80:90", "somewhere", "http://["])
def test_wrong_private_addresses(wrong):
    """A text that is no address is refused."""
    with pytest.raises(ConfigurationError, match="is no address such as"):
        PrivateAddresses.of([wrong])
