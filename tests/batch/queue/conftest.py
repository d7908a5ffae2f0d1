"""Queues in PostgreSQL."""

from collections.abc import Callable

import pytest


@pytest.fixture
def queue(postgres: str) -> str:
    """The address of a queue that is not there yet."""
    return f"{postgres}#run"


@pytest.fixture
def texts() -> Callable[[int], list[str]]:
    """This many different tasks."""
    return lambda count: [f"Task {number}" for number in range(count)]
