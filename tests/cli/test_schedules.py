import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.cli.times import local_time
from browser_use_async.server import LocalServer
from tests.support.wire import bound_socket

from .running import environment, run, run_on_terminal


async def _ids(server: LocalServer, count: int) -> list[str]:
    """The ids of some schedules that run every hour."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        made = [
            await session.scheduled_tasks.create(
                f"Look around {number}",
                schedule_type="interval",
                interval_minutes=60,
                start_at=datetime(2100, 1, 1, tzinfo=UTC),
                end_at=datetime(2101, 1, 1, tzinfo=UTC),
            )
            for number in range(count)
        ]
    return [each.id for each in made]


@pytest.mark.long
async def test_the_life_of_a_schedule(server):
    """It is created, shown, changed and deleted, and each step prints one JSON value."""
    env = environment(server)
    words = ("Look around", "--cron", "0 8 * * *", "--llm-model", "o3", "--metadata", "a=b")
    created = await run("schedules", "create", *words, env=env)
    schedule_id = created.json["id"]
    shown = await run("schedules", "show", schedule_id, env=env)
    updated = await run("schedules", "update", schedule_id, "--no-active", "--task", "Go", env=env)
    deleted = await run("schedules", "delete", schedule_id, env=env)
    gone = await run("schedules", "show", schedule_id, env=env)

    assert [each.code for each in (created, shown, updated, deleted, gone)] == [0, 0, 0, 0, 3]
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
    assert deleted.json == {"id": schedule_id, "deleted": True}
    assert gone.stdout == ""


@pytest.mark.long
async def test_another_rhythm(server):
    """A schedule is moved from an interval to a cron expression and back."""
    [schedule_id] = await _ids(server, 1)
    env = environment(server)
    by_cron = await run("schedules", "update", schedule_id, "--cron", "5 4 * * *", env=env)
    by_minutes = await run("schedules", "update", schedule_id, "--every", "90", env=env)

    assert by_cron.json["schedule_type"] == "cron"
    assert by_cron.json["cron_expression"] == "5 4 * * *"
    assert by_minutes.json["schedule_type"] == "interval"
    assert by_minutes.json["interval_minutes"] == 90


async def test_what_runs_at_once_is_said(server):
    """An interval without a start runs now and costs money; with a later start it does not."""
    env = environment(server)
    now = await run("schedules", "create", "Go", "--every", "60", env=env)
    later = await run("schedules", "create", "Go", "--every", "60", "--start-at", "+2h", env=env)

    assert now.code == later.code == 0
    assert "its first run begins at once, and is charged" in now.stderr
    assert "charged" not in later.stderr
    for result in (now, later):
        assert "next run: 20" in result.stderr
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


async def test_an_end_that_has_passed(server):
    """No run and no cost is announced for a schedule that has ended before it begins."""
    words = ("Go", "--every", "60", "--end-at", "2020-01-01")
    created = await run("schedules", "create", *words, env=environment(server))

    assert created.code == 0
    assert created.stderr == "note: it never runs: its end has passed already\n"


async def test_a_list_with_one_that_has_ended(server):
    """Its end is not shown as a next run."""
    env = environment(server)
    await run("schedules", "create", "Go", "--every", "60", "--end-at", "2020-01-01", env=env)
    written = await run_on_terminal("schedules", "list", "--plain", env=env, columns=110)

    assert re.search(r"every 60 min\s+ended\s+Go", written)
    assert "2020-01-01" not in written


async def test_times_have_a_zone(server):
    """A cron expression is in UTC, and the next run in the local time that its heading names."""
    env = {**environment(server), "TZ": "HERE5"}  # five hours behind UTC, all year
    created = await run("schedules", "create", "Go", "--cron", "0 8 * * *", env=env)
    written = await run_on_terminal("schedules", "list", "--plain", env=env, columns=120)

    assert re.search(r"next run: 20\S+ 03:00:00 UTC-5\n", created.stderr)
    assert re.search(r"RUNS +NEXT RUN \(UTC-5\) +TASK", written)
    assert re.search(r"0 8 \* \* \* UTC +20\S+ 03:00:00 +Go", written)


@pytest.mark.parametrize(
    ("zone", "shown"), [("UTC0", "UTC"), ("AAA-5:30", "UTC+5:30"), ("BBB3:30", "UTC-3:30")]
)
async def test_zones_by_their_distance(server, zone, shown):
    """The heading of times in a table has the distance from UTC."""
    env = {**environment(server), "TZ": zone}
    await run("run", "Look", "--detach", env=env)
    written = await run_on_terminal("tasks", "--plain", env=env, columns=120)

    assert f" CREATED ({shown}) " in written.splitlines()[0]


def test_a_time_of_the_other_half_of_the_year(monkeypatch):
    """In summer the zone differs from winter: a time that does not fit the heading has its own."""
    monkeypatch.setenv("TZ", "EST5EDT,M3.2.0,M11.1.0")
    time.tzset()
    try:
        winter, summer = (local_time(datetime(2026, month, 15, 12, tzinfo=UTC)) for month in (1, 7))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert winter.startswith("2026-01-15 07:00:00")
    assert summer.startswith("2026-07-15 08:00:00")
    assert winter.endswith(" UTC-5") != summer.endswith(" UTC-4")


@pytest.mark.long
async def test_one_on_a_terminal(server):
    """A person gets the fields of a schedule in a column; `--json` prints the JSON."""
    [schedule_id] = await _ids(server, 1)
    words = ("schedules", "show", schedule_id, "--plain")
    written = await run_on_terminal(*words, env=environment(server))
    as_json = await run_on_terminal(*words, "--json", env=environment(server))

    fields = dict(line.split(maxsplit=1) for line in written.splitlines() if " " in line.strip())
    assert fields["id"].strip() == schedule_id
    assert fields["interval_minutes"] == "60"
    assert fields["is_active"] == "true"
    assert '"interval_minutes": 60' in as_json


@pytest.mark.long
async def test_list_in_a_pipe(server):
    """Each schedule is one line of JSON; without any, stdout is empty."""
    empty = await run("schedules", "list", env=environment(server))
    ids = await _ids(server, 12)
    listed = await run("schedules", "list", env=environment(server))

    assert (empty.code, empty.stdout) == (0, "")
    assert "no schedules" in empty.stderr
    assert sorted(row["id"] for row in listed.json_lines) == sorted(ids)


async def test_list_on_a_terminal(server):
    """On a terminal there is a table."""
    [schedule_id] = await _ids(server, 1)
    words = ("schedules", "list", "--plain")
    written = await run_on_terminal(*words, env=environment(server), columns=110)
    headings, row = written.splitlines()

    assert headings.split()[:4] == ["ID", "RUNS", "NEXT", "RUN"]
    assert row.startswith(f"{schedule_id}  every 60 min  ")
    assert row.endswith("Look around 0")
    assert "\x1b" not in written


@pytest.mark.torture
async def test_local():
    """`--local` tries a schedule on the bundled server, with the example site's address."""
    created = await run("schedules", "create", "Open {site}", "--every", "5", "--local")
    listed = await run("schedules", "list", "--local")

    assert created.code == 0
    assert list(created.json) == ["id"]
    assert "ends with this command" in created.stderr
    assert (listed.code, listed.stdout) == (0, "")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ((), "ACTION"),
        (("dance",), "dance"),
        (("create", "Go"), "--cron"),
        (("create", "Go", "--cron", "* * * * *", "--every", "5"), "--every"),
        (("create", "Go", "--cron", "61 * * * *"), "cron_expression"),
        (("create", "Go", "--every", "0"), "--every"),
        (("create", "", "--every", "5"), "task"),
        (("create", "Go", "--every", "5", "--start-at", "soon"), "--start-at"),
        (("create", "Go", "--every", "5", "--start-at", "+2h", "--end-at", "+1h"), "end_at"),
        (("update", "some-id"), "nothing to change"),
        (("update", "some-id", "--cron", "x"), "cron_expression"),
        (("show",), "ID"),
    ],
)
async def test_wrong_usage(server, words, named):
    """Wrong arguments are explained with exit code 2, and nothing is sent."""
    result = await run("schedules", *words, env=environment(server))

    assert result.code == 2
    assert named in result.stderr
    assert result.stdout == ""
    assert not server.requests


@pytest.mark.long
async def test_unknown_id(server):
    """A schedule that does not exist is exit code 3, for every action."""
    for words in (("show", "no-id"), ("update", "no-id", "--active"), ("delete", "no-id")):
        result = await run("schedules", *words, env=environment(server))

        assert result.code == 3, words
        assert result.stdout == ""


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
