"""The executor `plain` and the example site, over real sockets."""

import pytest

from browser_use_async.server.executors.plain.executor import PlainExecutor


@pytest.fixture
def plain():
    """An executor without a browser, for pages of this machine."""
    return PlainExecutor()
