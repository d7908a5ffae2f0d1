"""Queues in PostgreSQL."""

from collections.abc import Callable

import pytest

from tests.batch.conftest import open_session, serve
from tests.support.hygiene import nothing_leaks

__all__ = ["nothing_leaks", "open_session", "serve"]


@pytest.fixture
def queue(postgres: str) -> str:
    """The address of a queue that is not there yet."""
    return f"{postgres}#run"


@pytest.fixture
def texts() -> Callable[[int], list[str]]:
    """This many different tasks."""
    return lambda count: [f"Task {number}" for number in range(count)]
