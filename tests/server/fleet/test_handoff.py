"""Live pages of tasks whose browser another server has."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import attrs
import pytest
from prometheus_client.parser import text_string_to_metric_families

from browser_use_async.server import ChromiumSettings
from tests.server.calling import Answer, Caller
from tests.server.conftest import Start
from tests.server.fleet.conftest import reached, stored_rows
from tests.server.pages.application import open_page
from tests.server.pages.opening import SHOWN, STEERABLE
from tests.server.pages.showing import Showing, drawn
from tests.server.pages.socket import live_socket
from tests.support.patience import until
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(90)

CLICK = {"type": "pointer", "kind": "down", "x": 10, "y": 20.5, "button": "left", "clicks": 1}
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@attrs.frozen
class Pair:
    """Two servers: pages are opened at one, and the other one has the browser."""

    caller: Caller
    worker: Caller
    showing: Showing
    task: dict[str, Any]

    async def sent(self, page: str = "live_url") -> str:
        """The address to which the first server redirects the page of the task."""
        answer = await self.caller.get(self.task[page], key=False, allow_redirects=False)
        assert answer.status == 303, answer.text
        return answer.headers["Location"]

    async def follow(self, link: str) -> Answer:
        """The answer at a link, without following it further."""
        return await self.worker.get(link, key=False, allow_redirects=False)


async def _pair(start: Start, node_url: str | None, port: int = 0, **options: Any) -> Pair:
    caller, showing = await start(role="api", **options), Showing()
    worker = await start(role="worker", executor=showing, port=port, node_url=node_url, **options)
    task_id = await caller.create(enable_public_share=True)
    return Pair(caller, worker, showing, await reached(caller, task_id, "running"))


@pytest.fixture
async def pair(start):
    """A server with pages, and one with the browser that has announced its address."""
    port = free_port()
    return await _pair(start, f"http://127.0.0.1:{port}", port)


@pytest.mark.parametrize("page", ["live_url", "public_share_url"])
async def test_a_page_at_the_wrong_server_ends_at_the_right_one(pair, http, page):
    """The last address is that of the page there, whose socket shows the browser."""
    await pair.showing.show(drawn(1))
    async with http.get(pair.task[page]) as answer:
        text = await answer.text()
        ends = str(answer.url)
    origin = f"http://127.0.0.1:{urlsplit(pair.worker.server.url).port}"
    async with live_socket(http, ends, headers={"Origin": origin}) as socket:
        await socket.until(lambda: socket.images)

    assert answer.status == 200
    assert urlsplit(ends).path == urlsplit(pair.task[page]).path
    assert ends.startswith(pair.worker.server.url)
    assert pair.task[page].startswith(pair.caller.server.url)
    assert 'id="status" data-status="running"' in text
    assert socket.images == [drawn(1).image]


async def test_the_link_between_servers_has_no_token(pair):
    """It opens one page once it is verified; a minute later a copy from a log is useless."""
    link = await pair.sent()
    answer = await pair.follow(link)

    assert urlsplit(pair.task["live_url"]).path.split("/")[-1] not in link
    assert (answer.status, answer.headers["Referrer-Policy"]) == (303, "no-referrer")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Location"] == urlsplit(pair.task["live_url"]).path


async def test_the_link_is_refused_after_its_minute(start):
    """By the clock of the target server; the page says what to do."""
    port, passed = free_port(), [0.0]

    def now() -> datetime:
        return NOW + timedelta(seconds=passed[0])

    pair = await _pair(start, f"http://127.0.0.1:{port}", port, now=now)
    link = await pair.sent()
    passed[0] = 59
    in_time = await pair.follow(link)
    passed[0] = 60
    late = await pair.follow(link)

    assert (in_time.status, late.status) == (303, 410)
    assert "open the task&#x27;s page again" in late.text
    assert f'href="{pair.worker.server.url}/"' in late.text


OTHER: dict[str, Callable[[str, str], str]] = {
    "another task": lambda link, other: link.replace(urlsplit(link).path.split("/")[-1], other),
    "a page that steers": lambda link, _: link.replace("/handoff/share/", "/handoff/live/"),
    "a longer time": lambda link, _: link.replace("expires=", "expires=9"),
    "another signature": lambda link, _: link[:-1] + ("0" if link[-1] != "0" else "1"),
    "no signature": lambda link, _: link.partition("?")[0],
}


@pytest.mark.parametrize("change", OTHER)
async def test_a_link_that_was_altered(pair, change):
    """It is valid for one task, page, server and minute."""
    other = await pair.caller.create()
    link = await pair.sent("public_share_url")
    changed = OTHER[change](link, other)
    answer = await pair.follow(changed)

    assert changed != link
    assert answer.status == 403
    assert "leads to another server" in answer.text


@pytest.mark.parametrize("page", ["live", "share"])
async def test_a_link_from_before_the_removal_of_the_task_s_links(pair, page):
    """Whoever has it gets nothing of the new links; a new one of theirs is good."""
    name = "live_url" if page == "live" else "public_share_url"
    before = await pair.sent(name)
    removal = f"{pair.caller.server.url}/admin/links/{pair.task['id']}"
    assert (await pair.caller.ask("DELETE", removal)).status == 200
    answer = await pair.follow(before)
    pair.task.update(await pair.caller.task(pair.task["id"]))
    after = await pair.follow(await pair.sent(name))

    assert (answer.status, "Location" in answer.headers) == (403, False)
    assert "the link of the task was taken back" in answer.text
    assert (after.status, after.headers["Location"]) == (303, urlsplit(pair.task[name]).path)


async def test_a_link_from_before_another_public_page(pair):
    """The share was taken away, and given again with another token."""
    before = await pair.sent("public_share_url")
    share = f"{pair.caller.server.url}/admin/shares/{pair.task['id']}"
    answers = []
    for method in ("DELETE", "PUT"):
        assert (await pair.caller.ask(method, share)).status == 200
        answers.append(await pair.follow(before))

    assert [(each.status, "Location" in each.headers) for each in answers] == [(403, False)] * 2


async def test_an_address_that_leads_to_another_server(start):
    """One of a load balancer, for example: the page explains it, without a redirect loop."""
    port = free_port()
    await start(role="api", port=port)
    pair = await _pair(start, f"http://127.0.0.1:{port}")
    answer = await pair.caller.get(pair.task["live_url"], key=False)

    assert answer.status == 403
    assert "--node-url of the server that carries the task out leads to another" in answer.text


async def test_a_server_without_an_address(start, http):
    """The page names its server, shows the screenshots and can still pause the task."""
    pair = await _pair(start, None)
    await pair.showing.show(drawn(1))
    page = await pair.caller.get(pair.task["live_url"], key=False)
    async with live_socket(http, pair.task["live_url"]) as socket:
        pair.showing.step("Look", screenshot=drawn(7).image)
        await socket.until(lambda: socket.images)
        reply = await socket.ask(**CLICK)
        paused = await socket.order("pause")

    assert page.status == 200
    assert "carries this task out and was started without --node-url" in page.text
    assert socket.images[0] == drawn(7).image
    assert (reply["type"], reply["status"]) == ("refused", 409)
    assert "without --node-url" in reply["detail"]
    assert "without --node-url" in socket.state["elsewhere"]
    assert not socket.state["is_moved"]
    assert paused["type"] == "done"
    assert pair.showing.inputs == []


async def test_a_page_that_was_opened_before_a_server_began(start, http, postgres):
    """It reloads once another server has the task, and is redirected there."""
    port = free_port()
    caller = await start(role="api")
    await caller.create()
    ((token,),) = stored_rows(postgres, "SELECT live_token FROM tasks")  # the API has it later
    async with live_socket(http, f"{caller.server.url}/live/{token}") as socket:
        await socket.until(lambda: socket.states)
        before = socket.state["is_moved"]
        node_url = f"http://127.0.0.1:{port}"
        await start(role="worker", executor=Showing(), port=port, node_url=node_url)
        await socket.until(lambda: socket.state["is_moved"])

    assert not before


async def test_the_end_of_the_task_ends_the_way(pair):
    """Every server shows a task that has ended."""
    await pair.caller.ask("PUT", f"/stop-task?task_id={pair.task['id']}")
    answer = await pair.caller.get(pair.task["live_url"], key=False, allow_redirects=False)

    assert answer.status == 200


async def test_in_a_real_browser(pair, browser):
    """The page there can be steered, and the application shows it in a frame."""
    await pair.showing.show(drawn(1))
    live = await browser.open(pair.task["live_url"])
    await live.until(f"{SHOWN} && {STEERABLE}")
    address = await live.run("location.origin")
    page = await open_page(browser, pair.caller, f"/tasks/{pair.task['id']}")
    await page.until("document.querySelector('iframe.live') !== null")
    await until(lambda: pair.showing.shown >= 2)

    assert address == pair.worker.server.url
    assert live.complaints == []
    assert page.complaints == []


async def test_servers_that_end_withdraw_their_address(pair, postgres):
    """No page is redirected to a server that has ended."""
    statement = "SELECT count(*) FROM nodes WHERE slots > 0"
    before = stored_rows(postgres, statement)
    await pair.worker.server.aclose()

    assert (before, stored_rows(postgres, statement)) == ([(1,)], [(0,)])


async def test_metrics_name_each_server(start):
    """With its slots, its tasks, and the time since its last report."""
    caller = await start(role="api")
    await start(role="worker", executor=Showing(), chromium=ChromiumSettings(max_browsers=3))
    await reached(caller, await caller.create(), "running")
    await start(role="worker", chromium=ChromiumSettings(max_browsers=7))
    later = await start(role="api", now=lambda: datetime.now(UTC) + timedelta(minutes=10))
    text = (await later.get(f"{later.server.url}/metrics")).text
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "node" in sample.labels:
                name = sample.name.removeprefix("browser_use_node_")
                found.setdefault(sample.labels["node"], {})[name] = sample.value

    assert sorted((each["slots"], each["tasks"]) for each in found.values()) == [(3, 1), (7, 0)]
    assert all(500 < each["silent_seconds"] < 700 for each in found.values())
