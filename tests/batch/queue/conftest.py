"""Queues in PostgreSQL."""

import pytest


@pytest.fixture
def queue_address(postgres: str) -> str:
    """The address of a queue that is not there yet."""
    return f"{postgres}#run"
