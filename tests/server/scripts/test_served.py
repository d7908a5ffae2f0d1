"""Scripts of a server: recorded by the first task, played by the others, edited by people."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.storage import scripts
from browser_use_async.testing import ScriptedExecutor
from tests.server.browser.pages import Site
from tests.server.calling import Caller
from tests.server.scripts.test_playing import CITIES, SCHEMA, task_of
from tests.support.patience import until

TASK_SECONDS = 90.0
OPEN = ChromiumSettings(allow_private_addresses=True)


@pytest.fixture
def server_options(browser_path):
    """A server whose tasks have a browser and no model."""
    return {"executor": "chromium", "chromium": OPEN, "recordings": False}


def pairs(name: str) -> dict[str, str]:
    """The metadata of a task that names the script."""
    return {"bu_async.script": "office", "bu_async.inputs": json.dumps({"company": name})}


async def create(caller: Caller, company_site: Site, name: str) -> str:
    """Create a task for a company."""
    return await caller.create(
        task_of(company_site, name), metadata=pairs(name), structured_output_json=json.dumps(SCHEMA)
    )


async def end_of(caller: Caller, task_id: str) -> dict[str, Any]:
    """Wait for the end of a task."""
    await until(lambda: caller.stored(task_id).status.is_terminal, TASK_SECONDS)
    task: dict[str, Any] = await caller.task(task_id)
    return task


async def test_one_task_records_and_the_others_play(caller, company_site):
    """Tasks that are created together wait for the one that records; none does it twice."""
    names = [*CITIES] * 2
    created = [await create(caller, company_site, name) for name in names]
    tasks = await asyncio.gather(*(end_of(caller, each) for each in created))

    for name, task in zip(names, tasks, strict=True):
        assert task["status"] == "finished", task
        assert json.loads(task["output"]) == {"company": name, "city": CITIES[name]}
    goals = [[step["next_goal"] for step in task["steps"]] for task in tasks]
    assert [any(goal.startswith("Script: ") for goal in each) for each in goals] == [
        False, *[True] * 5,
    ]  # fmt: skip
    (listed,) = (await caller.get(f"{caller.server.url}/admin/scripts")).json["scripts"]
    assert (listed["name"], listed["version"], listed["origin"]) == ("office", 1, "recorded")
    assert (listed["plays"], listed["failures"], listed["steps"]) == (5, 0, 20)
    assert (listed["task_id"], listed["model_calls"]) == (created[0], 0)


async def test_a_script_that_is_edited_is_played_from_then_on(caller, company_site):
    """An edited version is checked before it is stored, and each owner has scripts of their own."""
    await end_of(caller, await create(caller, company_site, "Blue Mill"))
    url = f"{caller.server.url}/admin/scripts/office"
    recorded = (await caller.get(f"{url}/1")).json
    refused = await caller.put(url, json={"text": recorded["text"].replace("click", "clik")})
    other = await caller.put(
        url, json={"text": recorded["text"].replace("script office", "script b")}
    )
    kept = await caller.put(url, json={"text": f"# by hand\n{recorded['text']}"})
    task = await end_of(caller, await create(caller, company_site, "Old Mill"))
    stranger = await caller.with_new_key("stranger")

    assert (refused.status, "clik" in refused.text, "click TEXT" in refused.text) == (
        422, True, True,
    )  # fmt: skip
    assert "the script is called b" in other.text
    assert (kept.json["version"], kept.json["origin"]) == (2, "edited")
    assert json.loads(task["output"])["city"] == "Graz"
    assert [each["plays"] for each in (await caller.get(url)).json["versions"]] == [1, 0]
    assert (await stranger.get(f"{caller.server.url}/admin/scripts")).json == {"scripts": []}
    assert (await stranger.get(url)).status == 404
    await stranger.put(url, json={"text": recorded["text"]})  # the same name and version
    (own,) = (await stranger.get(f"{caller.server.url}/admin/scripts")).json["scripts"]
    assert (own["version"], own["origin"]) == (1, "edited")
    assert (await caller.ask("DELETE", url)).status == 200
    assert (await caller.get(url)).status == 404


async def test_the_latest_fifty_versions_are_kept():
    """A new version removes the oldest, and the number of each stays."""
    async with (
        LocalServer(executor="scripted") as server,
        aiohttp.ClientSession() as http,
    ):
        caller = Caller(server, http)
        url = f"{server.url}/admin/scripts/front"
        for number in range(1, 53):
            text = f"# {number}\nscript front\nopen https://example.com/\n"
            assert (await caller.put(url, json={"text": text})).json["version"] == number
        versions = (await caller.get(url)).json["versions"]

    assert [each["version"] for each in versions] == [*range(52, 2, -1)]


async def test_lists_of_scripts_have_no_texts():
    """A text is read by its own call; counts of all versions stand beside the latest."""
    async with (
        LocalServer(executor="scripted") as server,
        aiohttp.ClientSession() as http,
    ):
        caller = Caller(server, http)
        for name, count in (("a", 2), ("b", 1)):
            for number in range(count):
                text = f"# {number}{'x' * 90_000}\nscript {name}\nopen https://example.com/\n"
                await caller.put(f"{server.url}/admin/scripts/{name}", json={"text": text})
        listed = await caller.get(f"{server.url}/admin/scripts")
        versions = await caller.get(f"{server.url}/admin/scripts/a")
        first = (await caller.get(f"{server.url}/admin/scripts/a/1")).json
        none = await caller.get(f"{server.url}/admin/scripts/a/3")
        odd = await caller.get(f"{server.url}/admin/scripts/a/x")

    assert [(each["name"], each["version"]) for each in listed.json["scripts"]] == [
        ("a", 2),
        ("b", 1),
    ]
    assert max(len(listed.text), len(versions.text)) < 1000
    assert len(first["text"]) > 90_000
    assert (none.status, odd.status) == (404, 422)


async def test_scripts_of_an_owner_are_bounded(monkeypatch):
    """More are refused with the limit, also for a task, before it is paid for; others have room."""
    monkeypatch.setattr(scripts, "MOST_NAMES", 2)
    async with (
        LocalServer(executor="scripted") as server,
        aiohttp.ClientSession() as http,
    ):
        caller = Caller(server, http)
        url = f"{server.url}/admin/scripts"
        text = "script s{}\nopen https://example.com/\n"
        for number in range(2):
            await caller.put(f"{url}/s{number}", json={"text": text.format(number)})
        more = await caller.put(f"{url}/more", json={"text": text.format(0)})
        task = await caller.post(
            "/run-task", json={"task": "x", "metadata": {"bu_async.script": "m"}}
        )
        known = await caller.put(f"{url}/s1", json={"text": "# new\n" + text.format(1)})
        long = await caller.put(f"{url}/s1", json={"text": "#" * 100_001})
        stranger = await caller.with_new_key("stranger")
        other = await stranger.put(f"{url}/s1", json={"text": text.format(1)})

    most = "there are 2 scripts of this key already, which are the most"
    assert (more.status, task.status, long.status) == (422, 422, 422)
    assert most in more.text
    assert most in task.text
    assert "a script may have 100,000 characters" in long.text
    assert (known.json["version"], other.json["version"]) == (2, 1)


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"bu_async.script": "a b"}, "is no name of a script"),
        ({"bu_async.script": "a", "bu_async.inputs": "[]"}, "must be a JSON object of texts"),
        ({"bu_async.script": "a", "bu_async.inputs": '{"b":1}'}, "must be a JSON object of texts"),
        ({"bu_async.script": "a", "bu_async.inputs": '{"b c":"d"}'}, "is no name of an input"),
    ],
)
async def test_pairs_that_name_no_script_are_refused(caller, metadata, reason):
    """They are refused before the task is paid for."""
    answer = await caller.post("/run-task", json={"task": "Do it", "metadata": metadata})

    assert answer.status == 422
    assert reason in answer.text


class Own(ScriptedExecutor):
    """An executor that knows nothing of scripts."""

    name = "own"
    ignores_scripts = False


@pytest.mark.parametrize(
    ("executor", "name"),
    [("plain", "steps without a browser"), (Own(), "own")],
    ids=["plain", "own"],
)
async def test_a_script_that_cannot_be_played_is_refused(executor, name):
    """It would be neither recorded nor played, and nobody would be told."""
    async with (
        LocalServer(executor=executor, balance_cents=100) as server,
        aiohttp.ClientSession() as http,
    ):
        caller = Caller(server, http)
        answer = await caller.post("/run-task", json={"task": "Do it", "metadata": pairs("x")})
        balance = (await caller.get("/balance")).json

    assert answer.status == 422
    assert f"neither records nor plays the script office: its executor is the {name}" in answer.text
    assert "take a server with the executor chromium or browser_use" in answer.text
    assert balance["balance"] == "100"
    assert not server.store.tasks


async def test_an_input_that_is_missing_is_named(caller, company_site):
    """No page is opened for it."""
    await end_of(caller, await create(caller, company_site, "Blue Mill"))
    asked = len(company_site.asked)
    task_id = await caller.create("Find it", metadata={"bu_async.script": "office"})
    task = await end_of(caller, task_id)

    assert task["status"] == "failed"
    assert "needs the input “company”" in task["steps"][-1]["evaluation_previous_goal"]
    assert len(company_site.asked) == asked


async def test_scripts_of_a_folder_are_loaded(tmp_path):
    """Once for each text; an invalid file is refused with its line."""
    text = "script prices\n\nopen https://shop.example/\n"
    (tmp_path / "prices.script").write_text(text)
    database = tmp_path / "server.db"
    async with aiohttp.ClientSession() as http:
        for _ in range(2):
            async with LocalServer(executor="scripted", scripts=tmp_path, database=database) as it:
                url = f"{it.url}/admin/scripts/prices"
                (listed,) = (await Caller(it, http).get(url)).json["versions"]
                version = (await Caller(it, http).get(f"{url}/{listed['version']}")).json
    assert (version["version"], version["origin"], version["text"]) == (1, "loaded", text)

    (tmp_path / "wrong.script").write_text("script wrong\nopn https://shop.example/\n")
    with pytest.raises(ConfigurationError, match=r"wrong\.script: line 2: .*open ADDRESS"):
        LocalServer(executor="scripted", scripts=tmp_path)
    with pytest.raises(ConfigurationError, match="there is no folder"):
        LocalServer(executor="scripted", scripts=tmp_path / "none")
