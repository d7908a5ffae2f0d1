"""The headers that every response has."""

import pytest

from browser_use_async.server import LocalServer
from tests.server.calling import Caller
from tests.server.test_access import BEHIND, reachable

PATHS = (
    *("/", "/overview", "/icon.svg", "/openapi.json", "/nothing"),
    *("/api/v1/ping", "/api/v1/balance", "/api/v1/tasks"),
)


@pytest.mark.parametrize("path", PATHS)
async def test_the_server_names_no_versions(path, caller):
    """No header names the software of the server."""
    answer = await caller.get(caller.server.url + path)

    assert answer.headers["Server"] == "browser-use-async"
    assert "Strict-Transport-Security" not in answer.headers


async def test_encryption_is_asked_for(http):
    """Where others reach the server by https, browsers must use nothing else."""
    async with reachable(**BEHIND) as (server, here):
        answers = [await Caller(server, http).get(here + path) for path in PATHS]

    assert {each.headers["Strict-Transport-Security"] for each in answers} == {"max-age=31536000"}


async def test_pictures_are_for_pages_of_this_site(http):
    """Other sites cannot embed them."""
    async with LocalServer(executor="scripted") as server:
        caller = Caller(server, http)
        task_id = await caller.create()
        await caller.reached(task_id, "finished")
        (picture, *_) = (await caller.get(f"/task/{task_id}/screenshots")).json["screenshots"]
        answers = [await caller.get(url, key=False) for url in (picture, f"{server.url}/icon.svg")]
        page = await caller.get(server.url)

    assert [each.headers["Cross-Origin-Resource-Policy"] for each in answers] == ["same-site"] * 2
    assert "Cross-Origin-Resource-Policy" not in page.headers
