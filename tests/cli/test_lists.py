"""Lists: tables for people, lines of JSON for programs, and the columns of both."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from browser_use_async import BrowserUseSession
from browser_use_async.cli.screen import Style
from browser_use_async.cli.tables import Head, fitted

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


@pytest.mark.parametrize("columns", [60, 90])
async def test_times_have_their_zone(server, columns):
    """The heads of columns name the zone of the times, and cron expressions are UTC."""
    env = environment(server, TZ="America/New_York")
    made = await run("schedules", "create", "Look", "--cron", "0 8 * * 1-5", env=env)
    listed = await run_on_terminal("schedules", "list", "--plain", env=env, columns=columns)
    tasks = await run("tasks", "--plain", "--columns", "created_at,finished_at", env=env)

    assert made.json["id"] in listed
    assert re.search(r"NEXT RUN \(UTC-[45]\)", listed)
    assert "0 8 * * 1-5 UTC" in listed
    assert "no such tasks" in tasks.stderr
    assert max(map(len, listed.splitlines())) <= columns


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
