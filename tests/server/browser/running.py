"""Runs tasks in a browser, without the parts that most tests do not check."""

from typing import Any

from browser_use_async.server.executors.protocol import Executor
from browser_use_async.types import SecretMapping
from tests.server.plain.running import Run, run

__all__ = ["START_SECONDS", "browse"]

START_SECONDS = 50.0
"""What a browser may take to start on a machine that does ten other things."""


async def browse(executor: Executor, task: str, **settings: Any) -> Run:
    """Run a task to its end, without a server, and without a recording by default.

    Args:
        executor: The executor.
        task: The task.
        settings: What `run` takes beside these.
    """
    chosen = {"takes_recording": False, "use_proxy": False, **settings}
    # As in a task over HTTP: secrets are read where they are used, and never pickled.
    chosen["secrets"] = SecretMapping(chosen.get("secrets", {}))
    return await run(executor, task, **chosen)
