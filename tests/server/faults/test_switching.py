"""Rules that are replaced while the server runs: in its loop, from another thread, over HTTP."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.server import Fault, LocalServer
from browser_use_async.server.threaded_server import ThreadedServer
from tests.server.faults.raw import exchange

PLACE = "/admin/faults"


async def test_rules_are_replaced(nothing_leaks):
    """From the next call on, and every count begins at zero."""
    first = [Fault("status", status=503), Fault("reset", "run_task")]
    async with LocalServer(executor="scripted", faults=first) as server:
        before = await exchange(server, "GET", "/api/v1/ping")
        assert (server.faults, server.faults_fired) == (tuple(first), {"status": 1})
        server.set_faults([Fault("garbage", calls=2)])
        after = [await exchange(server, "GET", "/api/v1/ping") for _ in range(3)]

    assert [before.status, *(each.status for each in after)] == [503, 200, 0, 200]
    assert server.faults_fired == {"garbage": 1}


async def test_a_server_without_faults(nothing_leaks):
    """By default a server has no faults."""
    async with LocalServer(executor="scripted") as server:
        shown = await exchange(server, "GET", PLACE)

    assert json.loads(shown.body) == {"faults": [], "fired": {}}
    assert server.faults == ()


async def test_over_http(nothing_leaks):
    """Tests in any language can change the rules and read which ones fired."""
    rules = [{"kind": "status", "operations": ["ping"], "status": 429, "calls": [2]}]
    async with LocalServer(executor="scripted") as server:
        replaced = await exchange(server, "PUT", PLACE, {"faults": rules})
        pings = [(await exchange(server, "GET", "/api/v1/ping")).status for _ in range(3)]
        shown = await exchange(server, "GET", PLACE)

    assert json.loads(replaced.body) == {"faults": rules, "fired": {}}
    assert pings == [200, 429, 200]
    assert json.loads(shown.body) == {"faults": rules, "fired": {"status ping": 1}}
    assert server.faults == (Fault("status", "ping", status=429, calls=2),)


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        ({"faults": [{"kind": "reset", "calls": 0}]}, "faults[0].calls: "),
        ({"faults": [{"kind": "explode"}]}, "faults[0].kind: "),
        ([], "faults: "),
        (None, ""),
    ],
    ids=str,
)
async def test_rules_that_are_refused(nothing_leaks, value, detail):
    """With 422 and the wrong field; the old rules stay."""
    async with LocalServer(executor="scripted", faults=[Fault("reset")]) as server:
        answer = await exchange(server, "PUT", PLACE, value)

    assert answer.status == 422
    assert json.loads(answer.body)["detail"].startswith(detail)
    assert server.faults == (Fault("reset"),)


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_the_key_is_needed(nothing_leaks, method):
    """A client without a key may not change the rules either."""
    async with LocalServer(executor="scripted", faults=[Fault("reset")]) as server:
        answer = await exchange(server, method, PLACE, {"faults": []}, key="wrong")

    assert answer.status == 401
    assert server.faults == (Fault("reset"),)


async def test_from_another_thread():
    """A server beside synchronous code has the same rules and counts."""
    with ThreadedServer(executor="scripted", faults=[Fault("status", status=503)]) as server:
        async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
            server.set_faults([Fault("status", "me", status=402)])
            await session.ping()
            with pytest.raises(errors.BrowserUseError):
                await session.account.me()
        fired = server.faults_fired

    assert fired == {"status me": 1}


class TestFixture:
    """The fixtures of the pytest plugin, as users use them."""

    @pytest.fixture
    def browser_use_server_options(self) -> Mapping[str, Any]:
        """Faults are an option like the others."""
        return {"faults": [Fault("lost_reply", "run_task", calls=1)]}

    async def test_a_lost_reply(
        self, browser_use_server: ThreadedServer, browser_use_session: BrowserUseSession
    ):
        """The reply is lost, and the search finds the one task."""
        task = await browser_use_session.run_and_wait("Pay the bill")

        assert task.status == "finished"
        assert browser_use_server.faults_fired == {"lost_reply run_task": 1}
        assert browser_use_server.tasks_created == 1
