"""Messages for mistakes in a command line: the mistake with a suggestion, then the usage."""

from collections.abc import Iterable

import click

from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import SHARED, Argument, Option
from browser_use_async.cli.values import suggestion
from browser_use_async.removals import REMOVED


def usage(context: click.Context) -> str:
    """The usage in one line, with the options that are required only."""
    words = [context.command_path, "[options]"]
    for each in context.command.params:
        if isinstance(each, Argument):
            words.append(each.shape)
        elif isinstance(each, Option) and each.required:
            words.append(f"{each.opts[0]} {each.metavar}")
    if isinstance(context.command, click.Group):
        words.append("COMMAND ..." if context.parent is None else "ACTION ...")
    return " ".join(words)


def unknown(context: click.Context, noun: str, word: str, known: Iterable[str]) -> str:
    """The sentence for an unknown word, or for one that earlier versions had."""
    command = next(iter(context.command_path.split()[1:]), "")
    for name in (f"{command} {word}", word):
        if name in REMOVED:
            return f"{name} is gone: {REMOVED[name]}"
    shown = word if noun == "option" else repr(word)
    return f"there is no {noun} {shown}{suggestion(word, known)}"


def _flags(context: click.Context) -> list[str]:
    found = [*SHARED] if context.parent is None else []
    for each in context.command.get_params(context):
        if isinstance(each, click.Option):
            found += [*each.opts, *each.secondary_opts]
    return found


def _name(parameter: click.Parameter) -> str:
    is_option = isinstance(parameter, click.Option)
    return "/".join(parameter.opts) if is_option else str(parameter.metavar)


def _sentence(error: click.ClickException) -> str:
    """The sentence about a mistake, for the user of a command."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.NoSuchOption) and context is not None:
        known = [each for each in _flags(context) if each.startswith("--")]
        return unknown(context, "option", error.option_name, known)
    if isinstance(error, click.BadOptionUsage) and context is not None:
        switches = [
            flag
            for each in context.command.get_params(context)
            if isinstance(each, click.Option) and each.is_flag
            for flag in (*each.opts, *each.secondary_opts)
        ]
        rule = "takes no value" if error.option_name in switches else "needs a value"
        return f"{error.option_name} {rule}"
    if isinstance(error, click.BadParameter) and error.param is not None:
        is_missing = isinstance(error, click.MissingParameter)
        name = _name(error.param)
        return f"missing: {name}" if is_missing else f"{name}: {error.message}"
    return error.message


def report_mistake(error: click.ClickException) -> int:
    """Print the mistake, the usage, and where to read more."""
    console = Console()
    console.error(_sentence(error))
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        console.info(f"usage: {usage(context)}")
        console.info(f"try '{context.command_path} --help'")
    return ExitCode.USAGE
