import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from browser_use_async import __version__
from browser_use_async.cli import main
from browser_use_async.cli.program import COMMANDS

from .running import running

NAMES = [command.name for command in COMMANDS]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The general help lists the commands and the exit codes."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    shown = capsys.readouterr().out

    assert ended.value.code == 0
    for command in COMMANDS:
        assert command.name in shown
        assert command.summary in " ".join(shown.split())
    for code in ("0 ", "1 ", "2 ", "3 ", "4 ", "124", "130"):
        assert f"\n  {code}" in shown


@pytest.mark.parametrize("name", NAMES)
def test_help_of_each_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command explains each of its options in words."""
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    shown = capsys.readouterr().out

    assert ended.value.code == 0
    assert f"usage: browser-use-async {name}" in shown
    assert "--verbose" in shown
    assert "None" not in shown


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help goes to stderr, and the exit code is 2."""
    assert main([]) == 2

    shown = capsys.readouterr()
    assert "commands:" in shown.err
    assert shown.out == ""


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown command is exit code 2, and the message names the one that is most like it."""
    with pytest.raises(SystemExit) as ended:
        main(["rum"])

    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert shown.splitlines() == [
        "error: there is no command 'rum'; did you mean run?",
        "usage: browser-use-async [options] COMMAND ...",
        "try 'browser-use-async --help'",
    ]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` tells the installed version."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"browser-use-async {__version__}\n"


def test_a_word_that_is_a_command_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """A command's name as an argument of another command is just a word."""
    with pytest.raises(SystemExit) as ended:
        main(["stop", "run", "tasks", "--limit", "3"])

    assert ended.value.code == 2
    assert "--limit" in capsys.readouterr().err


def test_help_loads_nothing_heavy() -> None:
    """Help comes without the server, rich or a web framework being imported."""
    code = (
        "import sys\n"
        "from browser_use_async.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = ('rich', 'aiohttp.web', 'browser_use_async.server', 'pydantic', 'fastapi')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert finished.stderr == "[]\n"


@pytest.mark.long
@pytest.mark.parametrize("words", [["run", "--help"], ["doctor", "--help"]])
def test_help_works_without_rich(words: list[str]) -> None:
    """With the import of rich blocked, the command line still starts."""
    code = (
        "import sys\nsys.modules['rich'] = None\n"
        f"from browser_use_async.cli import main\nmain({words!r})\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert finished.returncode == 0
    assert finished.stdout.startswith("usage: browser-use-async")


async def test_ctrl_c_while_options_are_read(tmp_path: Path) -> None:
    """The exit code is 130, and no traceback is printed, before the command has begun, too."""
    schema = tmp_path / "schema.json"
    os.mkfifo(schema)
    async with running("run", "x", "--schema", str(schema)) as command:
        written = await asyncio.to_thread(os.open, schema, os.O_WRONLY)  # it reads the option now
        command.send(signal.SIGINT)
        os.close(written)  # a signal just before it reads is seen when the read is over
        result = await command.ends()

    assert (result.code, result.stdout, result.stderr) == (130, "", "")
