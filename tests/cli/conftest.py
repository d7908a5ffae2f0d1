"""The server that the commands of these tests use."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from .running import Recorder, forking


@pytest.fixture(scope="session", autouse=True)
def quick_starts() -> Iterator[None]:
    """Commands start in a process that has imported what they need."""
    with forking():
        yield


@pytest.fixture(autouse=True)
def log_level(package_log: logging.Logger) -> None:
    """The log level that a command sets is undone after its test."""


@pytest.fixture
def server_options(recorder: Recorder) -> dict[str, Any]:
    """A server whose tasks the test scripts."""
    return {"executor": recorder}
