"""Additional checks of tests of input and output: nothing leaks, and no secret is shown."""

import asyncio
import contextlib
import gc
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

__all__ = [
    "CANARIES",
    "KEY",
    "LIVE_TOKEN",
    "SECRET",
    "SIGNATURE",
    "assert_hides_secrets",
    "nothing_leaks",
    "package_log",
    "raises",
]

KEY = "bu_canary_5e2b7d90c41f"
"""The API key of these tests; it may be found nowhere but in the Authorization header."""

SECRET = "canary-of-a-task-secret-83af"
"""The value of a task secret; it may be found nowhere but in the body of run-task."""

LIVE_TOKEN = "canary-of-a-live-url-61c0d4"
"""In live and share URLs; it may be found nowhere but in answers and the attributes of a task."""

SIGNATURE = "canary-signature-9d1f06a7c3"
"""In the query of each signed URL; it may be found nowhere but in requests to the storage."""

CANARIES = {
    "the key": KEY,
    "a task secret": SECRET,
    "the token of a live URL": LIVE_TOKEN,
    "the signature of a URL": SIGNATURE,
}
"""All of them, with what a person calls them."""

ErrorT = TypeVar("ErrorT", bound=BaseException)

_FILES = Path("/proc/self/fd")


def assert_hides_secrets(error: BaseException) -> None:
    """Check an exception in every way in which people and tools read one.

    Args:
        error: The exception. Test functions must not have a secret in a local variable.
    """
    with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = [str(error), repr(error), "".join(with_locals.format())]
    if not isinstance(error, asyncio.CancelledError):
        shown.append(pickle.dumps(error).decode("latin-1"))
    for text in shown:
        assert KEY not in text, "the key shows"
        assert SECRET not in text, "a task secret shows"
    for link in (error.__cause__, error.__context__):
        if link is not None:
            assert not type(link).__module__.startswith("aiohttp"), "aiohttp's error hangs on"
            assert_hides_secrets(link)


@contextlib.contextmanager
def raises(kind: type[ErrorT]) -> "Iterator[pytest.ExceptionInfo[ErrorT]]":
    """`pytest.raises` that searches for secrets in the exception.

    Args:
        kind: The exact class that is expected.
    """
    with pytest.raises(kind) as caught:
        yield caught

    assert type(caught.value) is kind
    assert_hides_secrets(caught.value)


def open_sockets() -> int:
    """How many sockets this process has open; 0 where that is unknown."""
    if not _FILES.exists():
        return 0
    count = 0
    for file in _FILES.iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            count += str(file.readlink()).startswith("socket:")
    return count


def _other_tasks() -> "set[asyncio.Task[Any]]":
    current = asyncio.current_task()
    return {task for task in asyncio.all_tasks() if task is not current}


@pytest.fixture
async def nothing_leaks(caplog):
    """After the test: no task, no socket, no unclosed object, no secret in the logs."""
    caplog.set_level(logging.DEBUG)
    tasks, sockets = _other_tasks(), open_sockets()

    yield

    for _ in range(100):  # closing takes a few turns of the loop
        if _other_tasks() <= tasks and open_sockets() <= sockets:
            break
        await asyncio.sleep(0.005)
    gc.collect()  # unclosed objects warn here, inside the test that left them
    assert _other_tasks() <= tasks
    assert open_sockets() <= sockets
    lines = [
        logging.Formatter().format(record)
        for phase in ("setup", "call", "teardown")
        for record in caplog.get_records(phase)
    ]
    for secret in (KEY, SECRET):
        assert not [line for line in lines if secret in line]


@pytest.fixture
def package_log():
    """The logger of the package, whose level and handlers are restored afterwards."""
    logger = logging.getLogger("browser_use_async")
    level, handlers = logger.level, list(logger.handlers)
    yield logger
    logger.setLevel(level)
    logger.handlers[:] = handlers
