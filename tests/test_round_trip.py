"""Every call of the SDK against the bundled server, over real sockets."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession, TaskStatus, errors
from browser_use_async.api.endpoint_table import ENDPOINTS
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.http.static_site import StaticSite

SCENARIOS = {
    "slow": Scenario(steps=("Wait",), step_seconds=0, hangs=True),
    "files": Scenario(steps=("Write",), step_seconds=0, output="Done", files={"a.csv": b"x,y\n"}),
}


async def _use_tasks(session: BrowserUseSession, tmp_path: Path) -> None:
    slow = (await session.tasks.run("slow")).id
    async for status in session.stream_status(slow):
        if status is TaskStatus.RUNNING:
            break
    await session.tasks.pause(slow)
    assert await session.tasks.get_status(slow) is TaskStatus.PAUSED
    await session.tasks.resume(slow)
    await session.tasks.stop(slow)
    task = await session.run_and_wait("files", included_file_names=["data.csv"])
    assert (task.output, task.user_uploaded_files) == ("Done", ["data.csv"])
    assert (await session.tasks.list(limit=1)).tasks[0].id == task.id
    assert (await session.tasks.get_media(task.id)).recordings == []
    assert len((await session.tasks.get_screenshots(task.id)).screenshots) == 1
    path = await session.files.download_output_file(task.id, "a.csv", tmp_path / "result.csv")
    assert path.read_bytes() == b"x,y\n"


async def _use_schedules(session: BrowserUseSession) -> None:
    begin = datetime(2099, 1, 1, tzinfo=UTC)
    created = await session.scheduled_tasks.create(
        "Look", schedule_type="interval", interval_minutes=5, start_at=begin, metadata={"a": "b"}
    )
    schedule = await session.scheduled_tasks.get(created.id)
    assert (schedule.next_run_at, schedule.metadata) == (begin, {"a": "b"})
    assert (await session.scheduled_tasks.list()).total_count == 1
    changed = await session.scheduled_tasks.update(created.id, is_active=False)
    assert (changed.is_active, changed.task) == (False, "Look")
    assert [each.id async for each in session.scheduled_tasks.iterate()] == [created.id]
    await session.scheduled_tasks.delete(created.id)
    with pytest.raises(errors.NotFoundError):
        await session.scheduled_tasks.get(created.id)


async def _use_profiles(session: BrowserUseSession) -> None:
    profile = await session.browser_profiles.create("Work", proxy_country_code="DE")
    changed = await session.browser_profiles.update(profile.profile_id, proxy=False)
    assert (changed.proxy, changed.proxy_country_code) == (False, "de")
    assert await session.browser_profiles.get(profile.profile_id) == changed
    assert (await session.browser_profiles.list()).total_count == 2
    names = [each.profile_name async for each in session.browser_profiles.iterate(page_size=1)]
    assert names == ["Default", "Work"]
    await session.browser_profiles.delete(profile.profile_id)
    with pytest.raises(errors.NotFoundError):
        await session.browser_profiles.get(profile.profile_id)


async def _use_search(session: BrowserUseSession, bakery: StaticSite) -> None:
    assert "six" in (await session.search.search_url(bakery.url, "bread")).content
    assert len(await session.search.simple_search("bread")) == 1


async def test_every_call_of_the_specification(bakery, tmp_path):
    """All of them, counted by the server; the answers have the values of the requests."""
    executor = ScriptedExecutor(SCENARIOS)
    async with (
        LocalServer(executor=executor, search=[bakery.url]) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        await session.ping()
        assert await session.account.me() is True
        assert await session.files.upload(b"a,b\n", file_name="data.csv") == "data.csv"
        await _use_tasks(session, tmp_path)
        await _use_schedules(session)
        await _use_profiles(session)
        await _use_search(session, bakery)
        assert (await session.account.get_balance()).cents < 1_000_000

        called = {row.name for row in ENDPOINTS} & set(server.requests)
    assert called == {row.name for row in ENDPOINTS}
