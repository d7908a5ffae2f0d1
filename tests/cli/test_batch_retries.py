"""`batch run --retry-failed` and `--max-failures`: which rows are paid for twice."""

import signal
from collections import Counter

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.server import LocalServer
from tests.batch.conftest import Mended
from tests.support.patience import until

from .running import answered, environment, run, running
from .test_batch import companies, keys_of, results, resume_words, words


@pytest.fixture
def executor():
    """Tasks about a bad company fail until it is corrected."""
    return Mended("Bad")


@pytest.fixture
def server_options(executor):
    """A server with that executor."""
    return {"executor": executor}


async def _balance(server: LocalServer) -> float:
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        return float((await session.account.get_balance()).cents)


@pytest.mark.long
async def test_failed_rows_are_tried_again(server, executor, tmp_path):
    """Their lines are replaced, their former cost stays in the sum, and the account agrees."""
    source = companies(tmp_path, "Acme", "Bad", "Bad & Co")
    env, before = environment(server), await _balance(server)
    first = await run(*words(tmp_path, source), env=env)
    kept = await run(*words(tmp_path, source, "--resume"), env=env)
    assert (first.code, kept.code, server.tasks_created) == (1, 1, 3)
    executor.broken.clear()
    again = await run(*words(tmp_path, source, "--resume", "--retry-failed"), env=env)
    status = await run("batch", "status", str(tmp_path / "run.db"))

    assert again.code == 0
    assert server.tasks_created == 5
    assert keys_of(results(tmp_path)) == ["k0", "k1", "k2"]
    lines = {each["key"]: each for each in results(tmp_path)}
    assert {each["state"] for each in lines.values()} == {"done"}
    assert lines["k1"]["former_cost_cents"] == 6
    spent = before - await _balance(server)
    assert again.json["cost_cents"] == status.json["cost_cents"] == spent
    paid = sum(each["cost_cents"] + each["former_cost_cents"] for each in lines.values())
    assert paid == spent


async def test_failures_in_a_row_stop_the_batch(server, executor, tmp_path):
    """The end has the reason, and the command that continues with the rest."""
    source = companies(tmp_path, *(f"Bad {number}" for number in range(9)))
    env = environment(server)
    more = ("--concurrency", "1", "--max-failures", "2")
    stopped = await run(*words(tmp_path, source, *more), env=env)
    created = server.tasks_created
    executor.broken.clear()
    again = await run(*resume_words(stopped), "--retry-failed", env=env)

    assert (stopped.code, created) == (1, 2)
    assert "too many tasks in a row have failed (--max-failures)" in stopped.stderr
    assert (stopped.json["failed"], stopped.json["left"]) == (2, 7)
    assert stopped.json["stopped_by"] == "failures"
    assert again.code == 0
    assert server.tasks_created == 11


@pytest.mark.long
async def test_killed_while_rows_are_tried_again(server, executor, tmp_path):
    """SIGKILL, and the same command again: each failed row has one task more."""
    names = ["Acme", *(f"Bad {number}" for number in range(12))]
    source, env = companies(tmp_path, *names), environment(server)
    await run(*words(tmp_path, source), env=env)
    executor.broken = {"Bad 1"}  # four of them fail again
    retry = ("--resume", "--retry-failed", "--concurrency", "2")
    for most in (14, 17, 20):
        async with running(*words(tmp_path, source, *retry), env=env) as command:
            await until(lambda most=most: server.tasks_created >= most)
            command.send(signal.SIGKILL)
            assert (await command.ends()).code == -signal.SIGKILL
    ended = await run(*words(tmp_path, source, *retry), env=env)

    tasks = Counter(task.task for task in server.store.tasks)
    assert ended.code == 1
    assert {name: tasks[f"Find {name}'s head office"] for name in names} == {
        name: 1 if name == "Acme" else 2 for name in names
    }
    assert keys_of(results(tmp_path)) == sorted(f"k{number}" for number in range(13))
    assert read_ledger(tmp_path / "run.db").counts[ItemState.FAILED] == 3


@pytest.mark.long
@pytest.mark.parametrize(
    ("answer", "code", "created"), [("n\n", 1, 1), ("\n", 1, 1), ("y\n", 0, 2)]
)
async def test_a_person_is_asked_first(server, executor, tmp_path, answer, code, created):
    """The question names the highest cost; without a yes nothing is sent, and the results stay."""
    source, env = companies(tmp_path, "Bad"), environment(server)
    await run(*words(tmp_path, source), env=env)
    lines = results(tmp_path)
    executor.broken.clear()
    given = words(tmp_path, source, "--resume", "--retry-failed")

    ended, shown = await answered(*given, env=env, answers=(("[y/N]", answer),))

    assert "1 row failed. Trying them again creates as many new tasks of at most $1.8" in shown
    assert (ended, server.tasks_created) == (code, created)
    assert (results(tmp_path) == lines) is (created == 1)


@pytest.mark.long
@pytest.mark.parametrize(("answer", "code", "created"), [("n\n", 1, 0), ("y\n", 0, 6)])
async def test_a_batch_without_a_budget_asks_first(server, tmp_path, answer, code, created):
    """On a terminal it names the highest cost of all rows; without a yes nothing is sent."""
    source = companies(tmp_path, "Acme", "Bolt", "Cogs", "Dale", "Eden", "Fizz")

    ended, shown = await answered(
        *words(tmp_path, source), env=environment(server), answers=(("[y/N]", answer),)
    )

    most = "6 tasks may cost up to $11.31, and no --budget-cents bounds that. Go on? [y/N]"
    assert most in " ".join(shown.split())
    assert (ended, server.tasks_created) == (code, created)
    assert (tmp_path / "run.db").exists() is (created == 6)


@pytest.mark.long
async def test_a_bounded_batch_asks_no_question(server, tmp_path):
    """A budget or `--yes` needs no question, and neither does a batch that continues."""
    names, env = ["Acme", "Bolt", "Cogs", "Dale", "Eden", "Fizz"], environment(server)
    given = words(tmp_path, companies(tmp_path, *names))
    said = [
        await answered(*given, *more, env=env)
        for more in (("--yes",), ("--resume",), ("--resume", "--budget-cents", "1500"))
    ]

    assert [code for code, _shown in said] == [0, 0, 0]
    assert not [shown for _code, shown in said if "[y/N]" in shown]
    assert server.tasks_created == 6


@pytest.mark.long
async def test_a_cheap_batch_asks_no_question(server, tmp_path):
    """Five tasks of at most $1.89 are below 10 dollars."""
    source = companies(tmp_path, "Acme", "Bolt", "Cogs", "Dale", "Eden")

    code, shown = await answered(*words(tmp_path, source), env=environment(server))

    assert (code, server.tasks_created) == (0, 5)
    assert "5 tasks of at most $1.89 each" in shown
    assert "[y/N]" not in shown


async def test_without_a_terminal_nothing_is_asked(server, tmp_path):
    """A program gets no question, whatever a batch may cost."""
    source = companies(tmp_path, "Acme", "Bolt", "Cogs", "Dale", "Eden", "Fizz")

    done = await run(*words(tmp_path, source), env=environment(server))

    assert (done.code, server.tasks_created) == (0, 6)
    assert "[y/N]" not in done.stderr
