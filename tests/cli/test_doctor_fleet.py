"""`doctor` and a database that several servers share."""

import psycopg
import pytest

from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.secrets.encryption import KEY_VARIABLE

from .running import Result, environment, run

KEY = "a-key-of-the-tests-0123456789"
FINE = ["database", "notifications", "tables", "server key"]


async def _checks(address: str, key: str = KEY) -> tuple[Result, dict[str, str]]:
    env = environment(DATABASE=address, **{KEY_VARIABLE: key})
    result = await run("doctor", "--local", "--database", "env:DATABASE", env=env)
    return result, {each["name"]: each["detail"] for each in result.json["checks"]}


async def _start(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    async with LocalServer(
        database=postgres, api_key="bu_of_the_doctors_tests_01", executor="scripted", drain=0
    ):
        pass


@pytest.mark.long
async def test_an_empty_database(postgres):
    """It is accepted, and stays unchanged."""
    result, details = await _checks(postgres)

    assert result.code == 0
    assert [name for name in details if name in FINE] == FINE
    assert "PostgreSQL" in details["database"]
    assert "the first server makes them" in details["tables"]
    with psycopg.connect(postgres) as connection:
        made = connection.execute("SELECT to_regnamespace('browser_use_server')").fetchone()
    assert made == (None,)


@pytest.mark.long
async def test_one_that_a_server_has_used(postgres, monkeypatch):
    """Tables, key and workers are shown."""
    await _start(postgres, monkeypatch)

    result, details = await _checks(postgres)

    assert result.code == 0
    assert "as this version has it" in details["tables"]
    assert "the one that the other servers have" in details["server key"]
    assert "0 tasks wait" in details["workers"]
    assert "node-url" not in details["workers"]  # it has ended


@pytest.mark.long
async def test_the_servers_of_a_fleet(postgres, monkeypatch):
    """Each is shown with its public address, its slots, and its number of tasks."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    key = "bu_of_the_doctors_tests_01"
    browsers = ChromiumSettings(max_browsers=3)
    async with LocalServer(
        database=postgres, api_key=key, executor="scripted", drain=0, chromium=browsers
    ):
        _, details = await _checks(postgres)

    assert "at no --node-url has 0 tasks in 3 slots" in details["workers"]


@pytest.mark.long
async def test_another_key(postgres, monkeypatch):
    """A key with which a server would not start is exit code 2."""
    await _start(postgres, monkeypatch)

    result, details = await _checks(postgres, "another-key-of-the-tests-0123")

    assert result.code == 2
    assert "does not open" in details["database"]
    assert "workers" not in details


@pytest.mark.long
async def test_tables_of_other_versions(postgres, monkeypatch):
    """A server would refuse both, and the check says what to do."""
    await _start(postgres, monkeypatch)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("UPDATE browser_use_server.schema_version SET version = 3")
        former, older = await _checks(postgres)
        connection.execute("UPDATE browser_use_server.schema_version SET version = 99")
        refused, newer = await _checks(postgres)

    assert (former.code, refused.code) == (2, 2)
    assert "version before 1.0.0 (schema 3" in older["database"]
    assert "newer version of this server (schema 99" in newer["database"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("postgresql://me:hush@127.0.0.1:9/tasks", "cannot be reached"),
        ("tasks.db", "share a database in PostgreSQL"),
        ("", "--database: the environment variable is not set"),
    ],
)
async def test_none(address, words):
    """The machine is checked, too, and no password is shown."""
    pytest.importorskip("psycopg_pool")

    result, details = await _checks(address)

    assert result.code == 2
    assert words in details["database"]
    assert "hush" not in result.stderr + result.stdout
    assert "installation" in details
