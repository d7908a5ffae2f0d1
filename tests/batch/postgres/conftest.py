"""Batches whose ledger is in PostgreSQL."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from browser_use_async import BrowserUseSession
from tests.batch.conftest import open_session, serve
from tests.support.hygiene import nothing_leaks

__all__ = ["Work", "nothing_leaks", "open_session", "serve", "work"]

Work = Callable[..., Awaitable[Any]]


@pytest.fixture
def ledger(postgres: str) -> str:
    """The address of a ledger that is not there yet."""
    return f"{postgres}#run"


@pytest.fixture
def texts() -> Callable[[int], list[str]]:
    """This many different tasks."""
    return lambda count: [f"Task {number}" for number in range(count)]


@pytest.fixture
def work() -> Work:
    """Work on a batch in this process until it is over; returns the worker."""
    from browser_use_async.batch.options import WorkerOptions
    from browser_use_async.batch.postgres.address import LedgerAddress
    from browser_use_async.batch.postgres.worker import BatchWorker

    async def run(session: BrowserUseSession, ledger: str, **options: Any) -> BatchWorker:
        chosen = WorkerOptions(**{"concurrency": 5, "lease": 2.0, **options})
        session._runner.creator.reconciler.settle_window = 0.3
        address = LedgerAddress.parse(ledger)
        worker = BatchWorker(session._runner, session._runtime, address, chosen)
        await worker.run()
        return worker

    return run
