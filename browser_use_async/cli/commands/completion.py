"""`completion`: a script that lets a shell complete commands, options and their values."""

import argparse
import json
import shlex
from collections.abc import Iterator, Sequence

import attrs

from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.parser import Parser

_SHELLS = ("bash", "zsh", "fish")
_PROGRAM = "browser-use-async"

_BASH = """\
# Completion of {program} for bash: put it where bash-completion finds it, or source it.
_browser_use_async() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}}
    local place= word words=
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "$place $word" in
            {places}) place="$place $word" ;;
        esac
    done
    case "$place $previous" in
{values}
    esac
    if [[ -z $words ]]; then
        [[ $current == -* ]] && place="$place -"
        case "$place" in
{words}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    # Nothing of ours fits: a file may, whose name may have blanks.
    local IFS=$'\\n'
    [[ ${{#COMPREPLY[@]}} -gt 0 || $current == -* ]] || COMPREPLY=($(compgen -f -- "$current"))
}}
complete -o filenames -o default -F _browser_use_async {program}
"""

_ZSH = """\
#compdef {program}
# Completion of {program} for zsh, by the completion for bash.
autoload -U +X bashcompinit && bashcompinit
{bash}"""


@attrs.frozen
class Place:
    """A command or an action, and what can be written behind it."""

    words: tuple[str, ...]  # the words up to here
    parser: Parser

    @property
    def choices(self) -> dict[str, list[str]]:
        """The values of the options that have a fixed set of them."""
        return {
            flag: [str(each) for each in action.choices]
            for action in self.parser.options()
            for flag in action.option_strings
            if action.choices is not None
        }

    @property
    def flags(self) -> list[str]:
        """The options."""
        return [flag for action in self.parser.options() for flag in action.option_strings]


def places(parser: Parser, words: tuple[str, ...] = ()) -> Iterator[Place]:
    """The program, then each command and action."""
    yield Place(words, parser)
    for name, below in parser.subparsers().items():
        yield from places(below, (*words, name))


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("shell", choices=_SHELLS, metavar="SHELL", help="bash, zsh or fish")


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Print the script."""
    # Imported here: the program lists this command.
    from browser_use_async.cli.program import whole_parser  # noqa: PLC0415

    found = list(places(whole_parser()))
    scripts = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}
    console.answer(scripts[options.shell](found))
    return ExitCode.FINISHED


def bash_script(found: Sequence[Place]) -> str:
    """The completion for bash, with its data as `case` patterns."""
    values = [
        f"        {_pattern((*place.words, flag))}) words={shlex.quote(' '.join(choices))} ;;"
        for place in found
        for flag, choices in place.choices.items()
    ]
    words = [
        f"            {_pattern((*place.words, *dash))}) words={shlex.quote(' '.join(words))} ;;"
        for place in found
        # Options are offered to those who have begun one.
        for dash, words in (((), place.parser.subparsers()), (("-",), place.flags))
        if words
    ]
    known = "|".join(_pattern(place.words) for place in found if place.words)
    return _BASH.format(
        program=_PROGRAM, places=known, values="\n".join(values), words="\n".join(words)
    )


def zsh_script(found: Sequence[Place]) -> str:
    """The completion for zsh, which reads that of bash."""
    return _ZSH.format(program=_PROGRAM, bash=bash_script(found))


def fish_script(found: Sequence[Place]) -> str:
    """The completion for fish: one line for each word."""
    lines = [f"# Completion of {_PROGRAM} for fish."]
    for place in found:
        below = place.parser.subparsers()
        seen = [f"__fish_seen_subcommand_from {word}" for word in place.words]
        others = f"not __fish_seen_subcommand_from {' '.join(below)}" if below else ""
        condition = json.dumps("; and ".join(filter(None, [*seen, others])))
        start = f"complete -c {_PROGRAM} -n {condition}"
        if below:
            lines.append(f"{start} -f -a {json.dumps(' '.join(below))}")
        for action in place.parser.options():
            shape = " ".join(map(_fish_flag, action.option_strings))
            needs = "" if action.nargs == 0 else " -r"
            if action.choices is not None:
                needs = f" -x -a {json.dumps(' '.join(map(str, action.choices)))}"
            lines.append(f"{start} {shape}{needs}")
    return "\n".join(lines)


def _pattern(words: Sequence[str]) -> str:
    return shlex.quote("".join(f" {word}" for word in words))


def _fish_flag(flag: str) -> str:
    return f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
