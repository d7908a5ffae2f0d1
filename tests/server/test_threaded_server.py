"""The server in a thread of its own, for synchronous code."""

import json
import threading
import time
import urllib.request

import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.threaded_server import ThreadedServer
from tests.support.patience import PATIENCE


def _ask(server: ThreadedServer, method: str, path: str, body: object = None) -> object:
    request = urllib.request.Request(
        server.base_url + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {server.api_key}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as response:
        return json.load(response)


def test_synchronous_code_runs_a_task():
    """The client uses only the standard library."""
    with ThreadedServer(executor="scripted", api_key="bu_test_in_a_thread") as server:
        created = _ask(server, "POST", "/run-task", {"task": "Do it"})
        listed = _ask(server, "GET", "/tasks")
        counted = server.requests

        assert server.base_url == server.url + "/api/v1"
        assert server.api_key == "bu_test_in_a_thread"
        assert [row["id"] for row in listed["tasks"]] == [created["id"]]
        assert counted == {"run_task": 1, "list_tasks": 1}
        assert server.tasks_created == 1


def test_its_data_can_be_read_in_any_thread():
    """Copies of the tasks at that moment; also after the end."""
    with ThreadedServer(executor="scripted", balance_cents=100) as server:
        created = _ask(server, "POST", "/run-task", {"task": "Do it", "max_agent_steps": 7})
        record = server.store.task(created["id"])
        assert record is not None
        record.steps.clear()
        record.task = "Changed here only"
        while not server.store.tasks[0].status.is_terminal:
            time.sleep(0.01)
        (now,) = server.store.tasks
        picture = server.store.file(now.id, now.screenshots[0])

    assert (now.task, now.status, len(now.steps)) == ("Do it", "finished", 2)
    assert now.request is not None
    assert now.request.max_agent_steps == 7
    assert picture is not None
    assert picture.startswith(b"\x89PNG")
    assert server.balance_cents == 100 - now.cost_cents
    assert server.store.task_count == 1
    assert server.store.tasks[0].id == now.id
    assert server.store.task("nowhere") is None
    assert server.deliveries == ()


def test_the_thread_ends_with_it():
    """Its counts can still be read."""
    before = set(threading.enumerate())  # of which those of earlier tests may end meanwhile
    with ThreadedServer(executor="scripted") as server:
        _ask(server, "GET", "/me")
        assert set(threading.enumerate()) - before
    server.close()

    assert set(threading.enumerate()) <= before
    assert server.requests == {"me": 1}


def test_a_start_that_fails_raises_here():
    """In the calling thread, not in the other one."""
    with ThreadedServer(executor="scripted") as server:
        port = int(server.url.rsplit(":")[-1])
        before = set(threading.enumerate())
        with pytest.raises(ConfigurationError, match="cannot listen"):
            ThreadedServer(executor="scripted", port=port).start()

        assert set(threading.enumerate()) <= before


def test_wrong_options_raise_at_once():
    """No thread is started for them."""
    with pytest.raises(ConfigurationError):
        ThreadedServer(executor="magic")
