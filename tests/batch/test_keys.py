"""Items as submission keys: one task for a key, for any ledger, crash or lost answer."""

import asyncio
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from browser_use_async import BatchItem, BatchResult, BrowserUseSession, RunTaskRequest, errors
from browser_use_async.api.submission_key import MAX_KEY_LENGTH
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.batch.inputs import submission_key
from browser_use_async.server import LocalServer
from browser_use_async.server.faults import Fault
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from tests.batch.conftest import BRIEF, Mended, Open, hanging
from tests.batch.program import KILLED, Run
from tests.support.hygiene import raises
from tests.support.patience import until

FOREVER = 1e6
"""Seconds of a settle window that no test could wait for."""

LONG = "a long key " * 40
ITEMS = [("one", "Do one"), ("two", "Do two")]
COST = 1 + Decimal("2.5")  # of a task with one step
JOINS: dict[str, Any] = {"key_prefix": "p/"}


# --- the keys themselves ----------------------------------------------------------------------


def test_a_key_is_the_item_s_behind_the_prefix():
    """Each retry of a failed item has a key of its own; an invalid key is replaced by a digest."""
    assert submission_key("", "7", 1) == "7"
    assert submission_key("bills/", "7", 1) == "bills/7"
    assert submission_key("bills/", "7", 3) == "bills/7 (round 3)"
    odd = [LONG, f"{LONG}!", "a\nb", "a\tb"]
    digests = {submission_key("", each, number) for each in odd for number in (1, 2)}
    assert {each.partition(":")[0] for each in digests} == {"sha256"}
    assert {len(each) for each in digests} == {len("sha256:") + 64}
    assert len(digests) == 2 * len(odd)
    assert submission_key("", "ä" * MAX_KEY_LENGTH, 1) == "ä" * MAX_KEY_LENGTH
    # The key of an item that equals that of a retry, or a digest
    assert submission_key("", "7 (round 2)", 1).startswith("sha256:")
    assert submission_key("", "sha256:1", 1) != "sha256:1"


@pytest.mark.parametrize("prefix", ["", "a\nb", "x" * (MAX_KEY_LENGTH + 1), 7])
async def test_a_prefix_is_printable(launch, session_with, prefix):
    """Another one is refused before anything is sent."""
    server = await launch()
    session = await session_with(server)

    with raises(errors.InvalidRequestError) as caught:
        session.run_many(ITEMS, key_prefix=prefix)

    assert "key_prefix must be a text of 1 to 255 printable characters" in str(caught.value)
    assert not server.requests


@pytest.mark.parametrize("key", ["bill 7", "Grüße\n", LONG, "№ 7 " * 60])
async def test_a_call_with_the_same_key_has_the_same_task(launch, session_with, key):
    """A batch and a call use the same key, however long or unusual the one of the item is."""
    server = await launch()
    session = await session_with(server)
    (result,) = await session.run_many([(key, "Do it")], key_prefix="p/").collect()

    handle = await session.submit("Do it", key=submission_key("p/", key, 1))

    assert handle.id == result.task_id
    assert len(server.store.tasks) == 1


# --- two ledgers ------------------------------------------------------------------------------


@pytest.mark.parametrize("is_lost", [False, True])
async def test_two_ledgers_pay_once(launch, session_with, tmp_path, is_lost):
    """With the same prefix the second one has the tasks and answers of the first, at no cost."""
    server = await launch()
    items = [*ITEMS, "Do one without a key"]
    first = await _run(await session_with(server), tmp_path / "first.db", items, **JOINS)
    if is_lost:
        (tmp_path / "first.db").unlink()
    session = await session_with(server)
    batch = session.run_many(items, ledger=tmp_path / "second.db", budget_cents=600, **JOINS)

    second = await batch.collect()

    assert len(server.store.tasks) == 3
    assert [each.task_id for each in second] == [each.task_id for each in first]
    assert [each.output for each in second] == [each.output for each in first]
    assert [(each.joined, each.cost_cents) for each in first] == [(False, COST)] * 3
    assert [(each.joined, each.cost_cents, each.steps) for each in second] == [(True, 0, 1)] * 3
    assert (batch.progress.cost_cents, batch.progress.running_cents) == (0, 0)
    assert (batch.progress.joined, batch.progress.joined_failed) == (3, 0)
    assert "joined 3" in repr(batch)
    # The ledger remembers its prefix, and which tasks were joined.
    later = session.run_many(items, ledger=tmp_path / "second.db")
    again = await later.collect()
    assert [(each.restored, each.joined, each.cost_cents) for each in again] == [
        (True, True, 0)
    ] * 3
    assert later.progress.joined == 3
    view = read_ledger(tmp_path / "second.db")
    assert (view.cost_cents, [row.joined for row in view.rows()]) == (0, [True] * 3)
    assert (view.joined, view.joined_failed) == (3, 0)
    assert [row["joined"] for row in view.to_rows()] == [True] * 3


async def test_a_new_ledger_runs_anew(launch, session_with, tmp_path):
    """Keys begin with the id of the ledger, which a copy of the file has, too."""
    server = await launch()
    session = await session_with(server)
    first = await _run(session, tmp_path / "first.db", ITEMS[:1])
    view = read_ledger(tmp_path / "first.db")
    assert view.key_prefix == f"{view.id}/"
    handle = await session.submit("Do one", key=f"{view.id}/one")
    assert (handle.id, handle.joined) == (first[0].task_id, True)
    shutil.copy(tmp_path / "first.db", tmp_path / "copy.db")

    (tmp_path / "first.db").unlink()
    second = await _run(session, tmp_path / "first.db")
    copied = await _run(session, tmp_path / "copy.db")

    assert not any(each.joined for each in (*second, *copied))
    assert [each.restored for each in copied] == [True, False]
    assert len(server.store.tasks) == 4
    other = read_ledger(tmp_path / "first.db").key_prefix
    assert other != view.key_prefix
    joined = await _run(session, tmp_path / "third.db", key_prefix=other)
    assert [each.task_id for each in joined] == [each.task_id for each in second]


async def test_a_batch_has_a_page_on_a_bundled_server(launch, session_with):
    """It is named by the prefix of the batch, and known once a task has ended."""
    server = await launch()
    batch = (await session_with(server)).run_many(ITEMS, key_prefix="a & b/")
    assert batch.page_url is None

    await batch.collect()

    assert batch.page_url == f"{URL(server.base_url).origin()}/batches?name=a%20%26%20b%2F"
    assert f'href="{batch.page_url}"' in batch._repr_html_()


async def test_another_server_has_no_page_of_a_batch(api, session):
    """Even if its tasks have live pages."""
    batch = session.run_many(ITEMS[:1])

    (result,) = await batch.collect()

    assert result.task.live_url.startswith("https://live.example.com/")
    assert batch.page_url is None


async def test_two_ledgers_of_one_session_pay_once(launch, session_with, tmp_path):
    """This includes two batches at the same time in one session, which knows all tasks."""
    server = await launch()
    session = await session_with(server)

    ledgers = [tmp_path / f"{each}.db" for each in range(2)]
    both = await asyncio.gather(*(_run(session, each, **JOINS) for each in ledgers))

    assert len(server.store.tasks) == 2
    assert {each.task_id for each in both[0]} == {task.id for task in server.store.tasks}
    assert [each.task_id for each in both[1]] == [each.task_id for each in both[0]]
    # The first batch has paid.
    costs = [read_ledger(tmp_path / f"{each}.db").cost_cents for each in range(2)]
    assert sum(costs) == 2 * COST
    assert server.requests["run_task"] == 4


async def test_what_is_joined_leaves_room_in_the_budget(launch, session_with, tmp_path):
    """A budget for one task returns two, of which another ledger has paid one."""
    server = await launch()
    fields = {"max_agent_steps": 1, "concurrency": 1, **JOINS}
    await _run(await session_with(server), tmp_path / "first.db", ITEMS[:1], **fields)

    session = await session_with(server)
    batch = session.run_many(ITEMS, ledger=tmp_path / "2.db", budget_cents=COST, **fields)
    results = await batch.collect()

    assert [each.succeeded for each in results] == [True, True]
    assert batch.progress.cost_cents == COST


async def test_prefixes_keep_batches_apart(launch, session_with, tmp_path):
    """Another prefix makes the same keys other work."""
    server = await launch()
    session = await session_with(server)

    for prefix in ("2025/", "2026/"):
        name = prefix.rstrip("/")
        await _run(session, tmp_path / f"{name}.db", key_prefix=prefix)
        await _run(session, tmp_path / f"{name}-again.db", key_prefix=prefix)
    assert len(server.store.tasks) == 4


@pytest.mark.parametrize(("prefix", "count"), [(None, 2), ("2026/", 1)])
async def test_without_a_ledger_each_run_is_new_unless_a_prefix_joins(
    launch, session_with, prefix, count
):
    """Each run has an id of its own, unless a prefix is given."""
    server = await launch()
    session = await session_with(server)

    for _run in range(2):
        (result,) = await session.run_many(ITEMS[:1], key_prefix=prefix).collect()
        assert result.succeeded

    assert len(server.store.tasks) == count


async def test_a_ledger_keeps_its_prefix(launch, session_with, ledger):
    """A run with another prefix is refused and sends nothing; one without a prefix goes on."""
    server = await launch()
    session = await session_with(server)
    await _run(session, ledger, key_prefix="2025/")
    assert read_ledger(ledger).key_prefix == "2025/"
    before = server.requests.copy()

    with raises(errors.LedgerMismatchError) as caught:
        await _run(session, ledger, key_prefix="2026/")
    assert "key_prefix '2025/', and now it is '2026/'" in str(caught.value)

    assert server.requests == before
    assert read_ledger(ledger).runs == 1
    for options in ({"key_prefix": "2025/"}, {}):
        assert all(each.restored for each in await _run(session, ledger, **options))


async def test_a_joined_task_is_not_stopped(launch, session_with, tmp_path):
    """A batch that is left stops the tasks that it has created, and not those that it joined."""
    server = await launch(executor=hanging())
    first, second = await session_with(server), await session_with(server)
    owner = asyncio.ensure_future(_run(first, tmp_path / "first.db", ITEMS[:1], **JOINS))
    await until(lambda: len(server.store.tasks) == 1)

    ledger = tmp_path / "second.db"
    async with second.run_many(ITEMS, ledger=ledger, on_cancel="stop", **JOINS) as batch:
        leaving = asyncio.ensure_future(batch.collect())
        await until(lambda: len(server.store.tasks) == 2)
        await until(lambda: read_ledger(ledger).counts[ItemState.SUBMITTED] == 2)
        # Before its end, too
        assert (batch.progress.joined, read_ledger(ledger).joined) == (1, 1)
        leaving.cancel()
    await until(lambda: server.store.tasks[1].status == "stopped")

    assert [task.status for task in server.store.tasks] == ["running", "stopped"]
    await first.tasks.stop(server.store.tasks[0].id)
    assert [each.task_id for each in await owner] == [server.store.tasks[0].id]


# --- conflicts --------------------------------------------------------------------------------


async def test_a_key_that_means_something_else_is_a_dead_letter(launch, session_with, tmp_path):
    """Its reason names the first task and the differing fields; the other items continue."""
    server = await launch()
    session = await session_with(server)
    first = await _run(session, tmp_path / "first.db", **JOINS)
    other = BatchItem(RunTaskRequest("Do something else", max_agent_steps=3), "one")

    results = await _run(session, tmp_path / "second.db", [other, ITEMS[1]], **JOINS)

    assert [each.state for each in results] == [ItemState.DEAD, ItemState.DONE]
    error = results[0].error
    assert isinstance(error, errors.SubmissionKeyConflictError)
    assert error.task_id == first[0].task_id
    assert set(error.fields) == {"task", "max_agent_steps"}
    assert "Give the batch another key_prefix (--key-prefix)" in str(error)
    assert len(server.store.tasks) == 2
    row = next(iter(read_ledger(tmp_path / "second.db").rows()))
    assert row.reason is not None
    assert str(first[0].task_id) in row.reason
    assert "Do something else" not in row.reason  # the text of a task is no part of it


async def test_a_renewed_secret_is_no_other_request(launch, session_with, ledger):
    """A repetition with another value of a secret gets the task of the first request."""
    server = await launch()
    session = await session_with(server)

    def items(secret: str) -> Any:
        request = RunTaskRequest(
            "Log in", secrets={"example.com": secret}, allowed_domains=["example.com"]
        )
        return [("one", request)]

    await _lose(server, session_with, ledger, items("old"))
    (found,) = await _run(session, ledger, items("new"))

    assert found.succeeded
    assert (found.task_id, found.joined, found.cost_cents) == (
        server.store.tasks[0].id,
        False,
        COST,
    )
    assert len(server.store.tasks) == 1


# --- failed items -----------------------------------------------------------------------------


async def test_each_task_of_a_failed_item_has_a_key(launch, session_with, tmp_path):
    """A second ledger that retries the item joins the failed task, and then each later one."""
    server = await launch(executor=Mended("one"))
    session = await session_with(server)
    ledgers = [tmp_path / "first.db", tmp_path / "second.db"]

    async def run(ledger: Path, **options: Any) -> str | None:
        (result,) = await _run(session, ledger, ITEMS[:1], **JOINS, **options)
        return result.task_id

    first = [await run(ledgers[0], retry_failed=number > 0) for number in range(3)]
    second = [await run(ledgers[1], retry_failed=number > 0) for number in range(3)]

    assert first == second == [task.id for task in server.store.tasks]
    steps = sum(len(task.steps) for task in server.store.tasks)
    assert read_ledger(ledgers[0]).cost_cents == 3 + steps * Decimal("2.5")
    assert read_ledger(ledgers[1]).cost_cents == 0


async def test_a_joined_task_that_failed_is_counted_and_run_anew(launch, session_with, tmp_path):
    """The progress and the ledger say that it failed; `retry_failed` creates another task."""
    server = await launch(executor=Mended("one"))
    session = await session_with(server)
    await _run(session, tmp_path / "first.db", **JOINS)
    ledger = tmp_path / "second.db"
    joining = session.run_many(ITEMS, ledger=ledger, **JOINS)
    assert [each.joined for each in await joining.collect()] == [True, True]
    assert (joining.progress.joined, joining.progress.joined_failed) == (2, 1)
    view = read_ledger(ledger)
    assert (view.joined, view.joined_failed) == (2, 1)

    retrying = session.run_many(ITEMS, ledger=ledger, retry_failed=True)
    retried, other = await retrying.collect()

    assert len(server.store.tasks) == 3
    assert retried.task_id == server.store.tasks[-1].id
    assert [(each.joined, each.cost_cents > 0) for each in (retried, other)] == [
        (False, True),
        (True, False),
    ]
    assert (retrying.progress.joined, retrying.progress.joined_failed) == (1, 0)
    assert (retried.state, retrying.progress.failed) == (ItemState.FAILED, 1)
    view = read_ledger(ledger)
    assert (view.joined, view.joined_failed) == (1, 0)


# --- lost answers and crashes -----------------------------------------------------------------


async def test_a_lost_answer_is_asked_for_again(launch, session_with, ledger):
    """No search begins, and no second maximum is reserved."""
    server = await launch(faults=[Fault("lost_reply", "run_task", calls=(1, 2, 4))])
    session = await session_with(server)
    fields = {"max_agent_steps": 1, "concurrency": 1, "budget_cents": 2 * COST}

    results = await _run(session, ledger, **fields)

    assert [each.succeeded for each in results] == [True, True]
    assert [each.attempts for each in results] == [3, 2]
    assert len(server.store.tasks) == 2
    assert read_ledger(ledger).cost_cents == 2 * COST
    # Whether the service keeps keys, and how far the tasks are.
    assert server.requests["run_task"] == 5


async def test_an_unanswered_request_is_repeated_at_once_by_the_next_run(
    launch, session_with, ledger
):
    """A repetition with its key is no second task."""
    server = await launch()
    await _lose(server, session_with, ledger)
    before = server.requests["run_task"]

    found = await _run(await session_with(server), ledger)

    assert [(each.succeeded, each.joined) for each in found] == [(True, False)] * 2
    assert server.requests["run_task"] - before == 2
    assert len(server.store.tasks) == 2
    assert read_ledger(ledger).cost_cents == 2 * COST


async def test_a_refused_repetition_says_nothing_of_the_first_request(launch, session_with, ledger):
    """Its item stays unknown, with its reservation, until an answer decides."""
    server = await launch()
    session = await session_with(server)
    options = {"max_agent_steps": 1, "budget_cents": COST}
    await _lose(server, session_with, ledger, ITEMS[:1], **options)
    server.set_faults([Fault("status", "run_task", status=429, headers={"Retry-After": "0"})])

    with raises(errors.RateLimitError):
        await _run(await session_with(server, poll=BRIEF), ledger, ITEMS[:1], **options)

    (row,) = read_ledger(ledger).rows()
    assert (row.state, row.reserved_cents) == (ItemState.INTENT, COST)
    server.set_faults([])
    (found,) = await _run(session, ledger, ITEMS[:1], **options)
    assert (found.succeeded, found.cost_cents) == (True, COST)
    assert len(server.store.tasks) == 1


def _program_run(server: LocalServer, ledger: Path, **options: Any) -> Run:
    settings: dict[str, Any] = {"count": 12, "concurrency": 4, "settle_window": FOREVER}
    return Run(server.base_url, server.api_key, str(ledger), **{**settings, **options})


@pytest.mark.long
@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(
    "method", ["begin_run", "begin_item", "begin_send", "claim_task", "record_outcome"]
)
async def test_killed_at_a_write_a_batch_goes_on_at_once(
    launch, program, ledger, method, committed
):
    """A request that may have been sent is repeated with its key, before the settle window ends."""
    server = await launch()
    at = 1 if method == "begin_run" else 5
    doomed = _program_run(server, ledger, store=method, at=at, committed=committed)

    died = await program.run(doomed)
    before = server.requests["run_task"], len(server.store.tasks)
    ended = await program.run(_program_run(server, ledger))

    assert (died, ended) == (KILLED, 0)
    assert len(server.store.tasks) == 12
    view = read_ledger(ledger)
    assert (view.counts[ItemState.DONE], view.cost_cents) == (12, 12 * COST)
    assert not any(row.joined for row in view.rows())
    # One request for each task that is new, and one for each unanswered item.
    sent = server.requests["run_task"] - before[0]
    assert 12 - before[1] <= sent <= 12 - before[1] + 4


@pytest.mark.long
async def test_what_a_service_without_keys_was_sent_is_searched_for(
    tmp_path, monkeypatch, launch, session_with, ledger
):
    """The service learns keys between two runs: it does not know those of the first run."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    place = {"database": str(tmp_path / "server.db"), "api_key": "bu_the_same_key_both_times"}
    before = LocalServer(executor=hanging(), submission_keys=False, **place)
    async with before:
        await _lose(before, session_with, ledger, ITEMS[:1])
    server = await launch(**place)

    (found,) = await _run(await session_with(server), ledger, ITEMS[:1])

    assert found.task_id is not None
    assert len(server.store.tasks) == 1
    assert server.requests["run_task"] == 0


async def _lose(
    server: LocalServer,
    session_with: Open,
    ledger: Path,
    items: Any = ITEMS,
    **options: Any,
) -> None:
    """End a batch by an outage that begins with the answers to its requests."""
    server.set_faults(
        [
            Fault("lost_reply", "run_task", first=100),
            Fault("status", "list_tasks", status=500, first=1000),
        ]
    )
    session = await session_with(server, poll=BRIEF, settle_window=0.2)
    with pytest.raises((errors.APIConnectionError, errors.APIStatusError)):
        await _run(session, ledger, items, **options)
    assert {row.state for row in read_ledger(ledger).rows()} == {ItemState.INTENT}
    server.set_faults([])


async def _run(
    session: BrowserUseSession, ledger: Path, items: Any = ITEMS, **options: Any
) -> list[BatchResult[Any]]:
    """The results of a batch."""
    return await session.run_many(items, ledger=ledger, **options).collect()
