"""A server whose tasks have a real browser, as clients see it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.executors.browser import locate
from tests.server.browser.pages import png_size, serve_pages
from tests.server.calling import Caller
from tests.support.patience import until

SECRET = "canary-in-the-form-7c1e"
TASK_SECONDS = 90.0  # for a task in a browser that has to be started first
OPEN = ChromiumSettings(allow_private_addresses=True)
# Shows the content of `/go` on the site, once there is one, and requests `/gone` then.
WAITING = """<title>Waiting</title><script>
  setInterval(async () => {
    const answer = await fetch("/go");
    if (!answer.ok) return;
    document.body.append(await answer.text());
    await fetch("/gone");
  }, 500);
</script><body></body>"""


@pytest.fixture
def server_options(browser_path):
    """A server that uses the programs that it finds."""
    return {"executor": "auto", "chromium": OPEN}


async def _steps(caller: Caller, task_id: str, count: int) -> None:
    def has_them() -> bool:
        record = caller.stored(task_id)
        return len(record.steps) >= count or record.status.is_terminal

    await until(has_them, TASK_SECONDS)


async def _ended(caller: Caller, task_id: str) -> dict[str, Any]:
    await until(lambda: caller.stored(task_id).status.is_terminal, TASK_SECONDS)
    task: dict[str, Any] = await caller.task(task_id)
    return task


async def test_pictures_while_it_runs_and_a_film_at_the_end(caller, site):
    """Each step has its screenshot at once, named by task and step; the recording comes last."""
    task_id = await caller.create(f"Open {site}/. Click Contact. Wait 5 s. Scroll down.")
    await _steps(caller, task_id, 2)
    early = (await caller.get(f"/task/{task_id}/screenshots")).json["screenshots"]
    status = (await caller.get(f"/task/{task_id}/status")).json
    ended = await _ended(caller, task_id)
    late = (await caller.get(f"/task/{task_id}/screenshots")).json["screenshots"]
    films = (await caller.get(f"/task/{task_id}/media")).json["recordings"]
    overview = (await caller.get(f"{caller.server.url}/admin/overview/{task_id}")).json

    assert (status, ended["status"]) == ("running", "finished")
    assert 2 <= len(early) < len(late)
    assert f"/files/{task_id}/{task_id}-step-1.png?" in early[0]
    picture = await caller.get(late[1], key=False)
    assert picture.headers["Content-Type"] == "image/png"
    assert png_size(picture.body) == (1280, 960)
    assert (overview["recorded_from"] is not None) is bool(films)
    for film in films:  # none without ffmpeg
        # Before the wait of five seconds is over: the pages of the first steps are in the
        # recording.
        assert (
            ended["created_at"] < overview["recorded_from"] < overview["steps_more"][2]["taken_at"]
        )
        assert f"/files/{task_id}/{task_id}-recording." in film
        answer = await caller.get(film, key=False)
        assert answer.status == 200
        assert answer.headers["Content-Type"] in {"video/mp4", "video/webm"}
        part = await caller.get(film, key=False, headers={"Range": "bytes=4-7"})
        assert part.status == 206


async def test_the_current_action_of_the_browser_is_shown(caller, site):
    """As the current instruction, without the executor's name, which is in the first step."""
    task_id = await caller.create(f"Open {site}/. Wait 60 s.")
    await _steps(caller, task_id, 1)
    async with asyncio.timeout(TASK_SECONDS):
        while (now := await _doing(caller, task_id)) is None:  # noqa: ASYNC110 - no event reports it
            await asyncio.sleep(0.02)
    await caller.put(f"/stop-task?task_id={task_id}")

    assert now == "Wait 60 s"


async def _doing(caller: Caller, task_id: str) -> str | None:
    answer = await caller.get(f"{caller.server.url}/admin/overview/{task_id}")
    doing: str | None = answer.json["doing"]
    return doing


async def test_both_kinds_of_media_can_be_switched_off(browser_path, http, site):
    """A server can store no pictures, and no recordings."""
    async with LocalServer(
        executor="chromium", chromium=OPEN, screenshots=False, recordings=False
    ) as server:
        caller = Caller(server, http)
        task_id = await caller.create(f"Open {site}/ and tell me the title")
        ended = await _ended(caller, task_id)
        pictures = (await caller.get(f"/task/{task_id}/screenshots")).json
        films = (await caller.get(f"/task/{task_id}/media")).json

    assert ended["output"] == "Tern & Tide Bicycles"
    assert (pictures, films) == ({"screenshots": []}, {"recordings": []})


async def test_pause_resume_and_stop(caller):
    """A paused task takes no step, a resumed one continues, a stopped one loses its page."""
    pages = {"/": WAITING}
    async with serve_pages(pages) as site:
        task_id = await caller.create(
            f"Open {site.url}/. Wait for Gone. Scroll down. Wait for rain."
        )
        await _steps(caller, task_id, 1)
        await caller.put(f"/pause-task?task_id={task_id}")
        pages["/go"] = "Gone"
        await until(lambda: site.asked.count("/gone"))  # the page shows the expected text
        await asyncio.sleep(0.5)
        paused = await caller.task(task_id)
        await caller.put(f"/resume-task?task_id={task_id}")
        await _steps(caller, task_id, 3)
        await caller.put(f"/stop-task?task_id={task_id}")
        executor = caller.server.executor
        await until(lambda: executor.view(task_id) is None)  # type: ignore[attr-defined]

    assert paused["status"] == "paused"
    assert len(paused["steps"]) == 1
    assert (await caller.task(task_id))["status"] == "stopped"


async def test_cookies_are_kept_with_the_profile(caller):
    """A task with the option saves its cookies, with which later tasks of the profile begin."""
    created = (await caller.post("/browser-profiles", json={"profile_name": "Shop"})).json
    async with serve_pages({"/": "<title>Shop</title>"}) as pages:
        profile = created["profile_id"]
        task = f"Open {pages.url}/?cookie=kept and tell me the title"
        first = await caller.create(task, save_browser_data=True, browser_profile_id=profile)
        ended = await _ended(caller, first)
        for chosen in ({"browser_profile_id": profile}, {}):
            again = await caller.create(f"Open {pages.url}/ and tell me the title", **chosen)
            await _ended(caller, again)
        came = [each for path, each in zip(pages.asked, pages.cookies, strict=True) if path == "/"]

    cookies = ended["browser_data"]["cookies"]
    assert [(each["name"], each["value"]) for each in cookies] == [("visited", "kept")]
    assert came == [{}, {"visited": "kept"}, {}]


async def test_no_secret_in_any_file(browser_path, http, site, tmp_path):
    """Neither answers nor the database have the value of a secret that was typed and echoed."""
    database = tmp_path / "server.db"
    async with LocalServer(executor="chromium", chromium=OPEN, database=database) as server:
        caller = Caller(server, http)
        task = (
            f"Open {site}/contact.html. Fill Your name with Ada. Fill email with a@b.example. "
            "Fill Your message with the secret pin. Submit the form. Wait for Thank you. Extract."
        )
        task_id = await caller.create(task, secrets={"pin": SECRET})
        ended = await _ended(caller, task_id)

    assert ended["status"] == "finished", ended
    assert "***" in str(ended["output"])
    assert SECRET not in json.dumps(ended)
    assert not _holding(tmp_path, SECRET)


def _holding(folder: Path, text: str) -> list[str]:
    """The files in a folder that contain a text."""
    return [each.name for each in folder.iterdir() if text.encode() in each.read_bytes()]


def test_no_browser(monkeypatch):
    """Without a browser `auto` is `plain`, and `chromium` says how to get one."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv(locate.VARIABLE, raising=False)
    with pytest.raises(ConfigurationError) as caught:
        LocalServer(executor="chromium")
    auto = LocalServer()

    assert "apt-get install chromium" in str(caught.value)
    assert type(auto.executor).__name__ == "PlainExecutor"


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_browser_that_is_not_there(monkeypatch, way):
    """A browser that was named and cannot start is an error, and no other one is used."""
    if way == "environment":
        monkeypatch.setenv(locate.VARIABLE, "/nowhere/chromium")
    settings = ChromiumSettings("/nowhere/chromium") if way == "argument" else None

    with pytest.raises(ConfigurationError, match="no browser '/nowhere/chromium'"):
        LocalServer(executor="auto", chromium=settings)


def test_a_browser_that_is_too_old(tmp_path):
    """A version without a needed feature is refused before anything starts."""
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho Chromium 90.0.4430.93\n")
    program.chmod(0o755)

    with pytest.raises(ConfigurationError, match="is version 90, and versions before 120 cannot"):
        LocalServer(executor="chromium", chromium=ChromiumSettings(program))
