"""The commands, by name. A new command is one file and one line here."""

import argparse
from importlib import import_module
from typing import Protocol, cast

import attrs

from browser_use_async.cli.console import Console

__all__ = ["COMMANDS", "Command", "CommandModule"]

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
    """A command that exists.

    Attributes:
        name: The word that the person types.
        file: The name of its module in `cli.commands`.
        summary: What it does, in one line of the help.
    """

    name: str
    file: str
    summary: str

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
    Command("serve", "serve", "run a Cloud API v1 server on this machine"),
    Command("doctor", "doctor", "check the configuration, the connection and the key"),
)
