"""What the rest of a batch costs and how long it takes, by means."""

from pathlib import Path

import pytest

from browser_use_async.batch import Forecast, ItemState, read_ledger
from tests.support.ledgers import item, write_ledger


def about(path: Path, rows: list[dict[str, object]], total: int | None = None) -> Forecast | None:
    """What the ledger with these rows says."""
    return read_ledger(write_ledger(path, rows)).about(total)


@pytest.mark.parametrize("ends", [0, 29])
def test_little_is_known_at_first(ends, tmp_path):
    """Before 30 items have ended there is no forecast."""
    rows = [item(f"k{n}", task="x", cost=3500) for n in range(ends)]
    rows += [item(f"new{n}", "new", task="x") for n in range(9)]

    assert about(tmp_path / "run.db", rows) is None


def test_the_mean_and_the_pace_of_what_has_ended(tmp_path):
    """Failed items count with their costs; of 40 ends in 39 s, ten more take 10 s."""
    rows = [
        item(f"k{n}", "failed" if n % 2 else "done", cost=3000 + n % 2 * 2000, seconds=float(n))
        for n in range(40)
    ]
    rows += [item(f"new{n}", "new", task="x") for n in range(8)]
    rows += [item(f"s{n}", "submitted", seconds=None) for n in range(2)]
    said = about(tmp_path / "run.db", rows)

    assert said is not None
    assert (said.items, said.ends, said.cents, said.seconds) == (10, 40, 40, 10.0)


def test_items_that_the_ledger_does_not_know_yet(tmp_path):
    """With the number of all items those that no run has reached are of the rest."""
    rows = [item(f"k{n}", cost=3500, seconds=float(n)) for n in range(40)]
    said = about(tmp_path / "run.db", rows, total=100)

    assert said is not None
    assert (said.items, said.cents) == (60, 210)


def test_a_pause_between_runs_does_not_count(tmp_path):
    """The pace is that of the latest ends: of a batch that was idle for a day, those since."""
    ends = [float(n) for n in range(20)] + [86_400.0 + n for n in range(100)]
    rows = [item(f"k{n}", cost=3500, seconds=each) for n, each in enumerate(ends)]
    said = about(tmp_path / "run.db", rows, total=170)

    assert said is not None
    assert said.seconds == pytest.approx(50.0)


def test_items_without_a_known_task_are_no_rest(tmp_path):
    """Nothing is sent for an unknown item, and what it cost is not known."""
    rows = [item(f"k{n}", cost=3500) for n in range(40)]
    rows += [item(f"u{n}", "unknown", seconds=None) for n in range(5)]
    said = about(tmp_path / "run.db", rows)

    assert said is not None
    assert (said.items, said.ends, str(said)) == (0, 40, "nothing is left")


def test_the_sentence(tmp_path):
    """The sentence says "about", from how many ends, and what a budget leaves."""
    rows = [item(f"k{n}", task="x", cost=4000, seconds=float(n)) for n in range(40)]
    rows += [item(f"new{n}", "new", task="x") for n in range(100)]
    said = read_ledger(write_ledger(tmp_path / "run.db", rows, budget_cents=300)).about()

    assert said is not None
    assert said.exceeds_budget
    assert said.budget_left_cents == 140
    assert str(said) == (
        "about $4.00 more, about 2 min, from 40 ends; the budget ends it earlier: $1.40 are left"
    )


# --- while a batch runs ---------------------------------------------------------------------


async def test_while_it_runs(launch, session_with, ledger):
    """From the 30th end on the progress says what the rest costs; at the end nothing is left."""
    session = await session_with(await launch())
    items = [f"Task {number}" for number in range(50)]
    said = list[tuple[int, Forecast | None]]()

    async with session.run_many(items, concurrency=5, ledger=ledger) as batch:
        assert batch.progress.about is None
        async for _result in batch:
            progress = batch.progress
            said.append((progress.ended, progress.about))
            assert progress.about is None or progress.about.seconds == progress.seconds_left

    assert all((each is None) is (ended < 30) for ended, each in said)
    for ended, each in said:
        assert each is None or (each.items, each.ends) == (50 - ended, ended)
        assert each is None or float(each.cents) == pytest.approx(3.5 * (50 - ended), abs=0.1)
    assert str(batch.progress.about) == str(read_ledger(ledger).about()) == "nothing is left"


async def test_the_next_run_knows_what_the_first_one_cost(launch, session_with, ledger):
    """A later run says at once what its rest costs, from the ends in its ledger."""
    session = await session_with(await launch())
    items = [f"Task {number}" for number in range(50)]
    async with session.run_many(items, concurrency=5, ledger=ledger) as batch:
        async for _result in batch:
            if batch.progress.ended >= 35:
                batch.drain()
    ended = read_ledger(ledger).counts[ItemState.DONE]

    again = session.run_many(items, concurrency=5, ledger=ledger)
    async for _result in again:
        said = again.progress.about
        break

    assert said is not None
    assert said.ends >= ended
    assert float(said.cents) == pytest.approx(3.5 * said.items, abs=0.2)
    await again.aclose()


async def test_an_input_of_unknown_size(launch, session_with, ledger):
    """While the number of items of a generator is unknown, nothing is said of the rest."""
    session = await session_with(await launch())
    said = list[Forecast | None]()
    texts = (f"Task {number}" for number in range(45))
    batch = session.run_many(texts, concurrency=2, ledger=ledger)
    async for _result in batch:
        said.append(batch.progress.about)

    assert set(said[:40]) == {None}
    assert batch.progress.about is not None
