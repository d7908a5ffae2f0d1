"""The forecast of a batch in PostgreSQL on which several processes have worked."""

from decimal import Decimal

import pytest

from browser_use_async.batch import read_ledger
from tests.batch.conftest import Open, Serve
from tests.batch.postgres.conftest import Work

pytest.importorskip("psycopg")

from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.enqueue import enqueue

CENTS = 3.5  # of each task


async def test_the_rest_of_a_batch_that_its_budget_has_stopped(
    serve: Serve, open_session: Open, ledger: str, work: Work
) -> None:
    """All rows are known, and the budget does not cover those that are left."""
    session = await open_session(await serve())
    texts = [f"Task {number}" for number in range(80)]
    options = BatchOptions(budget_cents=Decimal(150))
    await enqueue(texts, LedgerAddress.parse(ledger), options, {"max_agent_steps": 2})
    assert read_ledger(ledger).forecast() is None
    await work(session, ledger)

    view = read_ledger(ledger)
    said = view.forecast()
    assert said is not None
    assert said.ends + said.items == 80
    assert said.ends >= 35
    assert float(said.cents_p50) == pytest.approx(CENTS * said.items, abs=0.2)
    assert said.budget_left_cents == 150 - view.cost_cents
    assert said.exceeds_budget
    assert "the budget ends it earlier" in str(said)


async def test_a_run_goes_on_with_what_it_knows(
    serve: Serve, open_session: Open, ledger: str
) -> None:
    """A batch of one process has a forecast from the earlier run of the same ledger."""
    session = await open_session(await serve())
    texts = [f"Task {number}" for number in range(60)]
    async with session.run_many(texts, concurrency=5, ledger=ledger) as batch:
        async for _result in batch:
            if batch.progress.ended >= 35:
                batch.drain()

    async with session.run_many(texts, concurrency=5, ledger=ledger) as again:
        async for _result in again:
            said = again.forecast()
            break

    assert said is not None
    assert said.ends >= 35
    assert float(said.cents_p50) == pytest.approx(CENTS * said.items, abs=0.2)
