"""Each code block of the README and of `docs/` does what it says."""

import ast
import asyncio
import inspect
import json
import logging
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.cli.app import parse
from browser_use_async.server.executors.scripts import notation
from browser_use_async.testing import (
    Cassette,
    RecordedStatus,
    RecordedTask,
    Scenario,
    ScriptedExecutor,
    ThreadedServer,
)

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OUTPUTS = {
    "prices": [{"product": "tea", "cents": 350}],
    "head office": {"city": "Paris"},
    "its headings": {"title": "Tea", "description": "A shop", "headings": ["Green", "Black"]},
    "Sum up": "42",
}
# Commands of other programs, which a reader types as well.
OTHERS = ("npx ", "pip install", "make ", "export ", "python3 -m venv", "python3 -c")


@attrs.frozen
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def _blocks() -> Iterator[Block]:
    for path in PAGES:
        page = path.read_text()
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
            line = page.count("\n", 0, match.start()) + 1
            yield Block(path.name, line, match[1], match[2])


BLOCKS = list(_blocks())


def _of(language: str) -> list[Block]:
    return [each for each in BLOCKS if each.language == language]


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
    for each in _of("python")
    if not ENGINE.search(each.text)
]


@pytest.mark.parametrize("block", _PROGRAMS, ids=str)
async def test_python_runs(block: Block, server: ThreadedServer, tmp_path: Path) -> None:
    """A program is run, a test file is tested, and lines with `await` run beside a session."""
    program = tmp_path / "test_block.py"
    program.write_text(block.text)
    if "asyncio.run(" in block.text:
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


def _commands() -> list[Any]:
    return [
        pytest.param(line.strip(), id=f"{block}: {line.strip()[:60]}")
        for block in _of("console")
        for line in block.text.replace("\\\n", "").splitlines()
    ]


@pytest.mark.parametrize("line", _commands())
def test_commands_exist(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of this package knows all of its options and arguments."""
    words = shlex.split(line.partition(" > ")[0], comments=True)
    if words[0] != "browser-use-async":
        assert line.startswith(OTHERS)
        return
    monkeypatch.chdir(tmp_path)
    Path("faults.json").write_text('{"faults": []}')

    assert parse(words[1:]).command.name


@pytest.mark.parametrize("block", _of("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    """What a page shows as JSON can be read as such."""
    assert json.loads(block.text)


def test_every_block_is_of_a_kind_that_is_checked() -> None:
    """Nothing runs that a test does not look at, but for what other programs read."""
    kinds = {"python", "console", "json", "script", "html", "nginx"}
    assert {each.language for each in BLOCKS} <= kinds


@pytest.mark.parametrize("block", _of("script"), ids=str)
def test_a_script_is_read(block: Block) -> None:
    """And written as it stands on the page."""
    assert notation.write(notation.parse(block.text)) == block.text


def test_links_lead_somewhere() -> None:
    """Each relative link of a page names a file of the repository."""
    broken = [
        f"{path.name}: {target}"
        for path in PAGES
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("page", ["README.md", "tutorial.md"])
def test_the_first_commands_work_in_a_checkout(page: str) -> None:
    """They install what stands beside them, with extras that it has, and no package of an index."""
    first = next(each for each in _of("console") if each.page == page)
    install, demo = first.text.splitlines()[:2]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]

    found = re.fullmatch(r'pip install "\.\[([\w,]+)\]"', install)
    assert found is not None
    assert set(found[1].split(",")) <= set(extras)
    assert demo == "browser-use-async demo"


def test_the_site_has_few_pages() -> None:
    """At most twenty, the first page and the reference included; all are in the navigation."""
    navigation = re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)

    assert len(navigation) <= 20
    assert sorted(navigation) == sorted(["index.md", *(each.name for each in PAGES[1:])])


def test_the_readme_is_short() -> None:
    """It says what there is; how and why stand in `docs/`."""
    assert len((ROOT / "README.md").read_text().split()) <= 1300


def test_every_error_is_explained() -> None:
    """The page of errors says of each one when it is raised and what to do."""
    rows = re.findall(
        r"^\| `(\w+)` \| .+ \| .+ \|$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE
    )

    assert sorted(rows) == sorted(errors.__all__)
