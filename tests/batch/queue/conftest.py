"""Queues in PostgreSQL."""

import pytest


@pytest.fixture
def queue_address(postgres):
    """The address of a queue that is not there yet."""
    return f"{postgres}#run"
