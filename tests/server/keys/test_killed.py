"""The spending of owners, after the server was killed in between."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.torture
async def test_sums_agree_wherever_a_server_is_killed(tmp_path):
    """At each statement of two tasks: owners spent what the account lost and tasks cost."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.server.keys.killed", str(tmp_path),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    results = json.loads(output)
    wrong = {
        number: each
        for number, each in enumerate(results)
        for account, owners, shop, tasks in (each[:4], each[4:])
        if account != owners or shop != tasks
    }

    assert wrong == {}
    assert len(results) > 30
    assert results[-1][:4] == [12.0, 12.0, 6.0, 6.0]
