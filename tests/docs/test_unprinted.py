"""The blocks of the pages that do not say yet what they print run without an error."""

import ast
import asyncio
import inspect
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.testing import (
    Cassette,
    RecordedStatus,
    RecordedTask,
    Scenario,
    ScriptedExecutor,
    ThreadedServer,
)
from tests.docs.blocks import BLOCKS, PRINTING, ROOT, Block

OUTPUTS = {
    "prices": [{"product": "tea", "cents": 350}],
    "head office": {"city": "Paris"},
    "its headings": {"title": "Tea", "description": "A shop", "headings": ["Green", "Black"]},
    "Sum up": "42",
}


@pytest.fixture
def browser_use_server_options() -> dict[str, Any]:
    """Tasks end at once, with an answer of the type that their block asks for."""
    scenarios = {
        word: Scenario(step_seconds=0, output=output, files={"sum.txt": b"42"})
        for word, output in OUTPUTS.items()
    }
    return {"executor": ScriptedExecutor(scenarios, default=Scenario(step_seconds=0))}


@pytest.fixture
def server(
    browser_use_server: ThreadedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ThreadedServer:
    """A server that a block finds by itself, and a folder with the files that blocks name."""
    monkeypatch.setenv("BROWSER_USE_API_KEY", browser_use_server.api_key)
    monkeypatch.setenv("BROWSER_USE_BASE_URL", browser_use_server.base_url)
    (tmp_path / "prices.csv").write_text("product,cents\ntea,350\n")
    (tmp_path / "companies.csv").write_text("id,company\n1,Acme\n")
    recorded = RecordedTask(
        "Find the price of tea", statuses=(RecordedStatus(1, "finished"),), output="350 cents"
    )
    Cassette([recorded]).save(tmp_path / "cassettes" / "tea.json")
    monkeypatch.chdir(tmp_path)
    return browser_use_server


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """What a block sets of the log is no matter of the tests after it."""
    logger = logging.getLogger("browser_use_async")
    level = logger.level
    yield
    logger.setLevel(level)


# Servers of these engines are no Python packages: tests/examples/test_engines.py checks types.
ENGINE = re.compile(r"^(?:from|import) (?:temporalio|restate)\b", re.MULTILINE)


# Tests within a test are run by a pytest of their own, which takes seconds to begin.
_PROGRAMS = [
    pytest.param(each, marks=pytest.mark.long if "def test_" in each.text else ())
    for each in BLOCKS
    if each.language == "python" and each.page not in PRINTING and not ENGINE.search(each.text)
]


@pytest.mark.parametrize("block", _PROGRAMS, ids=str)
async def test_python_runs(block: Block, server: ThreadedServer, tmp_path: Path) -> None:
    """A program is run, a test file is tested, and lines with `await` run beside a session."""
    program = tmp_path / "test_block.py"
    program.write_text(block.text)
    if "asyncio.run(" in block.text or "Runner(" in block.text:
        await _run_file(program, sys.executable)
    elif "def test_" in block.text:
        await _run_file(program, sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto")
    else:
        await _run_lines(block)


async def _run_file(path: Path, *command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        str(path),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _nothing = await process.communicate()
    assert process.returncode == 0, output.decode()


async def _run_lines(block: Block) -> None:
    code = compile(block.text, str(block), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with BrowserUseSession() as session:
        names = {"session": session, "__name__": "block"}
        await session.run_and_wait("Earlier")  # so that lists have rows
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result
        for each in names.values():
            if hasattr(each, "aclose") and each is not session and not isinstance(each, type):
                await each.aclose()
