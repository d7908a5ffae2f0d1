"""`completion`: the script by which a shell asks this program to complete a word."""

from click.shell_completion import get_completion_class

from browser_use_async.cli.command import command
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import Argument, Choice


@command(
    "completion",
    Argument("shell", "SHELL", "bash, zsh or fish", type=Choice(("bash", "zsh", "fish"))),
    connects=False,
    examples=(
        "completion bash > ~/.local/share/bash-completion/completions/browser-use-async",
        "completion zsh > ~/.zfunc/_browser-use-async",
        "completion fish > ~/.config/fish/completions/browser-use-async.fish",
    ),
)
async def completion(console: Console, shell: str) -> None:
    """Print the script that completes commands in a shell.

    It completes the name by which it is printed, `browser-use-async` or `bua`.
    """
    # Imported here: the program lists this command.
    from browser_use_async.cli.app import COMPLETE, called_name, program  # noqa: PLC0415

    kind = get_completion_class(shell)
    assert kind is not None  # click has all three
    console.answer(kind(program, {}, called_name(), COMPLETE).source())
