"""The life of a task that the hosted service runs."""

import asyncio
from decimal import Decimal
from uuid import uuid4

import aiohttp
import pytest

from browser_use_async.errors import BadRequestError, InternalServerError
from browser_use_async.types import TaskStatus
from tests.server.calling import Caller
from tests.server.remote.conftest import Opens
from tests.support.hosted.service import Course, Fault, HostedService
from tests.support.hosted.v4 import HostedV4
from tests.support.patience import PATIENCE, until


async def test_a_task_is_done_there_and_kept_here(hosted: HostedService, opens: Opens) -> None:
    """Its steps, output, files, recording, pages and cost are those of the service."""
    hosted.courses["report"] = Course(looks=3, files={"out/report.csv": b"a,b"})
    async with opens(hosted) as door:
        task = await door.session.run_and_wait("Write a report", enable_public_share=True)
        media = await door.session.tasks.get_media(task.id)
        link = await door.session.tasks.get_output_file(task.id, "report.csv")
        row = (await door.session.tasks.list()).tasks[0]

        assert door.server.store.file(task.id, "report.csv") == b"a,b"
        # The task, its proxy and its browser; the start was charged at once.
        assert door.server.balance_cents == 100 - Decimal("4.1")
    assert task.output == "Done there."
    assert [each.next_goal for each in task.steps][-2:] == ["Goal 2", "Goal 3"]
    assert row.live_url == task.live_url
    assert str(task.live_url).startswith("https://live.example/")
    assert str(task.public_share_url).startswith(f"{hosted.url}/share/")
    assert [each.rpartition(".")[2][:3] for each in media.recordings or ()] == ["mp4"]
    assert "report.csv" in link.download_url
    assert hosted.paid == {"Write a report": 1}


async def test_what_is_done_there_now_is_shown_here(
    hosted: HostedService, opens: Opens, http: aiohttp.ClientSession
) -> None:
    """It is the goal of the newest step at the service, until the task ends."""
    async with opens(hosted) as door:
        api = Caller(door.server, http)
        task_id = await api.create("Wait 30 seconds")
        await api.reached(task_id, "running", steps=1)

        async def row() -> dict[str, str | None]:
            (row,) = (await api.get(f"{door.server.url}/admin/overview")).json["tasks"]
            return dict(row)

        async with asyncio.timeout(PATIENCE):
            # A step is stored a moment before it is the current one, and the next one comes soon.
            while (now := await row())["doing"] is None or now["doing"] != now["goal"]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            await api.put(f"/stop-task?task_id={task_id}")
            while (await row())["doing"] is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

        assert (await row())["status"] == "stopped"


async def test_downloads_of_the_browser_are_files(hosted: HostedV4, opens: Opens) -> None:
    """Those of the workspace and of the browser; the task's own uploads are left out."""
    hosted.courses["milk"] = Course(files={"report.csv": b"a", "old/report.csv": b"b"})
    async with opens(hosted) as door:
        await door.session.files.upload(b"list", file_name="list.txt")
        task = await door.session.run_and_wait("Buy milk", included_file_names=["list.txt"])

    assert task.output_files == ["report.csv", "report-2.csv", "bill.pdf"]
    assert hosted.uploads == {"list.txt": b"list"}
    assert hosted.bodies["POST /runs"][0]["attachedFileIds"] == list(hosted.attached)


async def test_a_file_that_a_run_does_not_find(hosted: HostedV4, opens: Opens) -> None:
    """The service continues without a given file, and the first step says so."""
    hosted.lost = {"list.txt"}
    hosted.strange = [str(uuid4())]
    async with opens(hosted) as door:
        for name in ("list.txt", "more.txt"):
            await door.session.files.upload(b"list", file_name=name)
        names = ["list.txt", "more.txt"]
        task = await door.session.run_and_wait("Buy milk", included_file_names=names)
        other = await door.session.run_and_wait("Buy milk", included_file_names=["more.txt"])

    first, *rest = [each.evaluation_previous_goal for each in task.steps]
    assert first == "The service does not find files that it was given: ['list.txt']."
    assert not any(rest)
    assert not any(each.evaluation_previous_goal for each in other.steps)


async def test_an_answer_follows_its_schema(hosted: HostedV4, opens: Opens) -> None:
    """The structured output of a run is JSON text, as in v1."""
    schema = '{"type": "object", "properties": {"answer": {"type": "integer"}}}'
    async with opens(hosted) as door:
        task = await door.session.run_and_wait("Buy milk", structured_output_json=schema)

    assert task.output == '{"answer": 42}'


@pytest.mark.long
async def test_a_stop_reaches_the_service(hosted: HostedService, opens: Opens) -> None:
    """The task and its browser end there, and its cost is charged."""
    async with opens(hosted) as door:
        handle = await door.session.submit("Wait 30 seconds")
        await until(lambda: hosted.paid.total() == 1)
        await handle.stop()
        task = await handle.wait()
        await until(lambda: hosted.at_work == 0)
        await until(lambda: door.server.balance_cents < 97)

    assert task.status is TaskStatus.STOPPED


async def test_nothing_goes_on_there_without_a_file(hosted: HostedService, opens: Opens) -> None:
    """A server that forgets its tasks stops them before it closes."""
    async with opens(hosted) as door:
        await door.session.submit("Wait 30 seconds")
        await until(lambda: hosted.paid.total() == 1)

    assert hosted.at_work == 0


async def test_a_pause_is_refused(hosted: HostedService, opens: Opens) -> None:
    """With the reason; the task goes on."""
    async with opens(hosted) as door:
        handle = await door.session.submit("Wait 30 seconds")
        with pytest.raises(BadRequestError, match="cannot pause"):
            await handle.pause()
        await handle.stop()


async def test_a_profile_is_the_same_one_there(hosted: HostedService, opens: Opens) -> None:
    """It is created at its first use, found again later, and has the name and id of ours."""
    create = "POST /runs"
    async with opens(hosted) as door:
        profile = await door.session.browser_profiles.create("Shop")
        for _ in range(2):
            await door.session.run_and_wait(
                "Buy milk", browser_profile_id=profile.profile_id, save_browser_data=True
            )

    assert [each["name"] for each in hosted.profiles] == [f"Shop {profile.profile_id}"]
    bodies = hosted.bodies[create]
    named = [each.get("browserSettings", each)["profileId"] for each in bodies]
    assert named == [hosted.profiles[0]["id"]] * 2


@pytest.mark.long
async def test_a_deleted_profile_is_deleted_there(hosted: HostedService, opens: Opens) -> None:
    """With its logins; after a refusal it stays here, and an unused one is only here."""
    operation = "DELETE /profiles/{profile_id}"
    async with opens(hosted, is_lenient=True) as door:
        profiles = door.session.browser_profiles
        used, other = await profiles.create("Shop"), await profiles.create("Bank")
        await door.session.run_and_wait("Buy milk", browser_profile_id=used.profile_id)
        hosted.faults += [Fault(operation, 422, {"detail": "It is in use"}, times=4)]
        with pytest.raises(InternalServerError, match="It is in use"):
            await profiles.delete(used.profile_id)
        kept = await profiles.get(used.profile_id)
        hosted.faults.clear()
        await profiles.delete(used.profile_id)
        await profiles.delete(other.profile_id)

        left = (await profiles.list()).profiles
    assert [each.profile_name for each in left] == ["Default"]
    assert kept == used
    assert hosted.profiles == []


async def test_a_renamed_profile_is_renamed_there(hosted: HostedService, opens: Opens) -> None:
    """A refusal changes nothing here; an unused profile is only here until its first use."""
    operation = "PATCH /profiles/{profile_id}"
    async with opens(hosted, is_lenient=True) as door:
        profiles = door.session.browser_profiles
        used, other = await profiles.create("Shop"), await profiles.create("Bank")
        await door.session.run_and_wait("Buy milk", browser_profile_id=used.profile_id)
        hosted.faults += [Fault(operation, 422, {"detail": "It is in use"}, times=4)]
        with pytest.raises(InternalServerError, match="It is in use"):
            await profiles.update(used.profile_id, profile_name="Store", description="Milk")
        kept = await profiles.get(used.profile_id)
        hosted.faults.clear()
        await profiles.update(used.profile_id, profile_name="S" * 200)
        await profiles.update(used.profile_id, description="Milk")
        await profiles.update(other.profile_id, profile_name="Exchange")
        await door.session.run_and_wait("Buy milk", browser_profile_id=other.profile_id)

        names = [each.profile_name for each in (await profiles.list()).profiles]
    assert names == ["Default", "S" * 200, "Exchange"]
    assert kept == used
    assert hosted.calls[operation] == 5
    there = [f"{'S' * 63} {used.profile_id}", f"Exchange {other.profile_id}"]
    assert [each["name"] for each in hosted.profiles] == there


async def test_a_profile_that_keeps_nothing_more(hosted: HostedService, opens: Opens) -> None:
    """Its data there are deleted as here; its next use creates another one, by its name."""
    operation = "DELETE /profiles/{profile_id}"
    async with opens(hosted, is_lenient=True) as door:
        profiles = door.session.browser_profiles
        profile = await profiles.create("Shop")
        await door.session.run_and_wait("Buy milk", browser_profile_id=profile.profile_id)
        (before,) = hosted.profiles
        hosted.faults += [Fault(operation, 422, {"detail": "It is in use"}, times=4)]
        with pytest.raises(InternalServerError, match="It is in use"):
            await profiles.update(profile.profile_id, persist=False, profile_name="Store")
        kept = await profiles.get(profile.profile_id)
        hosted.faults.clear()
        await profiles.update(profile.profile_id, persist=False, profile_name="Store")
        left = list(hosted.profiles)
        await door.session.run_and_wait("Buy milk", browser_profile_id=profile.profile_id)

    assert kept == profile
    assert left == []
    assert [each["name"] for each in hosted.profiles] == [f"Store {profile.profile_id}"]
    assert hosted.profiles[0]["id"] != before["id"]


async def test_a_profile_that_is_missing_there_is_made_again(
    hosted: HostedService, opens: Opens
) -> None:
    """It was deleted at the dashboard: a new name here finds that out, and is not refused."""
    async with opens(hosted, is_lenient=True) as door:
        profiles = door.session.browser_profiles
        profile = await profiles.create("Shop")
        for name in ("Store", "Market"):
            await door.session.run_and_wait("Buy milk", browser_profile_id=profile.profile_id)
            hosted.profiles.clear()
            profile = await profiles.update(profile.profile_id, profile_name=name)
        await door.session.run_and_wait("Buy milk", browser_profile_id=profile.profile_id)

    assert [each["name"] for each in hosted.profiles] == [f"Market {profile.profile_id}"]


async def test_a_run_that_is_late_to_be_seen_goes_on(hosted: HostedV4, opens: Opens) -> None:
    """A new run may be unknown for seconds, and its end may come without an event."""
    hosted.unseen, hosted.has_late_events = 5, True
    async with opens(hosted) as door:
        task = await door.session.run_and_wait("Buy milk")

    assert task.output == "Done there."
