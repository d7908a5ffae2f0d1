"""Each code block of the README and of `docs/` works, and prints what it promises."""

import json
import re
import shlex
import tomllib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pytest

from browser_use_async import errors
from browser_use_async.cli.app import parse
from browser_use_async.config_file import ConfigFile
from browser_use_async.server.executors.browser.locate import find_browser
from browser_use_async.server.executors.scripts import notation
from browser_use_async.transport.config import DEFAULT_BASE_URL
from tests.docs.blocks import BLOCKS, PAGES, ROOT, Block, is_printed
from tests.docs.reader import (
    ExampleServer,
    outcome_of_tests,
    output_of_commands,
    output_of_python,
)

# The server of this engine is no Python package: tests/examples/test_engines.py checks types.
ENGINE = re.compile(r"^(?:from|import) temporalio\b", re.MULTILINE)

# Blocks of Python that print nothing: by page, a line of each, and why.
SILENT = {
    ("batch.md", "def work_on_offices"): "defines what works on a database",
    ("errors.md", "logging.basicConfig"): "sets the log up, which goes to stderr",
    ("webhooks.md", "session.attach(receiver)"): "defines what the service calls",
}

# Pages about tasks in a real browser.
WITH_BROWSER = {"browser.md"}

# Commands that are only read: their beginning or a name in them, and why.
NOT_RUN = {
    r"pip ": "installs",
    r"python3 ": "makes an environment or a key",
    r"export ": "sets what another block needs",
    r"make ": "of the checkout",
    r"npx ": "another program",
    r"browser-use-async (serve|mcp)\b": "serves until it is ended; these tests have such a server",
    r"browser-use-async demo$": "tests/cli/test_demo.py runs it",
    r"browser-use-async login$": "asks for the key on a terminal",
    r"browser-use-async completion ": "writes into the folder of its user",
    r"browser-use-async webhooks ": "listens until it is ended, or needs what listens",
    r"browser-use-async scripts (edit|diff)": "opens an editor, or needs what was edited there",
    r"browser-use-async keys revoke KEY_ID": "names what the line before has printed",
    r".*postgresql://": "tests/cli/test_batch_queue.py has such a database",
}


def _of(language: str) -> list[Block]:
    return [each for each in BLOCKS if each.language == language]


def _is_test(block: Block) -> bool:
    return block.language == "python" and "def test_" in block.text


def _may_run(line: str) -> bool:
    return not any(re.match(each, line) for each in NOT_RUN)


pytestmark = [
    pytest.mark.timeout(300),  # a page is many tasks
    pytest.mark.usefixtures("log_level"),  # blocks set it
]


@pytest.fixture(scope="session")
def plain_server():
    """The server that the pages start, which reads pages by rules."""
    with ExampleServer.start("plain") as server:
        yield server


@pytest.fixture
def chromium_server():
    """The same, with a real browser; one for each page, since a server keeps its scripts."""
    if find_spec("playwright") is None or find_browser() is None:
        pytest.skip("there is no Chromium that Playwright could drive")
    with ExampleServer.start("chromium") as server:
        yield server


@pytest.fixture
def example_server(request, tmp_path, monkeypatch):
    """One of them, the first by default, which the blocks find by themselves; an empty folder."""
    executor = getattr(request, "param", "plain")
    server: ExampleServer = request.getfixturevalue(f"{executor}_server")
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return server


async def _differences(blocks: Sequence[Block], example_server: ExampleServer) -> list[str]:
    """Run blocks in their order; the differences between promised and real output."""
    found = []
    for block in blocks:
        try:
            output = await _output(block, example_server)
        except Exception as error:  # noqa: BLE001 - what a block raises is what its reader sees
            found.append(f"{block} raised {error!r}")
            continue
        if not is_printed(block.printed, output):
            found.append("\n".join([f"{block} says", *block.printed, "and prints", output]))
    return found


async def _output(block: Block, example_server: ExampleServer) -> str:
    if block.language == "python":
        return await output_of_python(block, example_server)
    lines = [each for each in block.commands if _may_run(each)]
    return await output_of_commands(lines, example_server)


def _to_run(page: str) -> list[Block]:
    return [
        each
        for each in BLOCKS
        if each.page == page
        and each.language in {"python", "console"}
        and not _is_test(each)
        and not each.needs_model  # tests/agent/test_page.py has one
        and not ENGINE.search(each.text)
    ]


# A reader with Chromium gets the same output. The pages of `WITH_BROWSER` need one.
_IN_PAGES = [path.name for path in PAGES if _to_run(path.name)]
_RUNS = [
    *(pytest.param(each, "plain", id=each) for each in _IN_PAGES if each not in WITH_BROWSER),
    *(
        pytest.param(
            *(each, "chromium"),
            id=f"{each} in Chromium",
            marks=(pytest.mark.long, pytest.mark.torture),
        )
        for each in _IN_PAGES
    ),
]


@pytest.mark.parametrize(("page", "example_server"), _RUNS, indirect=["example_server"])
async def test_a_page_prints_what_it_says(page, example_server):
    """Its blocks are run in their order, in one folder, as a reader runs them."""
    blocks = _to_run(page)
    if example_server.executor == "plain":
        blocks = [each for each in blocks if not each.needs_browser]
    assert "\n".join(await _differences(blocks, example_server)) == ""


async def test_a_wrong_line_is_found(example_server):
    """The control: a page that promises another title, one line more, or one less."""
    right = next(each for each in _to_run("README.md") if "#> finished" in each.text)
    title = next(each for each in right.text.splitlines(keepends=True) if "#> finished" in each)
    command = Block("control.md", 1, "console", "echo tea\n#> coffee\n")
    wrong = [
        attrs.evolve(right, text=right.text.replace(title, other))
        for other in (title.replace("Browser", "Bowser"), title + title, title.replace("#>", "#"))
    ]

    assert await _differences([right], example_server) == []
    assert len(await _differences([*wrong, command], example_server)) == 4


# Each pytest takes seconds to begin. test_testing_page.py runs the tests of its page.
@pytest.mark.long
@pytest.mark.parametrize(
    "block", [each for each in BLOCKS if _is_test(each) and each.page != "testing.md"], ids=str
)
async def test_tests_pass_as_pasted(block, example_server):
    """Each test of a block passes in an empty folder."""
    count = len(re.findall(r"^async def test_|^def test_", block.text, re.MULTILINE))

    outcome = await outcome_of_tests(block, example_server)
    assert re.search(rf"^{count} passed in ", outcome, re.MULTILINE)


def test_every_block_prints_something():
    """Blocks without output are named, each with its reason."""
    silent = [
        each
        for each in _of("python")
        if not (_is_test(each) or ENGINE.search(each.text) or each.printed)
    ]
    unnamed = [
        str(block)
        for block in silent
        if not any(page == block.page and line in block.text for page, line in SILENT)
    ]
    unused = [
        (page, line)
        for page, line in SILENT
        if not any(page == block.page and line in block.text for block in silent)
    ]

    assert unnamed == []
    assert unused == []


def _commands() -> list[Any]:
    return [
        pytest.param(each, id=f"{block}: {each[:60]}")
        for block in _of("console")
        for each in block.commands
    ]


@pytest.mark.parametrize("line", _commands())
def test_commands_exist(line, tmp_path, monkeypatch):
    """A command of this package knows all of its options and arguments."""
    words = shlex.split(line.partition(" > ")[0], comments=True)
    if words[0] != "browser-use-async":
        return  # those that may be run are
    monkeypatch.chdir(tmp_path)
    Path("faults.json").write_text('{"faults": []}')

    assert parse(words[1:]).command.name


@pytest.mark.parametrize("block", _of("json"), ids=str)
def test_json_is_json(block):
    """Each JSON block of a page is valid."""
    assert json.loads(block.text)


@pytest.mark.parametrize("block", _of("toml"), ids=str)
def test_toml_is_a_configuration_file(block, tmp_path, monkeypatch):
    """The file of `login` is shown as sessions read it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "browser-use-async" / "config.toml"
    path.parent.mkdir()
    path.touch(mode=0o600)
    path.write_text(block.text)
    read = ConfigFile.read()

    assert read is not None
    assert read.base_url == DEFAULT_BASE_URL
    assert read.api_key is not None


def test_every_block_is_of_a_kind_that_is_checked():
    """Each block is checked by a test, except for those that other programs read."""
    kinds = {"python", "console", "json", "script", "toml", "html", "nginx", "ini"}
    assert {each.language for each in BLOCKS} <= kinds


@pytest.mark.parametrize("block", _of("script"), ids=str)
def test_a_script_is_read(block):
    """The script of the page is valid, and written as the command writes it."""
    assert notation.write(notation.parse(block.text)) == block.text


def test_links_lead_somewhere():
    """Each relative link of a page names a file of the repository."""
    broken = [
        f"{path.name}: {target}"
        for path in PAGES
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text())
        if not (path.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("page", ["README.md", "tutorial.md"])
def test_the_first_commands_work_in_a_checkout(page):
    """They install the checkout, with existing extras, and no package of an index."""
    first = next(
        each for each in _of("console") if each.page == page and each.text.startswith("pip ")
    )
    install, demo = first.text.splitlines()[:2]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]

    found = re.fullmatch(r'pip install "\.\[([\w,]+)\]"', install)
    assert found is not None
    assert set(found[1].split(",")) <= set(extras)
    assert demo == "browser-use-async demo"


def test_every_error_is_explained():
    """The page of errors says when each one is raised and what to do."""
    rows = re.findall(
        r"^\| `(\w+)` \| .+ \| .+ \|$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE
    )

    assert sorted(rows) == sorted(errors.__all__)
