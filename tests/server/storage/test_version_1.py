"""Files of version 1 of the database, which held documents: they open, and keep everything."""

import hashlib
import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from browser_use_async.server.encryption import KEY_VARIABLE
from tests.server.calling import Caller
from tests.server.steering import FromQueue
from tests.support.patience import until

KEY = "a key of the operator's own"
HERE = Path(__file__).parent
# Told by the server that wrote the file, at a moment when one task was at work.
TOLD: dict[str, Any] = json.loads((HERE / "version_1.json").read_text())
TIME = datetime.fromisoformat(TOLD["time"])
REASON = "The server was restarted while the task was at work"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file as version 1 of the database left it."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    connection = sqlite3.connect(tmp_path / "server.db")
    connection.executescript((HERE / "version_1.sql").read_text())
    connection.execute("PRAGMA application_id = 1651864421")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    return tmp_path / "server.db"


async def _told(api: Caller, place: str) -> Any:
    answer = await api.get(place)
    return json.loads(answer.text.replace(api.server.url, "URL"))


def _change_tasks(path: Path, expression: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE document SET body = {expression} WHERE kind = 'task'")
    connection.commit()
    connection.close()


def _tables_and_version(path: Path) -> tuple[set[str], int]:
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return {name for (name,) in tables}, version


_AS_FIRST_WRITTEN = "json_remove(body, '$.max_agent_steps')"


@pytest.mark.long
@pytest.mark.parametrize("starts", [1, 2])
@pytest.mark.parametrize("document", ["body", _AS_FIRST_WRITTEN], ids=["last", "first"])
async def test_everything_is_kept(
    document: str, starts: int, path: Path, http: aiohttp.ClientSession
):
    """Tasks, steps, files, balance, profiles, schedules and deliveries, at each later start too.

    The first servers of version 1 did not store all fields of a task yet.
    """
    _change_tasks(path, document)
    for _ in range(starts):
        async with LocalServer(database=path, executor=FromQueue(), now=lambda: TIME) as server:
            api = Caller(server, http)
            tasks = [await _told(api, f"/task/{each['id']}") for each in TOLD["tasks"]]
            page = await _told(api, "/tasks?limit=100")
            profiles = await _told(api, "/browser-profiles")
            schedule = await _told(api, f"/scheduled-task/{TOLD['schedule']['id']}")
            balance = await _told(api, "/balance")
            names = [name.split("/") for name in TOLD["files"]]
            files = [server.store.file(task_id, name) or b"" for task_id, name in names]
            sent = [
                [each.id, each.task_id, each.status, each.state, each.body.decode()]
                for each in server.deliveries
            ]  # fmt: skip

    *ended, working = tasks
    assert ended == TOLD["tasks"][:-1]
    assert (working["status"], working["steps"][:-1]) == ("failed", TOLD["tasks"][-1]["steps"])
    assert working["steps"][-1]["evaluation_previous_goal"] == REASON
    assert [row["id"] for row in page["tasks"]] == [row["id"] for row in TOLD["page"]["tasks"]]
    assert page["tasks"][1:] == TOLD["page"]["tasks"][1:]
    assert [hashlib.sha256(each).hexdigest() for each in files] == list(TOLD["files"].values())
    assert (profiles, schedule) == (TOLD["profiles"], TOLD["schedule"])
    assert float(balance["balance"]) == float(TOLD["balance"]["balance"]) - 2.5
    assert sent == [[*told, body] for *told, _attempts, body in TOLD["deliveries"]]


def test_a_document_that_no_server_wrote(path: Path):
    """Refused as damage, and nothing is changed."""
    _change_tasks(path, "'[]'")

    with pytest.raises(ConfigurationError, match=r"is damaged .*; restore it from a copy"):
        LocalServer(database=path)
    assert _tables_and_version(path) == ({"document", "secret", "file"}, 1)


async def test_what_was_sealed_opens(path: Path, http: aiohttp.ClientSession):
    """The secrets of the schedule, and the cookies of profile and upload of its next run."""
    executor = FromQueue()
    later = TIME + timedelta(days=31)
    async with LocalServer(database=path, executor=executor, now=lambda: later) as server:
        await until(lambda: executor.assignments)
        profile_id = TOLD["profiles"]["profiles"][1]["profile_id"]
        await Caller(server, http).create(browser_profile_id=profile_id)
        await until(lambda: len(executor.assignments) == 2)
        webhooks = [webhook.url for webhook in server.webhooks]

    scheduled, profiled = executor.assignments
    assert scheduled.secrets == {"password": "sealed-word"}
    assert scheduled.files == {"a.txt": b"uploaded"}
    assert [cookie["name"] for cookie in profiled.cookies] == ["session"]
    assert webhooks == [TOLD["receiver"]]


def test_a_disk_without_room_for_it(path: Path, monkeypatch: pytest.MonkeyPatch):
    """The file stays as it was, and the error says what to do."""
    before = path.read_bytes()
    connect = sqlite3.connect

    def connect_to_little(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.execute("PRAGMA max_page_count = 14")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_to_little)
    with pytest.raises(ConfigurationError, match="is full, and nothing was written; make room"):
        LocalServer(database=path)
    monkeypatch.undo()

    assert _tables_and_version(path) == ({"document", "secret", "file"}, 1)
    assert len(path.read_bytes()) == len(before)
    assert list(path.parent.iterdir()) == [path]
