"""The short form of `make fleet`."""

import asyncio
import os
import sys

import pytest

from tests.fleet.servers import ROOT
from tests.support.postgres import postgres_server

__all__ = ["postgres_server"]


@pytest.mark.long
@pytest.mark.timeout(900)  # some twenty processes, each of which takes seconds on a busy machine
async def test_the_short_form(postgres_server: object) -> None:
    """Kills, restarts and cuts leave nothing wrong, and the control is wrong."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fleet", "--quick",
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()
