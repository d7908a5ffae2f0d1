"""How long the links to the pages of a task are valid, and how they are revoked."""

from datetime import UTC, datetime, timedelta

import aiohttp
import attrs
import pytest
from aiohttp import WSCloseCode
from yarl import URL

from browser_use_async.server import LocalServer
from tests.server.calling import Answer, Caller
from tests.server.pages.showing import Showing, drawn
from tests.server.pages.socket import live_socket, running_task

LINKS = ("live_url", "public_share_url")
DAY = timedelta(days=1)


@attrs.define
class Clock:
    """A wall clock that the test sets."""

    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.time


@pytest.fixture
def page_clock():
    """The server's clock."""
    return Clock()


@pytest.fixture
async def dated(http, page_clock):
    """A server whose pages have a clock of their own."""
    options = {"now": page_clock}
    async with LocalServer(executor=Showing(), **options) as server:  # type: ignore[arg-type]
        yield Caller(server, http)


async def stop(caller: Caller, task_id: str) -> None:
    """End a task."""
    assert (await caller.put(f"/stop-task?task_id={task_id}")).status == 200


def explains_the_end(answer: Answer) -> bool:
    """Whether it is a page for people that says that the link has ended."""
    return (
        answer.headers["Content-Type"].startswith("text/html")
        and "This link has ended" in answer.text
    )


async def test_steering_ends_with_the_task(dated):
    """The live page of a task that has ended shows it, and has no controls."""
    task = await running_task(dated)
    during = await dated.get(task["live_url"], key=False)
    await stop(dated, task["id"])
    after = await dated.get(task["live_url"], key=False)

    assert (during.status, after.status) == (200, 200)
    assert ("<button" in during.text, "<button" in after.text) == (True, False)
    assert "stopped" in after.text


@pytest.mark.parametrize("link", LINKS)
async def test_watching_ends_some_days_later(link, dated, page_clock, http):
    """Counted from the end of the task; then a page explains it, with 410."""
    task = await running_task(dated)
    page_clock.time += 365 * DAY  # whatever time it takes
    assert (await dated.get(task[link], key=False)).status == 200
    await stop(dated, task["id"])
    page_clock.time += 30 * DAY
    last = await dated.get(task[link], key=False)
    page_clock.time += timedelta(seconds=1)
    ended = await dated.get(task[link], key=False)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="410"):
        async with live_socket(http, task[link]):
            pass

    assert (last.status, ended.status) == (200, 410)
    assert explains_the_end(ended)
    assert task["id"] not in ended.text


@pytest.mark.parametrize("link", LINKS)
async def test_links_are_revoked(link, watched, showing, http):
    """Open pages are closed, the old address is invalid, and there is a new one."""
    task = await running_task(watched)
    async with live_socket(http, task[link]) as page:
        await showing.show(drawn(1))
        await page.until(lambda: page.images)
        place = f"{watched.server.url}/admin/links/{task['id']}"
        answer = await watched.ask("DELETE", place)
        await page.drain()
    old = await watched.get(task[link], key=False)
    with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
        async with live_socket(http, task[link]):
            pass
    renewed = (await watched.task(task["id"]))[link]
    new = await watched.get(renewed, key=False)

    assert (answer.status, answer.json) == (200, {})
    assert page.closed_with == WSCloseCode.POLICY_VIOLATION
    assert (old.status, explains_the_end(old), new.status) == (404, True, 200)
    assert renewed != task[link]


async def test_revoking_links_needs_the_operator(watched):
    """This means a key, a client on this machine, and a task."""
    task = await running_task(watched)
    place = f"{watched.server.url}/admin/links/{task['id']}"
    statuses = [
        (await watched.ask("DELETE", place, key=False)).status,
        (await watched.ask("DELETE", place, headers={"Via": "1.1 proxy"})).status,
        (await watched.ask("DELETE", place + "0")).status,
    ]

    assert statuses == [403, 403, 404]
    assert (await watched.get(task["live_url"], key=False)).status == 200


async def test_new_links_outlive_a_restart(tmp_path, http):
    """The old ones do not return with the database."""
    file = tmp_path / "server.db"
    async with LocalServer(executor="scripted", database=file) as server:
        caller = Caller(server, http)
        task_id = await caller.create(enable_public_share=True)
        old = await caller.reached(task_id, "finished")
        assert server.revoke_links(task_id)
        assert not server.revoke_links("nothing")
        new = await caller.task(task_id)
    async with LocalServer(executor="scripted", database=file) as server:
        caller = Caller(server, http)
        for link in LINKS:
            paths = [str(URL(each[link]).path) for each in (old, new)]
            answers = [await caller.get(server.url + path, key=False) for path in paths]
            assert [answer.status for answer in answers] == [404, 200]


async def _share(caller: Caller, method: str, task_id: str) -> Answer:
    return await caller.ask(method, f"{caller.server.url}/admin/shares/{task_id}")


async def test_a_task_is_shared_later_and_unshared(dated, http):
    """A second call changes nothing; open public pages close, and the live page stays."""
    task_id = await dated.create()
    task = await dated.reached(task_id, "running")
    made = (await _share(dated, "PUT", task_id)).json["public_share_url"]
    again = (await _share(dated, "PUT", task_id)).json["public_share_url"]
    shown = await dated.get(made, key=False)
    async with live_socket(http, made) as page:
        await page.until(lambda: page.states)
        taken = await _share(dated, "DELETE", task_id)
        await page.drain()
    gone = await dated.get(made, key=False)
    twice = await _share(dated, "DELETE", task_id)
    after = await dated.task(task_id)
    other = (await _share(dated, "PUT", task_id)).json["public_share_url"]

    assert task["public_share_url"] is None
    assert made == again
    assert (shown.status, gone.status, page.closed_with) == (200, 404, WSCloseCode.POLICY_VIOLATION)
    assert taken.json == twice.json == {"public_share_url": None}
    assert (after["public_share_url"], after["live_url"]) == (None, task["live_url"])
    assert other != made


async def test_only_its_owner_shares_a_task(dated):
    """For others the task does not exist; an operator can only end its links."""
    task_id = await dated.create(enable_public_share=True)
    other = await dated.with_new_key("other", scopes=["run", "read", "admin"])
    answers = [await _share(other, method, task_id) for method in ("PUT", "DELETE")]

    assert [each.status for each in answers] == [404, 404]
    assert (await dated.task(task_id))["public_share_url"] is not None


async def test_pages_that_have_expired_are_not_shared(dated, page_clock):
    """The error says why."""
    task = await running_task(dated)
    await stop(dated, task["id"])
    page_clock.time += 31 * DAY
    refused = await _share(dated, "PUT", task["id"])

    assert (refused.status, "ended too long ago" in refused.text) == (410, True)
