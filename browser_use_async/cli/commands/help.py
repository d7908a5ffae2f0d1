"""`help` shows what a command does, and `completion` lets a shell complete commands."""

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem, get_completion_class

from browser_use_async.cli.command import Group, command
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import Argument, Choice


def _complete(
    context: click.Context, _argument: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    root = context.find_root()
    return root.command.shell_complete(root, incomplete)


@command(
    "help",
    Argument(
        "words", "COMMAND", "a command, and an action of it", nargs=-1, shell_complete=_complete
    ),
    connects=False,
    examples=("help run", "help batch run"),
)
async def help(console: Console, words: Sequence[str]) -> None:  # noqa: A001 - the name of the command
    """Show the help of a command."""
    context = click.get_current_context().find_root()
    for word in words:
        if not isinstance(context.command, Group):
            context.fail(f"{context.command_path} has no actions")
        name, found, _ = context.command.resolve_command(context, [word])
        assert found is not None  # else it is refused
        context = click.Context(found, info_name=name, parent=context)
    console.answer(click.unstyle(context.get_help()))


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
