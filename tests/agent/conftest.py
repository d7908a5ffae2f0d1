"""Real tasks: browser-use in a process of its own, Chromium, and a scripted model.

`make test-agent` runs them in an environment of their own; elsewhere they are skipped.
"""

import importlib.util
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from browser_use_async.server.executors.browser.locate import find_browser
from tests.agent.processes import processes_of
from tests.agent.site import Shop
from tests.agent.stage import Stage
from tests.support.patience import PATIENCE

_MISSING = [
    *(["browser-use"] if importlib.util.find_spec("browser_use") is None else []),
    *(["Chromium"] if find_browser() is None else []),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip them where they cannot run, and give them more time where they can."""
    for item in items:
        if "tests/agent" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(180))
            if _MISSING:
                reason = f"there is no {' and no '.join(_MISSING)}; `make test-agent` has both"
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch):
    """Each test has a directory for temporary files, empty at the end and without processes."""
    # Not below tmp_path: the names of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="agent-") as folder:
        Path(folder).chmod(0o711)  # a server that runs as root starts its browser as another user
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
        # A killed server's driver still has to notice its death, and to clean up.
        ends = time.monotonic() + PATIENCE
        while (left := _left_in(Path(folder))) and time.monotonic() < ends:
            time.sleep(0.1)
        assert not left


def _left_in(folder: Path) -> list[object]:
    return [*folder.iterdir(), *processes_of([folder])]


@pytest.fixture
async def shop():
    """The shop."""
    async with Shop() as shop:
        yield shop


@pytest.fixture
async def stage(shop):
    """Where tests set up their servers."""
    async with AsyncExitStack() as stack:
        yield Stage(stack, shop)
