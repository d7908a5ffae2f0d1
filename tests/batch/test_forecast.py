"""The forecast of a batch: the cost and the time of its rest."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from statistics import fmean

import pytest

from browser_use_async import BatchItem
from browser_use_async.batch import Forecast, ItemState, read_ledger
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.batch.conftest import QUICK, Open, Serve
from tests.batch.recorded import UNLIKE, WORLDS, Split, recorded
from tests.cli.report.ledgers import BEGAN, item, write_ledger

NEAR = 0.15
WORLD = {world.name: world for world in WORLDS}


def forecast_of(split: Split, tmp_path: Path) -> Forecast:
    """The forecast of a ledger at that moment."""
    found = read_ledger(split.write(tmp_path / "run.db")).forecast()
    assert found is not None
    return found


# --- held-out rests of recorded batches -----------------------------------------------------


@pytest.mark.parametrize("name", [world.name for world in WORLDS if not world.is_wide])
def test_the_rest_is_foretold(name: str, tmp_path: Path) -> None:
    """The real cents and seconds are within 15 % in nine of ten cases, and seldom above."""
    near, below = list[bool](), list[bool]()
    for split in recorded(WORLD[name], 3):
        said = forecast_of(split, tmp_path)
        for value, most, true in (
            (float(said.cents_p50), float(said.cents_p90), split.cents),
            (said.seconds_p50, said.seconds_p90, split.seconds),
        ):
            near.append(abs(value / true - 1.0) <= NEAR)
            below.append(true <= most)

    assert fmean(near) >= 0.85  # of some thirty: `benchmarks/forecast.py` has hundreds
    assert fmean(below) >= 0.6
    assert said.items == split.left
    assert said.ends == len(split.ended)


@pytest.mark.parametrize("name", ["one site, 300 at once", "sorted by site, all sites begun"])
def test_means_of_what_has_ended_are_wrong(name: str) -> None:
    """The control: the items that end first are the short ones, or those of the first site."""
    splits = [*recorded(WORLD[name], 3)]
    near = [
        abs(fmean(each.cents for each in split.ended) * split.left / split.cents - 1.0) <= NEAR
        for split in splits
    ]

    assert fmean(near) < 0.5


def test_items_of_which_nothing_is_known_are_counted(tmp_path: Path) -> None:
    """A site without an ended item may cost anything: the forecast says how many items it has."""
    split = next(recorded(UNLIKE, 1))
    said = forecast_of(split, tmp_path)

    assert said.unlike == 700
    assert "700 items are of sites or templates of which none has ended" in str(said)
    assert said.cents_p90 > said.cents_p50 * 13 / 10


def test_a_ledger_that_knows_the_begun_items_only(tmp_path: Path) -> None:
    """The number of all items is given, and the unknown ones are assumed to be similar."""
    split = [*recorded(WORLD["one site"], 1)][2]
    view = read_ledger(split.write(tmp_path / "run.db", whole=False))
    begun, all_of_them = view.forecast(), view.forecast(len(split.items))

    assert begun is not None
    assert all_of_them is not None
    assert begun.items == len(split.begun) - len(split.ended)
    assert all_of_them.items == split.left
    assert abs(float(all_of_them.cents_p50) / split.cents - 1.0) <= NEAR
    assert abs(all_of_them.seconds_p50 / split.seconds - 1.0) <= NEAR


def test_pauses_between_runs_do_not_count(tmp_path: Path) -> None:
    """The pace of a ledger that was idle for a day is the same as before."""
    begun = [0.0, 100.0, 86_400.0, 86_500.0]
    path = tmp_path / "run.db"
    rows = [
        item(f"{run}-{number}", task="x", cost=3500, created_at=1e9 + start, sent_at=1e9 + start)
        | {"finished_at": 1e9 + start + 100.0}
        for run, start in enumerate(begun)
        for number in range(10)
    ]
    rows += [item(f"new-{n}", "new", task="x") for n in range(200)]
    said = read_ledger(write_ledger(path, rows)).forecast()

    assert said is not None
    assert (said.items, said.ends, said.cents_p50) == (200, 40, 700)
    assert said.seconds_p50 == pytest.approx(2000.0, rel=0.1)


def test_of_a_large_ledger_some_rows_stand_for_all(tmp_path: Path) -> None:
    """The forecast of a large ledger is made from a part of its rows, and counts all of them."""
    rng = random.Random(3)
    rows = [
        item(f"k{n}", task=f"Read page {n} of {site}", cost=cost + rng.randrange(1000))
        for n in range(30_000)
        for site, cost in [rng.choice([("quick.test", 2000), ("slow.test", 9000)])]
    ]
    rows += [item(f"s{n}", "submitted", task="x", seconds=None, sent_at=BEGAN) for n in range(7)]
    rows += [item(f"n{n}", "new", task=f"Read page {n} of slow.test") for n in range(12_000)]
    said = read_ledger(write_ledger(tmp_path / "run.db", rows)).forecast()

    assert said is not None
    assert said.items == 12_007
    assert 8_000 < said.ends < 12_000
    assert float(said.cents_p50) == pytest.approx(12_000 * 9.5, rel=0.02)


@pytest.mark.parametrize(("per_key", "seconds"), [(None, 1000.0), (2, 5000.0), (50, 1000.0)])
def test_items_of_one_key_run_in_turns(per_key: int | None, seconds: float, tmp_path: Path) -> None:
    """A limit per key lets fewer items run at once than before."""
    rows = [
        item(f"{turn}-{number}", task="x", cost=3500, created_at=BEGAN + 100.0 * turn)
        | {"finished_at": BEGAN + 100.0 * turn + 100.0}
        for turn in range(10)
        for number in range(10)
    ]
    rows += [item(f"new-{n}", "new", task="x", limit_key="slow.test") for n in range(100)]
    path = write_ledger(tmp_path / "run.db", rows)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE batch SET per_key = ?", (per_key,))
    said = read_ledger(path).forecast()

    assert said is not None
    assert said.seconds_p50 == pytest.approx(seconds, rel=0.12)


@pytest.mark.parametrize("ends", [0, 29])
def test_little_is_known_at_first(ends: int, tmp_path: Path) -> None:
    """Before 30 items have ended there is no forecast."""
    rows = [item(f"k{n}", task="x", cost=3500) for n in range(ends)]
    rows += [item(f"new{n}", "new", task="x") for n in range(9)]

    assert read_ledger(write_ledger(tmp_path / "run.db", rows)).forecast() is None


def test_all_that_ended_cost_nothing(tmp_path: Path) -> None:
    """Items that joined paid tasks, and refused items, cost nothing, and so does the rest."""
    rows = [item(f"k{n}", task="x", cost=0, joined=True) for n in range(30)]
    rows += [item(f"d{n}", "dead letter") for n in range(10)]
    rows += [item(f"new{n}", "new", task="x") for n in range(5)]
    said = read_ledger(write_ledger(tmp_path / "run.db", rows)).forecast()

    assert said is not None
    assert (said.cents_p50, said.cents_p90) == (0, 0)
    assert said.seconds_p50 > 0


def test_failed_tasks_and_retries_cost_too(tmp_path: Path) -> None:
    """A failed item has a cost, and an item that is retried costs twice."""
    rows = [item(f"k{n}", "failed" if n % 2 else "done", task="x", cost=4000) for n in range(40)]
    rows += [item(f"new{n}", "new", task="x") for n in range(10)]
    said = read_ledger(write_ledger(tmp_path / "run.db", rows)).forecast()

    assert said is not None
    assert said.cents_p50 == 40


def test_the_sentence(tmp_path: Path) -> None:
    """The sentence has the forecast, its interval, its basis, and what a budget leaves."""
    rows = [item(f"k{n}", task="x", cost=4000) for n in range(40)]
    rows += [item(f"new{n}", "new", task="x") for n in range(100)]
    path = write_ledger(tmp_path / "run.db", rows, budget_cents=300)
    said = read_ledger(path).forecast()

    assert said is not None
    assert said.exceeds_budget
    assert said.budget_left_cents == 140
    assert str(said) == (
        "about $4.00 more (likely at most $4.00), about 2 min (likely at most 2 min), from 40 "
        "ends: an estimate, no promise; the budget ends it earlier: $1.40 are left"
    )


# --- while a batch runs ---------------------------------------------------------------------

SITES = {"quick.test": 1, "slow.test": 4}


def executor() -> ScriptedExecutor:
    """Tasks of two sites, which take one step and four."""
    scenarios = {
        site: Scenario(steps=("Look",) * steps, step_seconds=0.01) for site, steps in SITES.items()
    }
    return ScriptedExecutor(scenarios, default=QUICK)


async def test_while_it_runs(serve: Serve, open_session: Open, ledger: Path) -> None:
    """From the 30th end on there is a forecast for each remaining site; at the end it is empty."""
    session = await open_session(await serve(executor=executor()))
    rng = random.Random(5)
    sites = [rng.choice([*SITES]) for _ in range(40)] + ["slow.test"] * 40
    items = [BatchItem(f"Read page {n} of {site}", key=f"{n}") for n, site in enumerate(sites)]
    forecasts = list[tuple[int, Forecast | None]]()

    async with session.run_many(items, concurrency=5, ledger=ledger) as batch:
        assert batch.forecast() is None
        async for result in batch:
            forecasts.append((batch.progress.ended, batch.forecast()))
            assert result.succeeded

    known = [said for ended, said in forecasts if ended >= 36]
    assert all(said is None for ended, said in forecasts if ended < 30)
    first = known[0]
    assert first is not None
    assert 30 <= first.ends <= 40
    each = [float(row.cost_cents or 0) for row in read_ledger(ledger).rows()][-first.items :]
    assert float(first.cents_p50) == pytest.approx(sum(each), rel=0.15)
    assert first.cents_p90 >= first.cents_p50
    assert first.seconds_p50 > 0
    last = batch.forecast()
    assert last == batch.progress.forecast == read_ledger(ledger).forecast()
    assert last is not None
    assert (last.items, last.ends, last.cents_p50, str(last)) == (0, 80, 0, "nothing is left")
    assert batch.progress.seconds_left == 0


async def test_the_next_run_knows_what_the_first_one_cost(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """A later run has a forecast at once, from the ends in its ledger."""
    session = await open_session(await serve())
    items = [f"Task {number}" for number in range(50)]
    async with session.run_many(items, concurrency=5, ledger=ledger) as batch:
        async for _result in batch:
            if batch.progress.ended >= 35:
                batch.drain()
    ended = read_ledger(ledger).counts[ItemState.DONE]

    again = session.run_many(items, concurrency=5, ledger=ledger)
    async for _result in again:
        said = again.forecast()
        break

    assert said is not None
    assert said.ends >= ended
    assert float(said.cents_p50) == pytest.approx(3.5 * (50 - ended), abs=0.2)
    await again.aclose()


async def test_items_that_wait_for_their_key_are_of_the_rest(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """Items that wait for their site are in the forecast; most are of the expensive one."""
    session = await open_session(await serve(executor=executor()))
    sites = ["quick.test", "slow.test"] * 60
    items = [BatchItem(f"Read page {n} of {site}", key=f"{n}") for n, site in enumerate(sites)]

    def site_of(given: BatchItem) -> str | None:
        return "slow" if int(str(given.key)) % 2 else None

    batch = session.run_many(items, concurrency=10, ledger=ledger, limit_by=site_of, per_key=1)
    said: Forecast | None = None
    async for _result in batch:
        said = said or batch.forecast()
    costs = [float(row.cost_cents or 0) for row in read_ledger(ledger).rows()]

    assert said is not None
    assert said.ends < 60
    # Nearly all that had ended then were of the site without a limit.
    assert float(said.cents_p50) == pytest.approx(sum(costs) - said.ends * min(costs), rel=0.15)


async def test_an_input_of_unknown_size(serve: Serve, open_session: Open, ledger: Path) -> None:
    """While the number of items of a generator is unknown, there is no forecast."""
    session = await open_session(await serve())
    forecasts = list[Forecast | None]()
    texts = (f"Task {number}" for number in range(45))
    batch = session.run_many(texts, concurrency=2, ledger=ledger)
    async for _result in batch:
        forecasts.append(batch.forecast())

    assert set(forecasts[:40]) == {None}
    assert batch.forecast() is not None
