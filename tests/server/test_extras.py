"""The server without the packages of the extra `server`."""

import sys
from collections.abc import Callable

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from tests.server.calling import Caller

Hide = Callable[..., None]

DAILY = {"task": "Look", "schedule_type": "cron", "cron_expression": "0 8 * * *"}
HOURLY = {"task": "Look", "schedule_type": "interval", "interval_minutes": 60}


@pytest.fixture
def hide(monkeypatch):
    """Makes packages look as if they were not installed."""

    def hide(*names: str) -> None:
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)

    return hide


async def test_schedules_by_cron_expression_are_refused_without_cronsim(caller, hide):
    """Creating and changing fail with the name of the missing extra; intervals still work."""
    hide("cronsim")
    created = await caller.post("/scheduled-task", json=DAILY)
    hourly = await caller.post("/scheduled-task", json=HOURLY)
    changed = await caller.put(
        f"/scheduled-task/{hourly.json['id']}",
        json={"schedule_type": "cron", "cron_expression": "0 8 * * *"},
    )

    assert hourly.status == 200
    for answer in (created, changed):
        assert answer.status == 400
        assert answer.json["detail"] == (
            "A schedule by cron expression needs the extra `server` (cronsim): "
            "pip install 'browser-use-async[server]'"
        )


async def test_a_database_with_schedules_by_cron_expression_is_not_opened_without_cronsim(
    http, tmp_path, hide
):
    """They would silently not run; schedules that are switched off do not matter."""
    path = tmp_path / "server.db"
    async with LocalServer(executor="scripted", database=path) as server:
        schedule = (await Caller(server, http).post("/scheduled-task", json=DAILY)).json["id"]
    hide("cronsim")
    with pytest.raises(ConfigurationError, match=r"has schedules .* needs the extra `server`"):
        LocalServer(executor="scripted", database=path)
    sys.modules.pop("cronsim")
    async with LocalServer(executor="scripted", database=path) as server:
        change = {"is_active": False}
        await Caller(server, http).put(f"/scheduled-task/{schedule}", json=change)
    hide("cronsim")
    async with LocalServer(executor="scripted", database=path) as server:
        assert (await Caller(server, http).get("/scheduled-tasks")).json["total_count"] == 1


async def test_a_server_of_a_bare_installation_reads_pages(http, hide, monkeypatch):
    """Its tasks open pages and read them, without a browser and without the extra."""
    hide("PIL", "cronsim", "cryptography", "playwright")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    async with StaticSite(example_site_directory()) as site, LocalServer() as server:
        caller = Caller(server, http)
        task_id = await caller.create(f"Open {site.url} and tell me the title")
        task = await caller.reached(task_id, "finished")

    assert server.executor.name == "steps without a browser"
    assert task["output"] == "Tern & Tide Bicycles"


async def test_searches_need_no_extra(http, hide):
    """HTML is parsed by the standard library."""
    hide("PIL", "cronsim", "cryptography", "playwright")
    async with (
        StaticSite(example_site_directory()) as site,
        LocalServer(
            executor="scripted", chromium=ChromiumSettings(allow_private_addresses=[site.url])
        ) as server,
    ):
        answer = await Caller(server, http).post(
            "/search-url", json={"url": site.url, "query": "service plans"}
        )

    assert answer.status == 200, answer.text
    assert "Service plans" in answer.json["content"]


@pytest.mark.parametrize("executor", ["chromium", "browser", "browser_use"])
def test_an_executor_with_a_browser_names_its_extra(executor, hide):
    """Without Playwright the server is not created, and the error says what to install."""
    hide("playwright")
    with pytest.raises(ConfigurationError) as caught:
        LocalServer(executor=executor)

    assert str(caught.value) == (
        "The executors with a browser need the extra `browser` (playwright): "
        "pip install 'browser-use-async[browser]'"
    )


def test_auto_reads_pages_without_playwright(hide):
    """Where there is a browser and no Playwright, `auto` is `plain`."""
    hide("playwright")

    assert type(LocalServer().executor).__name__ == "PlainExecutor"


def test_a_playwright_without_driver_is_an_error(monkeypatch):
    """Some installations lack the program that drives the browser; the error says how to get it."""
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", "/nowhere/node")
    with pytest.raises(ConfigurationError, match=r"has no driver in .* --force-reinstall"):
        LocalServer(executor="chromium")
