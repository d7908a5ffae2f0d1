"""Lists: tables for people, lines of JSON for programs, and the columns of both."""

import json
import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from browser_use_async import BrowserUseSession
from browser_use_async.cli.screen import Style
from browser_use_async.cli.tables import Head, fitted
from browser_use_async.cli.times import local_time

from .running import environment, run, run_on_terminal

_ASKED = "Look around the shop, and say the price of every tea that is on its shelves"


@pytest.fixture
async def history(server):
    """The ids of three tasks that have ended, newest first."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        handles = [
            await session.submit(task, metadata={"customer": customer})
            for task, customer in ((_ASKED, "42"), ("Fail", "42"), ("Look again", "7"))
        ]
        for handle in handles:
            await handle.wait()
        yield [handle.id for handle in reversed(handles)]


async def test_fields_of_json(server, history):
    """`--json` prints the fields that it names, in their order; without names it prints all."""
    env = environment(server)
    some = await run("tasks", "list", "--json", "status,id", env=env)
    meant = await run("tasks", "--json", "id", "--limit", "1", env=env)
    every = await run("tasks", "list", "--json", env=env)

    assert [list(row.items()) for row in some.json_lines] == [
        [("status", status), ("id", task)]
        for status, task in zip(("finished", "failed", "finished"), history, strict=True)
    ]
    assert meant.json == {"id": history[0]}
    assert {"id", "task", "status", "created_at", "metadata"} <= set(every.json_lines[0])


async def test_columns(server, history):
    """`--columns` makes a table of them, also in a pipe; repeated options are combined."""
    words = ("--columns", "status,id", "--columns", "metadata")
    result = await run("tasks", *words, env=environment(server))

    assert [re.split("  +", line) for line in result.stdout.splitlines()] == [
        ["STATUS", "ID", "METADATA"],
        ["finished", history[0], '{"customer": "7"}'],
        ["failed", history[1], '{"customer": "42"}'],
        ["finished", history[2], '{"customer": "42"}'],
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tasks", "--columns", "id,stats"), "there is no column 'stats'; did you mean status?"),
        (("tasks", "--json", "created"), "there is no field 'created'; did you mean created_at?"),
        (("tasks", "--json", "?"), "there are id, task, status, created_at"),
        (("tasks", "--json", "id", "--columns", "id"), "not allowed with --"),
        (("schedules", "list", "--json", "runs"), "there is no field 'runs'"),
        (("profiles", "list", "--columns", "profile_nam"), "did you mean profile_name?"),
        (("keys", "list", "--columns", "spent"), "did you mean spent_cents?"),
        (("scripts", "list", "--json", "failurs"), "did you mean failures?"),
    ],
)
async def test_unknown_names(words, said, server):
    """A name without such a field is refused with the nearest one, and nothing is sent."""
    result = await run(*words, env=environment(server))

    assert (result.code, result.stdout) == (2, "")
    assert said in result.stderr
    assert not server.requests


async def test_text_and_metadata(server, history):
    """Tasks are found by words of their text, in any case, and by all of the pairs."""
    env = environment(server)
    shop = await run("tasks", "--text", "SHOP", "--json", "id", env=env)
    customer = await run("tasks", "--metadata", "customer=42", "--json", "id", env=env)
    both = await run("tasks", "--metadata", "customer=42", "--text", "fail", env=env)
    first = await run("tasks", "--text", "look", "--limit", "1", "--json", "id", env=env)

    assert [row["id"] for row in shop.json_lines] == history[2:]
    assert [row["id"] for row in customer.json_lines] == history[1:]
    assert [row["id"] for row in both.json_lines] == history[1:2]
    assert first.json == {"id": history[0]}


async def test_plain_in_a_pipe(server, history):
    """`--plain` prints text also in a pipe: for a list, an object and a report."""
    env = environment(server)
    listed = await run("tasks", "--plain", "--limit", "2", env=env)
    balance = await run("balance", "--plain", env=env)
    shown = await run("tasks", "show", history[1], "--plain", env=env)
    as_json = await run("balance", "--plain", "--json", env=env)

    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["ID", *history[:2]]
    assert balance.stdout == "$9,999.80 left\n"
    assert "failed · 3 steps · " in shown.stdout
    assert json.loads(as_json.stdout).keys() == {"balance_cents"}


@pytest.mark.parametrize("columns", [60, 90, 120])
async def test_schedules_at_any_width(server, columns):
    """The next run is in the zone of its heading, cron is UTC, and what has ended has no run."""
    env = environment(server, TZ="HERE5")  # five hours behind UTC, all year
    words = ("schedules", "create", "Look", "--cron", "0 8 * * 1-5")
    made = await run(*words, env=env)
    ended = await run(*words[:3], "--every", "60", "--end-at", "2020-01-01", env=env)
    written = await run_on_terminal("schedules", "list", "--plain", env=env, columns=columns)
    first_run = re.search(r"next run: (20\S+ 03:00:00) UTC-5\n", made.stderr)

    assert first_run is not None
    assert set(re.split("  +|\n", written)) - {""} == {
        *("ID", "RUNS", "NEXT RUN (UTC-5)", "TASK"),
        *(made.json["id"], "0 8 * * 1-5 UTC", first_run[1], "Look"),
        *(ended.json["id"], "every 60 min", "ended"),
    }
    assert max(map(len, written.splitlines())) <= columns


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
async def test_schedules_in_a_pipe(server):
    """Each schedule is one line of JSON; without any, stdout is empty."""
    env = environment(server)
    empty = await run("schedules", "list", env=env)
    words = ("schedules", "create", "Look", "--cron", "0 8 * * *")
    ids = [(await run(*words, env=env)).json["id"] for _ in range(2)]
    listed = await run("schedules", "list", env=env)

    assert (empty.code, empty.stdout) == (0, "")
    assert "no schedules" in empty.stderr
    assert sorted(row["id"] for row in listed.json_lines) == sorted(ids)


@pytest.mark.parametrize("columns", [60, 100, 140])
async def test_keys_at_any_width(server, columns):
    """No word of a key is cut, amounts are in dollars, and no line is longer than the terminal."""
    env = environment(server)
    await run("keys", "add", "shop", "--budget-cents", "2000", env=env)
    written = await run_on_terminal("keys", "list", "--plain", env=env, columns=columns)

    assert "…" not in written
    assert all(word in written for word in ("read,run", "$0.00", "$20.00", "no limit", "never"))
    assert max(map(len, written.splitlines())) <= columns


@given(
    st.lists(st.tuples(st.text("ab ü東", max_size=40), st.text("xy", max_size=12)), max_size=4),
    st.integers(5, 90),
)
def test_a_table_of_any_width(rows, width):
    """Only texts are cut: any other cell stays whole, and the columns stay aligned."""
    heads = (Head("TEXT", is_text=True), Head("ID"))
    cells = [[(text, Style.PLAIN) for text in row] for row in rows]
    lines = ["".join(text for text, _ in line) for line in fitted(heads, cells, width)]
    whole = "\n".join(lines)

    assert all(identity in whole for _, identity in rows)
    if lines and lines[0].split() == ["TEXT", "ID"]:
        assert all(cell_len(line) <= width for line in lines)
        place = cell_len(lines[0][: lines[0].index("ID")])
        for line, (_, identity) in zip(lines[1:], rows, strict=True):
            assert not identity or cell_len(line.removesuffix(identity)) == place


async def test_repeated_options(server):
    """Scopes are combined, another option may be given once, and none may be abbreviated."""
    env = environment(server)
    added = await run(
        *("keys", "add", "shop", "--scopes", "run", "--scopes", "read", "--json"), env=env
    )
    twice = await run("tasks", "--limit", "1", "--limit", "2", env=env)
    short = await run("tasks", "--stat", "failed", env=env)

    assert added.json["scopes"] == ["read", "run"]
    assert (twice.code, "--limit is given twice" in twice.stderr) == (2, True)
    assert (short.code, "no option --stat; did you mean --status?" in short.stderr) == (2, True)
