"""The command line on click: options, commands, groups of commands, and the program.

A command is a coroutine function in a module of `cli.commands`; its docstring is its help. The
module is imported only if the command is called.

    @command(
        "run",
        Argument("task", "TASK", "what the agent should do"),
        *group(
            "waiting",
            *either(
                option("--timeout SECONDS", "how long to wait", type=seconds),
                option("--detach", "print the task's id, and do not wait"),
            ),
        ),
        examples=('run "Open https://example.com"',),
    )
    async def run(console: Console, server: ServerOptions, task: str, ...) -> int: ...

`group(title, *options)` shows options below a heading of the help, and `either(*options)` allows
only one of them. The function gets a `Console`, then `ServerOptions` if the command connects to a
server, then the values of its own options by name. The `type` of an option is one of click, or a
function of `cli.options` that raises `click.BadParameter`.
"""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn, cast

import click
from click.shell_completion import CompletionItem, shell_complete

from browser_use_async import __version__
from browser_use_async.cli.command import NAME, SHORT_NAME, Group
from browser_use_async.cli.console import Console, OutputError, flush_at_exit, output_errors
from browser_use_async.cli.exit import ExitCode, report_mistake, report_output_error
from browser_use_async.cli.options import Option

COMPLETE = "_BROWSER_USE_ASYNC_COMPLETE"

_ABOUT = """\
Run browser tasks over the Browser Use Cloud API v1, hosted or on this machine.

Start here, without a key and without a network: browser-use-async demo
"""
_NOTES = """\
exit codes:
  0    finished
  1    a task failed or was stopped, or rows of a batch remain, as after "n" to a question
  2    wrong usage or configuration; nothing was sent
  3    the API refused, or the key is wrong
  4    the server cannot be reached
  74   a result could not be written to stdout
  124  the time of --timeout is over
  130  ended by Ctrl-C

Results go to stdout: as text on a terminal or with --plain, as JSON in a pipe or with --json.
Messages go to stderr. Options stand after the command.
"""
# The module in `cli.commands` of each command, and what the command does.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "show what the package does, without a key and without a network"),
    "run": ("run", "run a task, show its steps and print the finished task"),
    "watch": ("run", "follow an existing task until it ends"),
    "tasks": ("tasks", "list your tasks, the newest first, or show one"),
    "stop": ("tasks", "stop tasks; they cannot be continued"),
    "pause": ("tasks", "pause running tasks"),
    "resume": ("tasks", "continue paused tasks"),
    "open": ("tasks", "open the page of a task in the browser"),
    "balance": ("account", "show what is left on the account"),
    "schedules": ("schedules", "create, show, change and delete scheduled tasks"),
    "profiles": ("profiles", "create, show, change and delete browser profiles"),
    "files": ("files", "upload files for tasks, and download what tasks made"),
    "search": ("search", "search the web or one website, on live pages"),
    "scripts": ("administration", "show, change and copy the scripts that a bundled server plays"),
    "webhooks": ("webhooks", "receive webhooks on this machine, and send samples of them"),
    "batch": ("batch", "run a task for each row of a file; can be resumed"),
    "serve": ("serve", "run a Cloud API v1 server on this machine"),
    "mcp": ("mcp", "serve MCP tools, so that a language model can run browser tasks"),
    "keys": ("administration", "make, list and revoke API keys of a bundled server"),
    "backup": ("administration", "copy the data of a bundled server to a file, while it runs"),
    "login": ("account", "save the address and the key for later commands and programs"),
    "logout": ("account", "delete the address and the key that `login` has saved"),
    "completion": ("help", "print the script that completes commands in a shell"),
    "doctor": ("doctor", "check the configuration, the connection and the key"),
    "help": ("help", "show the help of a command"),
}


class _Program(Group):
    """All commands; the module of a command is imported on first use."""

    def __init__(self) -> None:
        super().__init__(NAME, _ABOUT)
        self.notes = _NOTES

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"browser_use_async.cli.commands.{COMMANDS[cmd_name][0]}")
        return cast("click.Command", getattr(module, cmd_name))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands, without importing them."""
        return list(COMMANDS)

    def summaries(self, ctx: click.Context) -> list[tuple[str, str]]:
        """The commands, and what each does."""
        return [(name, summary) for name, (_, summary) in COMMANDS.items()]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin with a word, and the options before them."""
        known = [
            CompletionItem(name, help=summary)
            for name, summary in self.summaries(ctx)
            if name.startswith(incomplete)
        ]
        return [*known, *click.Command.shell_complete(self, ctx, incomplete)]

    def refuse_nothing(self, ctx: click.Context) -> NoReturn:
        """Show the help on stderr."""
        click.echo(ctx.get_help(), err=True)
        ctx.exit(ExitCode.USAGE)


_version = click.version_option(
    __version__, message=f"{NAME} {__version__}", help="print the installed version", cls=Option
)
program = _version(_Program())


def called_name() -> str:
    """The name by which the program was started, one of two."""
    return SHORT_NAME if Path(sys.argv[0]).stem == SHORT_NAME else NAME


def parse(words: Sequence[str]) -> click.Context:
    """The command in the words, with the values of its options in `params`."""
    # Kept for the message with the command that resumes a batch.
    context = program.make_context(called_name(), list(words), obj=tuple(words))
    while isinstance(context.command, Group):
        name, found, rest = context.command.resolve_command(context, context.args)
        assert found is not None
        context = found.make_context(name, rest, parent=context)
    return context


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if instruction := os.environ.get(COMPLETE):
        return shell_complete(program, {}, called_name(), COMPLETE, instruction)
    failure: OutputError | None = None
    try:
        with output_errors():
            context = parse(words)
        with context:
            code = cast("int", context.command.invoke(context))
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.ClickException as error:
        code = report_mistake(error)
    except OutputError as error:  # of a help: a command reports its own
        failure, code = error, ExitCode.OUTPUT
    except KeyboardInterrupt:  # also while options are read and modules are loaded
        code = 128 + signal.SIGINT
    failure = flush_at_exit() or failure
    return code if failure is None else report_output_error(failure, Console())
