"""The server that the commands of these tests use."""

import pytest

from .running import forking


@pytest.fixture(scope="session", autouse=True)
def quick_starts():
    """Commands start in a process that has imported what they need."""
    with forking():
        yield


@pytest.fixture(autouse=True)
def log_level(package_log):
    """The log level that a command sets is undone after its test."""


@pytest.fixture
def server_options(recorder):
    """A server whose tasks the test scripts."""
    return {"executor": recorder}
