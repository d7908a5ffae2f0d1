"""A fake API and a session with it, both in the test's own loop."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def package_log() -> Iterator[logging.Logger]:
    """The logger of the package, which is restored afterwards."""
    logger = logging.getLogger("browser_use_async")
    level, handlers = logger.level, list(logger.handlers)
    yield logger
    logger.setLevel(level)
    logger.handlers[:] = handlers
