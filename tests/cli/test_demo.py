import re
import shlex
import shutil
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from browser_use_async.cli.app import parse
from browser_use_async.server.http.static_site import example_site_directory

from .running import Result, environment, run, run_on_terminal, running

NAMES = ["question", "dataclass", "pause", "failure", "link"]


def _prefix_positions(result: Result, name: str) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith(f"{name} ")]


def _browser_without_sandbox(folder: Path) -> Path:
    """A program that is a browser by its version, and fails as in many containers."""
    folder.chmod(0o755)  # a server of root starts browsers as another user
    program = folder / "chromium"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo Chromium 150.0.1.2 && exit 0\n'
        "echo 'No usable sandbox!' >&2\nexit 1\n"
    )
    program.chmod(0o755)
    return program


@pytest.mark.long
async def test_a_browser_that_does_not_start_is_left_out():
    """A note says so, and all parts succeed without it."""
    with TemporaryDirectory() as folder:
        program = _browser_without_sandbox(Path(folder))
        result = await run("demo", env=environment(BROWSER_USE_SERVER_CHROMIUM=str(program)))

    assert result.code == 0
    assert all(part["ok"] for part in result.json["parts"])
    said = " ".join(result.stderr.split())
    assert "note: the pages are read without a browser, because it did not start" in said
    assert "do without the sandbox: --no-sandbox" in said


@pytest.mark.torture
async def test_every_part_ends_as_it_should():
    """Without key and network all five parts succeed, and each shows its live page first."""
    result = await run("demo")

    assert result.code == 0
    assert result.json["ok"] is True
    assert [part["name"] for part in result.json["parts"]] == NAMES
    assert all(part["ok"] for part in result.json["parts"])
    assert result.json["requests"]["run_task"] == 5
    for name in NAMES:
        about, live, *_steps = _prefix_positions(result, name)
        assert about
        assert re.fullmatch(rf"{name} +watch live at http://127.0.0.1:\d+/live/\S+", live)
    assert "the task is paused" in result.stderr
    assert "no step was taken" in result.stderr
    assert "TaskFailedError" in result.stderr
    hints = result.stderr.partition("Where to look next\n")[2].splitlines()
    assert len(hints) >= 4
    for hint in hints:
        words = shlex.split(hint[hint.index("browser-use-async") :])
        if words[1:] != ["--help"]:
            parse(words[1:])


def _rewritten(folder: Path) -> Path:
    """The example site with other words on every page, and other names of its files."""
    site = folder / "site"
    shutil.copytree(example_site_directory(), site)
    names = {path.name: f"x{number}{path.suffix}" for number, path in enumerate(site.rglob("*.*"))}
    names["index.html"] = "index.html"
    for path in [*site.rglob("*.*")]:
        text = path.read_text()
        for old, new in names.items():
            text = text.replace(old, new)
        path.write_text(re.sub(r">([^<>{}]*[a-z][^<>{}]*)<", _reversed_words, text))
        path.rename(path.with_name(names[path.name]))
    return site


def _reversed_words(match: "re.Match[str]") -> str:
    return f">{' '.join(word[::-1] for word in re.sub('&[a-z]+;', 'and', match[1]).split())}<"


@pytest.mark.torture
async def test_another_site(tmp_path):
    """The demo knows no page of the example site: it succeeds on a rewritten one as well."""
    site = _rewritten(tmp_path)
    title = re.search("<title>(.*)</title>", (site / "index.html").read_text())
    result = await run("demo", "--site", str(site))

    assert title is not None
    assert result.code == 0
    assert result.json["parts"][0]["result"] == title[1]
    assert title[1] not in (example_site_directory() / "index.html").read_text()


@pytest.mark.torture
async def test_site_without_links(tmp_path):
    """A part with the wrong end is shown, and makes the exit code 1."""
    (tmp_path / "index.html").write_text("<title>Lonely</title><p>No link at all.</p>")
    result = await run("demo", "--site", str(tmp_path))
    verdicts = {part["name"]: part["ok"] for part in result.json["parts"]}

    assert result.code == 1
    assert result.json["ok"] is False
    assert verdicts == {
        "question": True,
        "dataclass": False,
        "pause": False,
        "failure": True,
        "link": False,
    }


async def test_no_site(tmp_path):
    """A folder without pages is exit code 2."""
    result = await run("demo", "--site", str(tmp_path))

    assert result.code == 2
    assert "index.html" in result.stderr


@pytest.mark.torture
async def test_keep():
    """`--keep` leaves the live pages open until Ctrl-C, which then ends the demo with 0."""
    async with running("demo", "--keep") as command:
        await command.says("The live pages stay at")
        command.send(signal.SIGINT)
        result = await command.ends()

    assert result.code == 0


@pytest.mark.parametrize("more", [(), ("--plain",)])
@pytest.mark.torture
async def test_on_a_terminal(more):
    """A terminal shows colours, with --plain the same words; no JSON is between them."""
    written = await run_on_terminal("demo", *more, env=environment(), columns=100)

    assert ("\x1b[" in written) is (not more)
    assert "Where to look next" in written
    assert '{"ok"' not in written
    assert max(len(line) for line in written.splitlines() if "\x1b" not in line) <= 100
