"""Commands with several actions, such as `schedule list` and `schedule create`."""

import argparse
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from browser_use_async.cli.console import Console
from browser_use_async.cli.options import add_output_options, add_target_options
from browser_use_async.cli.target import Target, open_target

__all__ = ["Action", "add_action_parsers", "add_actions", "perform"]


@attrs.frozen
class Action:
    """One action of a command."""

    summary: str  # what it does, in one line of the help
    configure: Callable[[argparse.ArgumentParser], None]  # adds its own options to its parser
    # Does it, and gives the exit code
    execute: Callable[[Target, argparse.Namespace, Console], Awaitable[int]]


def add_actions(parser: argparse.ArgumentParser, actions: Mapping[str, Action]) -> None:
    """Add the actions of a command; each has the options that every command has."""
    added = add_action_parsers(parser, {name: each.summary for name, each in actions.items()})
    for name, action in actions.items():
        action.configure(added[name])
        add_target_options(added[name])
        add_output_options(added[name], has_parent=True)


def add_action_parsers(
    parser: argparse.ArgumentParser, summaries: Mapping[str, str]
) -> dict[str, argparse.ArgumentParser]:
    """Add a parser for each action of a command, without options yet."""
    room: Any = parser.add_subparsers(
        dest="action", metavar="ACTION", title="actions", required=True
    )
    return {
        name: room.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        for name, summary in summaries.items()
    }


async def perform(
    actions: Mapping[str, Action], options: argparse.Namespace, console: Console
) -> int:
    """Do what the person asked for, on the server that the options name."""
    async with open_target(options, console) as target:
        return await actions[options.action].execute(target, options, console)
