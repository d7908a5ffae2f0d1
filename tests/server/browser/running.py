"""Tasks in a browser, without what most tests do not look at."""

from typing import Any

from browser_use_async.server.executors.protocol import Executor
from browser_use_async.types import SecretMapping
from tests.server.reader.running import Run, run

__all__ = ["START_SECONDS", "browse"]

START_SECONDS = 50.0
"""What a browser may take to start on a machine that does ten other things."""


async def browse(executor: Executor, task: str, **settings: Any) -> Run:
    """Carry out a task to its end, directly and without a film unless told otherwise.

    Args:
        executor: The executor.
        task: The task.
        settings: What `run` takes beside these.
    """
    chosen = {"takes_recording": False, "use_proxy": False, **settings}
    # As in a task that came over HTTP: read where they are used, and never pickled.
    chosen["secrets"] = SecretMapping(chosen.get("secrets", {}))
    return await run(executor, task, **chosen)
