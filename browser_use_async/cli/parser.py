"""The argument parser: a mistake is one line with a suggestion, then the usage in one line."""

import argparse
import difflib
import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NoReturn, cast

from browser_use_async.cli.console import Console
from browser_use_async.cli.examples import epilog
from browser_use_async.cli.exit import ExitCode
from browser_use_async.removals import REMOVED

_Subparsers: Any = argparse._SubParsersAction  # noqa: SLF001 - it has no public name
# Options whose values add up; `extend` is a kind of it.
_Append: Any = argparse._AppendAction  # noqa: SLF001 - it has no public name
_NEGATIVE_NUMBER = re.compile(r"-\d*\.?\d+")
# What argparse says, and the same in words for the user of a command.
_IN_WORDS = (
    (r"argument (?:COMMAND|ACTION): (.*)", r"\1"),
    (r"argument ([^:]+): not allowed with argument (.*)", r"\1: not allowed with \2"),
    (r"argument ([^:]+): expected (?:one|at least one) argument", r"\1 needs a value"),
    (r"argument ([^:]+): ignored explicit argument .*", r"\1 takes no value"),
    (r"argument ([^:]+): invalid \S+ value: (.*)", r"\1: \2 is not a number"),
    (r"argument (.*)", r"\1"),
    (r"the following arguments are required: (.*)", r"missing: \1"),
    (r"one of the arguments (.*) is required", r"missing: one of \1"),
    (r"ambiguous option: (\S+) could match (.*)", r"\1 is ambiguous: \2"),
)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'run'?` for the known word that is most like another, or nothing."""
    words = list(known)
    # What is cut short is meant, however much is missing.
    longer = [each for each in words if len(word) > len("--") and each.startswith(word)]
    close = longer if len(longer) == 1 else difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help whose second column leaves room for the longest command."""

    def __init__(self, prog: str, **shape: Any) -> None:
        super().__init__(prog, **shape)
        # argparse forgets how far commands are indented when it measures them.
        self._action_max_length = 14


class Parser(argparse.ArgumentParser):
    """A parser of a program, a command or an action, with examples below its help."""

    def __init__(self, prog: str, **shape: Any) -> None:
        shape.setdefault("epilog", epilog(prog))
        shape.setdefault("formatter_class", _Formatter)
        # Otherwise each new option could break the scripts that abbreviate another one.
        shape.setdefault("allow_abbrev", False)
        super().__init__(prog=prog, **shape)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, how it is written, and where more is said; exit with 2."""
        console = Console()
        console.error(_in_words(message))
        console.info(f"usage: {self.usage_line()}")
        console.info(f"try '{self.prog} --help'")
        self.exit(ExitCode.USAGE)

    def format_help(self) -> str:
        """The help, with the usage in one line: the options are listed below it."""
        self.usage = self.usage_line().replace("%", "%%")
        return super().format_help()

    def options(self) -> list[argparse.Action]:
        """The options of this parser."""
        return [each for each in self._actions if each.option_strings]

    def subparsers(self) -> "dict[str, Parser]":
        """The parsers of its commands or actions, by name."""
        for action in self._actions:
            if isinstance(action, _Subparsers):
                parsers: dict[str, Parser] = cast("Any", action).choices
                return parsers
        return {}

    def usage_line(self) -> str:
        """The usage in one line, with the options that are required only."""
        shapes = [
            _shape(each) for each in self._actions if each.required or not each.option_strings
        ]
        return " ".join([self.prog, "[options]", *shapes])

    def check_words(self, words: Sequence[str], known: AbstractSet[str] = frozenset()) -> "Parser":
        """Exit with 2 if a command, an action or an option is unknown; else its parser."""
        # argparse itself would take the value of an unknown option for an argument, and name a
        # later word, such as the text of a task.
        known = known | self._option_string_actions.keys()
        below, count = self.subparsers(), len(words)
        # Options of this parser come before the name of the command or the action.
        place = next((i for i in range(count) if not words[i].startswith("-")), count)
        self._refuse_unknown_options(words[:place] if below else words, known)
        self._refuse_repeated_options(words[:place] if below else words)
        if not below or place == count:
            return self
        if words[place] not in below:
            # The prog of a command has its name: what follows is an action.
            noun = "action" if " " in self.prog else "command"
            likely = suggestion(words[place], below)
            self._refuse_gone(words[place])
            self.error(f"there is no {noun} {words[place]!r}{likely}")
        return below[words[place]].check_words(words[place + 1 :], known)

    def _refuse_unknown_options(self, words: Sequence[str], known: AbstractSet[str]) -> None:
        for word in words:
            if word == "--":
                return
            flag = word.partition("=")[0]
            if _is_option(word) and not any(_is_written(flag, each) for each in known):
                self._refuse_gone(flag)
                likely = suggestion(flag, (each for each in known if each.startswith("--")))
                self.error(f"there is no option {flag}{likely}")

    def _refuse_gone(self, word: str) -> None:
        """Exit with 2 if earlier versions knew an option or an action."""
        command = next(iter(self.prog.split()[1:]), "")
        for name in (f"{command} {word}", word):
            if name in REMOVED:
                self.error(f"{name} is gone: {REMOVED[name]}")

    def _refuse_repeated_options(self, words: Sequence[str]) -> None:
        """Refuse options of which argparse would silently take the last one."""
        seen: dict[argparse.Action, str] = {}
        for word in words:
            if word == "--":
                return
            flag = word.partition("=")[0]
            written = (each for each in self._option_string_actions if _is_written(flag, each))
            name = next(written, None) if _is_option(word) else None
            action = None if name is None else self._option_string_actions[name]
            if name is None or action is None or isinstance(action, _Append):
                continue
            # A switch may be repeated, but not contradicted.
            if action in seen and not (action.nargs == 0 and seen[action] == name):
                self.error(
                    f"{name} is given twice"
                    if seen[action] == name
                    else f"{name}: not allowed with {seen[action]}"
                )
            seen[action] = name

    def refuse_extra_words(self, extra: Sequence[str]) -> None:
        """Exit with 2 if arguments are left over."""
        if extra:
            self.error(f"unexpected argument {extra[0]!r}; a text of several words needs quotes")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = list(map(str, action.choices))
        likely = suggestion(str(value), known)
        raise argparse.ArgumentError(action, f"{value!r} is not one of {', '.join(known)}{likely}")


def _in_words(message: str) -> str:
    """A message of argparse in other words."""
    for pattern, words in _IN_WORDS:
        if match := re.fullmatch(pattern, message, re.DOTALL):
            return match.expand(words)
    return message


def _is_option(word: str) -> bool:
    # A word with a blank is a text that begins with a dash; argparse sees it so, too.
    is_text = " " in word.partition("=")[0] or _NEGATIVE_NUMBER.fullmatch(word)
    return len(word) > 1 and word.startswith("-") and not is_text


def _is_written(flag: str, known: str) -> bool:
    """Whether an option is a known one as it was written, such as `--output` or `-oFILE`."""
    return flag == known or (not flag.startswith("--") and flag.startswith(known))


def _shape(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest
    value = {"*": f"[{metavar} ...]", "?": f"[{metavar}]", "+": f"{metavar} ..."}.get(
        str(action.nargs), metavar
    )
    if isinstance(action, _Subparsers):
        return f"{metavar} ..."
    return f"{action.option_strings[0]} {value}" if action.option_strings else value
