"""The code of docs/integrations.md for engines whose servers are no Python packages."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.server import LocalServer

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "integrations.md").read_text()
ENGINES = ("temporalio",)


def _block(engine: str) -> str:
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    named = re.compile(rf"^(?:from|import) {engine}\b", re.MULTILINE)
    (block,) = filter(named.search, blocks)
    return block


def _defined(engine: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": engine}
    exec(compile(_block(engine), engine, "exec"), names)
    return names


async def test_the_code_has_the_types_of_the_engines(tmp_path):
    """By mypy with `--strict`, against the packages of the engines and this one."""
    for package in ("mypy", *ENGINES):
        pytest.importorskip(
            package, reason=f"{package} is not installed: `make test-examples` has it"
        )
    for engine in ENGINES:
        (tmp_path / f"with_{engine}.py").write_text(_block(engine))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(tmp_path)),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _nothing = await process.communicate()

    assert process.returncode == 0, output.decode()


async def test_attempts_of_an_activity_of_temporal_have_one_task(monkeypatch):
    """In the engine's own environment for tests of activities."""
    testing = pytest.importorskip("temporalio.testing")
    browse = _defined("temporalio")["browse"]
    async with LocalServer(executor="scripted") as server:
        monkeypatch.setenv("BROWSER_USE_API_KEY", server.api_key)
        monkeypatch.setenv("BROWSER_USE_BASE_URL", server.base_url)
        for _attempt in range(2):
            assert await testing.ActivityEnvironment().run(browse, "Pay invoice 7")

        assert server.tasks_created == 1
