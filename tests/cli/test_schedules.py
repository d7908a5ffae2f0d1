import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.wire import bound_socket

from .running import environment, run, run_on_terminal


@pytest.mark.long
async def test_the_life_of_a_schedule(server):
    """It is created, shown, changed and deleted, and each step prints one JSON value."""
    env = environment(server)
    words = ("Look around", "--cron", "0 8 * * *", "--llm-model", "o3", "--metadata", "a=b")
    created = await run("schedules", "create", *words, env=env)
    schedule_id = created.json["id"]
    shown = await run("schedules", "show", schedule_id, env=env)
    updated = await run("schedules", "update", schedule_id, "--no-active", "--task", "Go", env=env)
    by_minutes = await run("schedules", "update", schedule_id, "--every", "90", env=env)
    by_cron = await run("schedules", "update", schedule_id, "--cron", "5 4 * * *", env=env)
    as_person = await run_on_terminal("schedules", "show", schedule_id, "--plain", env=env)
    as_json = await run_on_terminal("schedules", "show", schedule_id, "--plain", "--json", env=env)
    deleted = await run("schedules", "delete", schedule_id, env=env)

    assert f"schedules show {schedule_id}" in created.stderr
    assert shown.json["schedule_type"] == "cron"
    assert shown.json["next_run_at"].endswith("T08:00:00.000000Z")
    assert shown.json["llm_model"] == "o3"
    assert shown.json["metadata"] == {"a": "b"}
    assert updated.json == {
        **shown.json,
        "task": "Go",
        "is_active": False,
        "next_run_at": updated.json["next_run_at"],
        "updated_at": updated.json["updated_at"],
    }
    assert by_minutes.json["schedule_type"] == "interval"
    assert by_minutes.json["interval_minutes"] == 90
    assert by_cron.json["schedule_type"] == "cron"
    assert by_cron.json["cron_expression"] == "5 4 * * *"
    fields = dict(line.split(maxsplit=1) for line in as_person.splitlines() if "  " in line)
    assert fields["id"].strip() == schedule_id
    assert fields["is_active"] == "false"
    assert json.loads(as_json) == by_cron.json
    assert deleted.json == {"id": schedule_id, "deleted": True}
    for words in (("show",), ("update", "--active"), ("delete",)):
        gone = await run("schedules", *words, schedule_id, env=env)
        assert (gone.code, gone.stdout) == (3, ""), words


async def test_what_runs_at_once_is_said(server):
    """An interval without a start costs money now; neither does a later one, nor one that ended."""
    now, later, never = [
        await run("schedules", "create", "Go", "--every", "60", *words, env=environment(server))
        for words in ((), ("--start-at", "+2h"), ("--end-at", "2020-01-01"))
    ]

    assert now.code == later.code == never.code == 0
    assert "its first run begins at once, and is charged" in now.stderr
    assert "charged" not in later.stderr
    for result in (now, later):
        assert "next run: 20" in result.stderr
    assert never.stderr == "note: it never runs: its end has passed already\n"
    assert server.tasks_created == 1


@pytest.mark.long
async def test_times(server):
    """Start and end are times, or spans from now."""
    env = environment(server)
    words = ("Go", "--every", "60", "--start-at", "+2h", "--end-at", "2101-01-01T00:00+02:00")
    created = await run("schedules", "create", *words, env=env)
    shown = await run("schedules", "show", created.json["id"], env=env)
    start = datetime.fromisoformat(shown.json["start_at"])

    assert abs(start - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
    assert shown.json["end_at"] == "2100-12-31T22:00:00.000000Z"


@pytest.mark.torture
async def test_local():
    """`--local` tries a schedule on the bundled server, with the example site's address."""
    created = await run("schedules", "create", "Open {site}", "--every", "5", "--local")
    listed = await run("schedules", "list", "--local")

    assert created.code == 0
    assert list(created.json) == ["id"]
    assert "ends with this command" in created.stderr
    assert (listed.code, listed.stdout) == (0, "")


@pytest.mark.torture
async def test_no_server_listens():
    """A server that cannot be reached is exit code 4."""
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        env = environment(BROWSER_USE_BASE_URL=url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("schedules", "show", "some-id", env=env)

    assert result.code == 4


async def test_secrets_of_a_schedule(server, tmp_path):
    """A secret is read from a file, sent, and shown nowhere."""
    (tmp_path / "pin").write_text("canary-4711")
    words = ("Log in", "--every", "5", "--secret", f"pin=@{tmp_path / 'pin'}", "--verbose")
    env = environment(server)
    created = await run("schedules", "create", *words, env=env)

    assert created.code == 0
    assert "canary-4711" not in created.stdout + created.stderr
