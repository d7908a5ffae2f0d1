"""Servers on a database of each kind, which keep submission keys."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from tests.server.calling import Caller

Serve = Callable[..., Awaitable[Caller]]

API_KEY = "bu_test_of_submission_keys"
_QUICK = Scenario(steps=("Open it",), step_seconds=0, output="The answer")
_HANGS = Scenario(steps=("Wait",), step_seconds=0, hangs=True)


@pytest.fixture
async def restart(place, http, monkeypatch):
    """Start another server there; the one before is closed, unless both are to run."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    async with AsyncExitStack() as stack:

        async def start(*, beside: bool = False, **options: Any) -> Caller:
            if not beside:
                await stack.aclose()
            executor = ScriptedExecutor({"hangs": _HANGS}, default=_QUICK)
            given = {"executor": executor, "database": place, "api_key": API_KEY, **options}
            if place.startswith("postgresql:"):
                given.setdefault("drain", 0)
            server = await stack.enter_async_context(LocalServer(**given))
            return Caller(server, http)

        yield start
