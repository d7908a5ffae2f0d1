"""`help`: what a command does, and its options."""

from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from browser_use_async.cli.command import Group, command
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import Argument


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
    console.answer(context.get_help())
