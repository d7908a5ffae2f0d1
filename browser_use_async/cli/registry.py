"""The commands, by name. A new command is one file and one line here."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

import attrs

from browser_use_async.cli.console import Console

__all__ = ["COMMANDS", "Command", "CommandModule", "completed"]

_ROOM = "browser_use_async.cli.commands"


class CommandModule(Protocol):
    """What the file of a command offers."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's options."""
        ...

    async def execute(self, options: argparse.Namespace, console: Console) -> int:
        """Run the command and give its exit code."""
        ...


@attrs.frozen
class Command:
    """A command that exists."""

    name: str  # the word that the person types
    file: str  # the name of its module in `cli.commands`
    summary: str  # what it does, in one line of the help
    # The words that may follow its name; the first one is meant if none does
    actions: tuple[str, ...] = ()

    def load(self) -> CommandModule:
        """Import its file, and with it whatever the command needs."""
        return cast("CommandModule", import_module(f"{_ROOM}.{self.file}"))


COMMANDS = (
    Command("demo", "demo", "show what the package does, without a key and without a network"),
    Command("run", "run", "run a task, show its steps and print the finished task"),
    Command("watch", "watch", "follow a task that exists until its end"),
    Command("tasks", "tasks", "list the tasks of the account, newest first"),
    Command("stop", "control", "stop tasks for good"),
    Command("pause", "control", "pause running tasks"),
    Command("resume", "control", "continue paused tasks"),
    Command("schedule", "schedule", "create, show, change and delete tasks that run by the clock"),
    Command("profiles", "profiles", "create, show, change and delete browser profiles"),
    Command("files", "files", "upload files for tasks, and download what tasks made"),
    Command("search", "search", "search the web, or one website, for passages on live pages"),
    Command("webhooks", "webhooks", "receive webhooks on this machine, and send samples of them"),
    Command(
        "batch",
        "batch",
        "run a task for each row of a file; survives interruptions",
        ("run", "status"),
    ),
    Command("report", "report", "write what became of a batch as one HTML page"),
    Command("serve", "serve", "run a Cloud API v1 server on this machine"),
    Command("doctor", "doctor", "check the configuration, the connection and the key"),
)


def completed(words: Sequence[str]) -> list[str]:
    """The command line with the action that is meant where none was written: `batch in.csv`."""
    command = next((each for each in COMMANDS if words[:1] == [each.name]), None)
    if command is None or not command.actions or len(words) < 2:
        return list(words)
    is_complete = words[1] in command.actions or words[1].startswith("-")
    return list(words) if is_complete else [words[0], command.actions[0], *words[1:]]
