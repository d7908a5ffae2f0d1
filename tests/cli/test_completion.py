import subprocess
from pathlib import Path

import pytest

from browser_use_async.cli.program import COMMANDS

from .running import run

_ASK = """
source "$1"; shift
COMP_WORDS=(browser-use-async "$@")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_browser_use_async
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
async def script(tmp_path: Path) -> Path:
    """The completion for bash, in a file."""
    path = tmp_path / "completion.bash"
    path.write_text((await run("completion", "bash")).stdout)
    return path


def _complete(script: Path, *words: str) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", _ASK, "bash", str(script), *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=script.parent,
    )
    assert done.stderr == ""
    return done.stdout.strip().splitlines()


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (("ru",), ["run"]),
        (("files", ""), ["upload", "download"]),
        (("run", "x", "--on-c"), ["--on-cancel"]),
        (("run", "x", "--on-cancel", ""), ["leave", "stop", "pause"]),
        (("tasks", "list", "--status", "f"), ["finished", "failed"]),
        (("tasks", "show", "x", "--output"), ["--output-only"]),
        (("files", "upload", "comp"), ["completion.bash"]),
        (("run", "--schema", "comp"), ["completion.bash"]),
        (("run", "--no-such"), []),
    ],
)
def test_bash(script: Path, words: tuple[str, ...], completed: list[str]) -> None:
    """A shell that has read the script completes commands, options, their values, and files."""
    assert _complete(script, *words) == completed


def test_bash_completes_a_name_with_blanks(script: Path) -> None:
    """As one word: a file is not two."""
    (script.parent / "my prices.csv").touch()

    assert _complete(script, "files", "upload", "my") == ["my prices.csv"]


def test_bash_knows_every_command(script: Path) -> None:
    """Nothing typed yet: all commands."""
    assert {command.name for command in COMMANDS} <= set(_complete(script, ""))


async def test_other_shells() -> None:
    """Zsh reads the script of bash behind its own head; fish gets a line for each word."""
    bash, zsh, fish = [await run("completion", shell) for shell in ("bash", "zsh", "fish")]

    assert zsh.stdout.startswith("#compdef browser-use-async\n")
    assert bash.stdout in zsh.stdout
    assert all(line.startswith(("#", "complete -c ")) for line in fish.stdout.splitlines())
    assert (
        '-n "__fish_seen_subcommand_from run" -l on-cancel -x -a "leave stop pause"' in fish.stdout
    )
