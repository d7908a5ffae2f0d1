import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest

from browser_use_async import errors
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor

from .asgi import alive, request

EXAMPLES = Path(__file__).parents[2] / "examples"

SCENARIOS = {
    "Fail": Scenario(outcome="failed", reason="The page is on fire"),
    "Hang": Scenario(hangs=True),
    "Stroll": Scenario(steps=["One", "Two"], step_seconds=0.4),
}


@pytest.fixture(scope="module")
def example():
    """The example as a module, imported as uvicorn's `--app-dir examples` does."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        spec = importlib.util.spec_from_file_location("fastapi_app", EXAMPLES / "fastapi_app.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(EXAMPLES))
    return module


@pytest.fixture
async def app(example, monkeypatch):
    """The app while it runs, with a configured server."""
    async with LocalServer(executor=ScriptedExecutor(SCENARIOS)) as server:
        monkeypatch.setenv("BROWSER_USE_API_KEY", server.api_key)
        monkeypatch.setenv("BROWSER_USE_BASE_URL", server.base_url)
        async with alive(example.app):
            yield example.app


async def test_run_a_task(app):
    """A request runs a task and is answered with its output."""
    answer = await request(app, "POST", "/tasks", {"task": "Look around"})

    assert answer.status == 200
    assert answer.json["status"] == "finished"
    assert answer.json["output"] == "Done."


async def test_a_client_that_leaves(app):
    """The task of a client that has disconnected is stopped."""
    leaving, tasks = asyncio.Event(), app.state.session.tasks
    asked = asyncio.create_task(request(app, "POST", "/tasks", {"task": "Hang"}, leaving))
    while not (page := await tasks.list()).tasks or page.tasks[0].status != "running":  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    leaving.set()

    assert (await asked).status == 499
    assert (await tasks.get_status(page.tasks[0].id)) == "stopped"


@pytest.mark.looptime
async def test_events(app):
    """Status events arrive until the task has ended, then the stream ends."""
    late = await request(app, "POST", "/tasks", {"task": "Stroll", "timeout": 0.4})
    answer = await request(app, "GET", f"/tasks/{late.json['task_id']}/events")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.body == (b"event: status\ndata: running\n\nevent: status\ndata: finished\n\n")


async def test_events_of_no_task(app):
    """An unknown task is 404, and no stream begins."""
    answer = await request(app, "GET", "/tasks/nowhere/events")

    assert answer.status == 404
    assert answer.json["error"] == "NotFoundError"


@pytest.mark.looptime
async def test_takes_too_long(app):
    """A task that takes longer than a request may is answered with 504 and its id."""
    answer = await request(app, "POST", "/tasks", {"task": "Hang", "timeout": 0.4})

    assert answer.status == 504
    assert answer.json["task_id"]


async def test_failed(app):
    """A task that fails is 502, with its reason."""
    answer = await request(app, "POST", "/tasks", {"task": "Fail"})

    assert answer.status == 502
    assert "on fire" in answer.json["detail"]


@pytest.mark.parametrize("content", [{"task": ""}, {"task": "x", "timeout": -1}, {}])
async def test_wrong_request(app, content):
    """What FastAPI or the package refuses is 422."""
    answer = await request(app, "POST", "/tasks", content)

    assert answer.status == 422


async def test_wait_that_the_server_asks_for(example):
    """A rate limit is passed on with the pause that the service asked for."""
    error = errors.RateLimitError("slow down", retry_after=7.0)
    answer = await example.explain(None, error)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "7"


async def test_wrong_key(example, monkeypatch):
    """A wrong key of the app itself is answered with 500, and the key is not shown."""
    async with LocalServer(executor="scripted") as server:
        monkeypatch.setenv("BROWSER_USE_API_KEY", "bu_wrong_0815")
        monkeypatch.setenv("BROWSER_USE_BASE_URL", server.base_url)
        async with alive(example.app):
            answer = await request(example.app, "POST", "/tasks", {"task": "x"})

    assert answer.status == 500
    assert b"bu_wrong_0815" not in answer.body


@pytest.mark.torture  # where there is a browser it is started
async def test_without_a_key(example, monkeypatch):
    """Without a key the app starts the bundled server, which has a page to read."""
    for name in ("BROWSER_USE_API_KEY", "BROWSER_USE_BASE_URL"):
        monkeypatch.setenv(name, "")  # recorded, so that what the example sets is undone afterwards
    async with alive(example.app):
        page = example.app.state.page
        answer = await request(
            example.app, "POST", "/tasks", {"task": f"Open {page} and tell me its title"}
        )

    assert answer.status == 200
    assert answer.json["output"]
