"""`explain`: a task by the service's data, a batch by its ledger."""

import re
from typing import Any

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.testing import Scenario, ScriptedExecutor

from .report.ledgers import BEGAN, item, write_ledger
from .running import environment, run, run_on_terminal

SENT = {"sent_at": BEGAN + 1}


@pytest.fixture
def mixed_ledger(tmp_path):
    """One item of each kind."""
    items = [
        item("done", steps=3, cost=8_500, **SENT),
        item(
            "failed",
            "failed",
            steps=2,
            cost=6_000,
            error="TaskFailedError",
            reason="on fire",
            **SENT,
        ),
        item("running", "submitted", seconds=None, **SENT),
        item("twice", attempts=2, steps=1, cost=3_500, **SENT),
        item("lost", "unknown", seconds=None, reason="the answer was lost", **SENT),
        item("sending", "intent", seconds=None, **SENT),
        item("refused", "dead letter", seconds=None, error="BadRequestError", reason="no", **SENT),
        item("new", "new", seconds=None, attempts=0),
    ]
    return write_ledger(tmp_path / "run.db", items)


def _entries_of(entries: list[dict[str, Any]]) -> list[tuple[str, str, float | None]]:
    return [(each["what"], each["about"], each["cents"]) for each in entries]


async def test_a_joined_item(tmp_path):
    """Its task is older than the item: what the earlier run did stands first, and is named so."""
    times = {"created_at": BEGAN - 100, "finished_at": BEGAN - 60}
    mixed_ledger = write_ledger(
        tmp_path / "run.db", [item("a", joined=1, steps=2, cost=0, **times, **SENT)]
    )

    result = await run("explain", str(mixed_ledger), env=environment())

    (explained,) = result.json_lines
    assert _entries_of(explained["entries"]) == [
        ("created", "task task-of-a, by an earlier run", None),
        ("ended", "finished after 2 steps, 40 s", 0.0),
        ("intended", "item 1 of the input", None),
        ("sent", "run-task", None),
        ("joined", "its key names a task of an earlier run, which pays for it", None),
    ]
    assert "1 of 1 item joined a task of an earlier run" in result.stderr


async def test_items_of_a_batch(mixed_ledger):
    """Intended, sent, unknown, created, ended, and the cost: as far as the ledger has it."""
    result = await run("explain", str(mixed_ledger), env=environment())

    explained = {each["of"]: _entries_of(each["entries"]) for each in result.json_lines}
    sent = ("sent", "run-task", None)
    assert explained == {
        "done": [
            ("intended", "item 1 of the input", None),
            sent,
            ("created", "task task-of-done", None),
            ("ended", "finished after 3 steps, 40 s", 8.5),
        ],
        "failed": [
            ("intended", "item 2 of the input", None),
            sent,
            ("created", "task task-of-failed", None),
            ("ended", "failed after 2 steps, 40 s", 6.0),
            ("failed", "TaskFailedError: on fire", None),
        ],
        "running": [
            ("intended", "item 3 of the input", None),
            sent,
            ("created", "task task-of-running", None),
            ("at stake", "its end is not recorded, so its cost is not known yet", None),
        ],
        "twice": [
            ("intended", "item 4 of the input", None),
            ("sent", "run-task, 2 times so far", None),
            ("created", "task task-of-twice", None),
            ("ended", "finished after 1 step, 40 s", 3.5),
        ],
        "lost": [
            ("intended", "item 5 of the input", None),
            sent,
            ("unknown", "the answer was lost", None),
        ],
        "sending": [
            ("intended", "item 6 of the input", None),
            sent,
            ("unknown", "no answer is recorded: the next run looks for its task", None),
        ],
        "refused": [
            ("intended", "item 7 of the input", None),
            sent,
            ("refused", "BadRequestError: no", None),
        ],
        "new": [("intended", "item 8 of the input", None)],
    }
    assert result.json_lines[0]["entries"][0]["time"] == "2026-03-01T12:00:00+00:00"
    assert result.stderr == "8 items, $0.18 spent; 3 may still cost something\n"
    assert result.code == 0


async def test_one_item(mixed_ledger):
    """`--key` names it; on a terminal it is a table, unless JSON is asked for."""
    words = ("explain", str(mixed_ledger), "--key", "done")
    env = {**environment(), "TZ": "UTC"}
    shown = re.sub(r"\x1b\[[\d;]*m", "", await run_on_terminal(*words, env=env))
    as_json = await run_on_terminal(*words, "--json", env=env)

    rows = [line.split(maxsplit=3) for line in shown.splitlines() if line.startswith("2026")]
    assert [row[2] for row in rows] == ["intended", "sent", "created", "ended"]
    (heading,) = (line for line in shown.splitlines() if "ABOUT" in line)
    (item_1,) = (line for line in shown.splitlines() if "item 1" in line)
    assert heading.index("ABOUT") == item_1.index("item 1")
    assert "2026-03-01 12:00:40" in shown
    assert '"what": "ended"' in as_json


async def test_a_long_reason_is_shown_whole(tmp_path):
    """A table is cut at the edge of a terminal, and the whole reason is below it."""
    reason = "task 1 failed after 3 steps: " + "the page says that it is closed " * 5
    failed = item("failed", "failed", steps=2, error="TaskFailedError", reason=reason)
    path = write_ledger(tmp_path / "run.db", [failed, item("done", steps=1)])
    shown = re.sub(
        r"\x1b\[[\d;]*m", "", await run_on_terminal("explain", str(path), env=environment())
    )

    assert f"why: {reason.strip()}" in " ".join(shown.split())
    assert shown.count("why: ") == 1


@pytest.mark.long
async def test_a_task(server):
    """From the service: times, steps, the end, and the cost by the published prices."""
    env = environment(server)
    ran = await run("run", "Buy milk", env=env)
    task_id = ran.json["id"]

    result = await run("explain", task_id, env=env)
    cheaper = await run("explain", task_id, "--llm-model", "o3", env=env)

    explained = result.json
    kinds = [each["what"] for each in explained["entries"]]
    steps = len(ran.json["steps"])
    assert (explained["of"], explained["state"]) == (task_id, "finished")
    assert kinds == ["created", *(f"step {number + 1}" for number in range(steps)), "ended"]
    assert explained["entries"][-1]["cents"] == 1 + 2.5 * steps
    assert cheaper.json["entries"][-1]["cents"] == 1 + steps
    assert "the published price of o3" in cheaper.stderr


@pytest.mark.long
async def test_why_a_task_failed():
    """The last step of a failed task has the reason, and not the place of the browser."""
    executor = ScriptedExecutor(default=Scenario(outcome="failed", reason="no such page"))
    async with LocalServer(executor=executor) as server:
        env = environment(server)
        ran = await run("run", "Buy milk", env=env)
        result = await run("explain", ran.json["id"], env=env)

    *_, last, ended = result.json["entries"]
    assert last["about"] == "no such page"
    assert ended["about"].startswith("failed after 3 steps")
    assert result.code == 0


@pytest.mark.long
@pytest.mark.parametrize("limit", [None, 2])
async def test_a_task_that_failed_at_its_limit(limit):
    """The step that reports it is free, by the service's own limit or by the given one."""
    names = () if limit is None else ("--max-agent-steps", str(limit))
    executor = ScriptedExecutor(default=Scenario(steps=["Read"] * 100))
    async with LocalServer(executor=executor) as server:
        env = environment(server)
        ran = await run("run", "Read all", *names, env=env)
        result = await run("explain", ran.json["id"], *names, env=env)
        cost = server.store.tasks[0].cost_cents

    assert ran.json["status"] == "failed"
    assert result.json["entries"][-1]["cents"] == float(cost) == 1 + 2.5 * (limit or 75)


@pytest.mark.long
async def test_a_task_of_another_limit():
    """Each step of a task with another end is counted if its limit is unknown."""
    executor = ScriptedExecutor(default=Scenario(steps=["Read"] * 76))
    async with LocalServer(executor=executor) as server:
        env = environment(server)
        ran = await run("run", "Read all", "--max-agent-steps", "100", env=env)
        result = await run("explain", ran.json["id"], env=env)

    assert ran.json["status"] == "finished"
    assert result.json["entries"][-1]["cents"] == 1 + 2.5 * 76


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.db",), "there is no ledger"),
        ((f"{'n' * 300}.db",), "there is no ledger"),
        (("postgresql://me:hush@127.0.0.1:9/db",), "the name of the batch"),
        (("postgresql://me:hush@127.0.0.1:9/db#run",), "#run cannot be reached"),
        (("t" * 300,), "error: GET /task/"),
        (("t1", "--key", "a"), "--key names an item of a ledger"),
    ],
)
async def test_mistakes(words, said, server):
    """One error that names the mistake, and exit code 2 or 3."""
    result = await run("explain", *words, env=environment(server))

    assert said in result.stderr
    assert "hush" not in result.stderr
    assert result.code in {1, 2, 3}


async def test_an_item_that_is_not_there(mixed_ledger):
    """A wrong key is refused, and named."""
    result = await run("explain", str(mixed_ledger), "--key", "nothing", env=environment())

    assert "has no item 'nothing'" in result.stderr
    assert result.code == 2
