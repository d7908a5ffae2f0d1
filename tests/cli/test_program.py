import asyncio
import os
import signal
import subprocess
import sys

import click
import pytest

from browser_use_async import __version__
from browser_use_async.cli import main
from browser_use_async.cli.app import COMMANDS, program

from .running import environment, run, run_on_terminal, running

NAMES = list(COMMANDS)


def test_help_names_every_command(capsys):
    """The general help lists the commands and the exit codes."""
    assert main(["--help"]) == 0

    shown = capsys.readouterr().out
    for name, (_, summary) in COMMANDS.items():
        assert name in shown
        assert summary in " ".join(shown.split())
    for code in ("0 ", "1 ", "2 ", "3 ", "4 ", "124", "130"):
        assert f"\n  {code}" in shown


@pytest.mark.parametrize("name", NAMES)
def test_help_of_each_command(name, capsys):
    """Each command explains each of its options in words."""
    assert main([name, "--help"]) == 0

    shown = capsys.readouterr().out
    assert f"usage: browser-use-async {name}" in shown
    assert "--verbose" in shown or "actions:" in shown
    assert "None" not in shown


def test_no_command(capsys):
    """Without a command the help goes to stderr, and the exit code is 2."""
    assert main([]) == 2

    shown = capsys.readouterr()
    assert "commands:" in shown.err
    assert shown.out == ""


def test_unknown_command(capsys):
    """An unknown command is exit code 2, and the message names the most similar one."""
    assert main(["rum"]) == 2

    shown = capsys.readouterr().err
    assert shown.splitlines() == [
        "error: there is no command 'rum'; did you mean run?",
        "usage: browser-use-async COMMAND ...",
        "try 'browser-use-async --help'",
    ]


def test_version(capsys):
    """`--version` prints the installed version."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"browser-use-async {__version__}\n"


def test_a_word_that_is_a_command_elsewhere(capsys):
    """A command's name as an argument of another command is only a word."""
    assert main(["stop", "run", "tasks", "--limit", "3"]) == 2
    assert "--limit" in capsys.readouterr().err


def test_help_loads_nothing_heavy():
    """Help comes without the server, rich or a web framework being imported."""
    code = (
        "import sys\n"
        "from browser_use_async.cli import main\n"
        "main(['--help'])\n"
        "heavy = ('rich.console', 'aiohttp.web', 'browser_use_async.server.settings', 'pydantic')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert finished.stderr == "[]\n"


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra(missing):
    """One line says what to install, if click or rich is missing."""
    code = (
        f"import sys\nsys.modules[{missing!r}] = None\n"
        "from browser_use_async.cli import main\nsys.exit(main(['balance']))\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr == (
        "error: the command line needs the extra `cli`: pip install 'browser-use-async[cli]'\n"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_list_and_the_help_say_the_same(name):
    """The summary in the list of commands begins the help of the command."""
    summary = COMMANDS[name][1]
    about = program.get_command(program.make_context("x", [name]), name)

    assert about is not None
    assert (about.help or "").startswith(f"{summary[0].upper()}{summary[1:]}")


def test_the_help_of_a_command_and_of_an_action(capsys):
    """`help run` is `run --help`, and `help` alone is that of the program."""
    assert main(["run", "x", "--timeout", "5", "-hq"]) == 0
    assert capsys.readouterr().out.startswith("usage: browser-use-async run")
    for words in ([], ["run"], ["batch", "run"], ["schedules", "create"]):
        assert main([*words, "--help"]) == 0
        asked = capsys.readouterr().out
        assert main(["help", *words]) == 0
        assert capsys.readouterr().out.rstrip() == asked.rstrip()


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("batch", "--help")])
async def test_help_has_colours_on_a_terminal_only(words):
    """They change no layout, and NO_COLOR and a dumb terminal have none; neither has a pipe."""
    named = environment(TERM="xterm", NO_COLOR="")
    coloured = await run_on_terminal(*words, env=named)
    plain = [
        await run_on_terminal(*words, env={**named, **each})
        for each in ({"NO_COLOR": "1"}, {"TERM": "dumb"})
    ]
    piped = await run(*words, env={**named, "FORCE_COLOR": "1"})

    assert "\x1b[36m" in coloured
    assert [click.unstyle(coloured)] * 2 == plain
    assert "\x1b" not in plain[0] + piped.stdout


async def test_ctrl_c_while_options_are_read(tmp_path):
    """The exit code is 130, without a traceback, also before the command has begun."""
    schema = tmp_path / "schema.json"
    os.mkfifo(schema)
    async with running("run", "x", "--schema", str(schema)) as command:
        written = await asyncio.to_thread(os.open, schema, os.O_WRONLY)  # it reads the option now
        command.send(signal.SIGINT)
        os.close(written)  # a signal just before the read is handled after it
        result = await command.ends()

    assert (result.code, result.stdout, result.stderr) == (130, "", "")
