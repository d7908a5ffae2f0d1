"""Commands by name, and the words of the command line in the order that the parser knows."""

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

import attrs

from browser_use_async.cli.console import Console
from browser_use_async.cli.options import add_connection_options, add_output_options

_COMMANDS_PACKAGE = "browser_use_async.cli.commands"
_HELP = frozenset({"-h", "--help"})


class CommandModule(Protocol):
    """The interface of a command module."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's options."""
        ...

    async def execute(self, options: argparse.Namespace, console: Console) -> int:
        """Run the command and return its exit code."""
        ...


@attrs.frozen
class Command:
    """A command, and the module that implements it."""

    name: str  # the word on the command line
    file: str  # the name of its module in `cli.commands`
    summary: str  # what it does, in one line of the help
    # The words that may follow its name; the first one is meant if none does
    actions: tuple[str, ...] = ()
    action_takes_words: bool = True  # whether the first action has arguments
    other_names: tuple[str, ...] = ()  # that mean the command as well
    other_actions: Mapping[str, str] = attrs.field(factory=dict)  # by name, the action meant

    def load(self) -> CommandModule:
        """Import the module of the command."""
        return cast("CommandModule", import_module(f"{_COMMANDS_PACKAGE}.{self.file}"))

    def arrange(self, words: Sequence[str]) -> list[str]:
        """What follows the name of the command, with the action that is meant."""
        first = next((word for word in words if not word.startswith("-")), None)
        if first is not None and first in self.other_actions:
            place = words.index(first)  # once: a file may have the name of an action
            return [*words[:place], self.other_actions[first], *words[place + 1 :]]
        if not self.actions or first in self.actions or _HELP.intersection(words[:1]):
            return list(words)
        # `batch FILE` needs a file, and `tasks` no more than options.
        is_meant = bool(words) if self.action_takes_words else words[:1] != [first]
        return [self.actions[0], *words] if is_meant else list(words)


def arrange(words: Sequence[str], commands: Sequence[Command]) -> list[str]:
    """The words with shared options behind the command, and with the names that the parser has."""
    shared, rest = _leading_options(words)
    if not rest:
        return []
    for command in commands:
        if rest[0] in {command.name, *command.other_names}:
            rest = [command.name, *command.arrange(rest[1:])]
    # What follows `--` are arguments, even if it begins with a dash.
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *shared, *rest[end:]]


def _leading_options(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options of every command that stand before its name, and the words from there on."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_connection_options(parser)
    add_output_options(parser)
    with_value = {
        flag: action.nargs is None
        for action in parser._actions  # noqa: SLF001 - there is no public list
        for flag in action.option_strings
    }
    place = 0
    while place < len(words) and words[place].partition("=")[0] in with_value:
        place += 1 + (with_value.get(words[place], False))
    return list(words[:place]), list(words[place:])
