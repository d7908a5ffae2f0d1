"""Typical mistakes on the command line: each is one line that says what is wrong and what to do."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from browser_use_async.cli.app import COMMANDS, parse, program
from browser_use_async.cli.command import Command, Group

from .running import environment, run, run_on_terminal

MISTAKES = {
    "rnu x": "there is no command 'rnu'; did you mean run?",
    "--local x": "--local stands after the command: browser-use-async COMMAND --local",
    "--json tasks": "--json stands after the command: browser-use-async tasks --json",
    "--api-key=bu_x balance": "after the command: browser-use-async balance --api-key KEY",
    "tasks --plain show x": "--plain stands after the action: browser-use-async tasks show --plain",
    "batch --local run in.csv": "after the action: browser-use-async batch run --local",
    "--limit 3 tasks": "there is no option --limit",
    "batch in.csv": "there is no action 'in.csv'",
    "lst": "there is no command 'lst'",
    "run": "missing: TASK",
    "run Open the page": "unexpected argument 'the'; a text of several words needs quotes",
    "run --max-steps 5 --local 'Open x'": "no option --max-steps; did you mean --max-agent-steps?",
    "run x --output_only": "there is no option --output_only; did you mean --output-only?",
    "run x --max-agent-steps many": "--max-agent-steps: 'many' is not a whole number",
    "run x --max-agent-steps 201": "--max-agent-steps: must be 200 or less, not 201",
    "run x --timeout 0": "--timeout: must be a number of seconds greater than 0, not '0'",
    "run x --timeout": "--timeout needs a value",
    "run x --timeout 5 --detach": "--detach: not allowed with --timeout",
    "run x --detach --output-only": "--output-only waits for the output",
    "mcp --transport http --base-url tasks.example": "base_url has no http:// or https://",
    "open": "missing: TASK_ID|TOKEN",
    "login now": "unexpected argument 'now'",
    "run x --v": "there is no option --v",
    "run x --loc": "there is no option --loc; did you mean --local?",
    "run x --max-a 3": "there is no option --max-a; did you mean --max-agent-steps?",
    "keys add shop --scope admin": "there is no option --scope; did you mean --scopes?",
    "run x --timeout 5 --timeout=6": "--timeout is given twice",
    "run x --adblock --no-adblock": "--no-adblock: not allowed with --adblock",
    "run x --base-url http://a --base-url http://b": "--base-url is given twice",
    "batch results a.db -o a.csv -ob.csv": "-o is given twice",
    "run x --detach=yes": "--detach takes no value",
    "run x --metadata colour": "--metadata: write it as NAME=VALUE",
    """run x --schema '{"type": "objekt"}'""": "'objekt' is not a type; did you mean 'object'?",
    "run x --schema nowhere.json": "--schema: 'nowhere.json' cannot be read: No such file",
    "run x --allowed-domain 'not a domain'": "'not a domain' is not a domain; write shop.example",
    "run x --allowed-domain a.example,b.example": "is several domains; give each one by itself",
    "tasks --limit abc": "--limit: 'abc' is not a whole number",
    "tasks --limit 0": "--limit: must be 1 or more, not 0",
    "tasks --status done": "'done' is not one of created, running, finished, stopped",
    "tasks --created-after yesterday": "--created-after: 'yesterday' is not a valid time; write",
    "tasks sohw x": "there is no action 'sohw'; did you mean show?",
    "schedules create x": "missing: one of --cron --every",
    "schedules create x --interval 1": "there is no option --interval; did you mean --every?",
    "schedules create x --interval-minutes=1": "--interval-minutes; did you mean --every?",
    "schedules create x --cron '* * * * *' --every 5": "--every: not allowed with --cron",
    "schedules create x --every 0": "--every: must be 1 or more, not 0",
    "schedules create '' --every 5": "task: must not be empty; nothing was sent",
    "schedules create x --every 5 --start-at soon": "--start-at: 'soon' is not a valid time; write",
    "schedules create x --every 5 --start-at +2h --end-at +1h": "end_at: must be later than start",
    "schedules update x": "nothing to change: name at least one field",
    "schedules update x --cron x": "cron_expression: a cron expression has five fields, not 1",
    "schedules show": "missing: ID",
    "schedules": "missing: ACTION, one of list, create, show, update, delete",
    "schedules lst": "there is no action 'lst'; did you mean list?",
    "search '' --url https://a.example": "QUERY: it is empty; say what to look for",
    "search x --url notaurl": "--url: 'notaurl' is not an address; write https://shop.example",
    "search x --url {site}": "{site} stands for the example site of --local",
    "run 'Open {site}'": "{site} stands for the example site of --local; write the address",
    "run 'Open {site}' --detach": "{site} stands for the example site of --local",
    "run x --metadata a=1 --metadata a=2": "--metadata: 'a' is given twice",
    "run ''": "task: must not be empty; nothing was sent",
    "run x --base-url 127.0.0.1:8765/api/v1": "base_url has no http:// or https:// in front",
    "run x --api-key 'a b'": "the API key has spaces, line breaks or characters outside ASCII",
    "run x --api-key ''": "the API key is empty",
    "watch ''": "pass a task's id, a handle's token, a handle or a task, not an empty text",
    "tasks show a/b": "task_id is 'a/b', which cannot be an id",
    "schedules create x --cron '61 * * * *'": "minute: '61' is not a number from 0 to 59",
    "batch run nowhere.csv": "nowhere.csv cannot be read: No such file or directory",
    "batch results nowhere.db -o x.csv": "there is no ledger nowhere.db",
    "files upload nowhere.csv": "PATH: there is no file 'nowhere.csv'",
    "batch enqueue x.csv": "missing: --on",
    "serve --port x": "--port: 'x' is not a whole number",
    "serve --port 99999": "--port: must be 65535 or less, not 99999",
    "doctor --api-key x --lcal": "there is no option --lcal; did you mean --local?",
    "completion tcsh": "'tcsh' is not one of bash, zsh, fish",
    "balance --base-url http://a.example/api/v1": "http=True (--allow-insecure-http)",
    f"batch status {__file__}": "is no ledger, or is damaged: file is not a database",
    "search x --url http://": "--url: 'http://' is not an address; write https://shop.example",
    "batch run nowhere.csv --encoding hex": "--encoding: no encoding is called 'hex'",
    "keys revoke ../links/x": "ID: '../links/x' is not an id; `keys list --all` has the ids",
    "keys revoke ''": "ID: '' is not an id; `keys list --all` has the ids",
    "keys list --api-key 'a\nb'": "the API key has spaces, line breaks or characters outside",
    "serve --port 0 --balance-cents 1e99": "must be a number of US cents of at most",
}


@pytest.mark.parametrize("line", MISTAKES)
async def test_each_is_one_line_with_a_way_out(server, line):
    """The exit code is 2, three lines at most say why, and nothing is sent."""
    result = await run(*shlex.split(line), env=environment(server))
    lines = result.stderr.splitlines()

    assert result.code == 2
    assert lines[0].startswith("error: ")
    assert MISTAKES[line] in lines[0]
    assert len(lines) <= 3
    assert not any(f"_{name}" in lines[0] for name in ("count", "limit", "seconds", "file"))
    assert result.stdout == ""
    assert not server.requests


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("--api-key", "bu_wrong_0815"), 3, "401 (Invalid API key); check the API key"),
        (("--api-key", "file:nowhere"), 2, "--api-key: the file cannot be read"),
    ],
)
async def test_wrong_keys(server, words, code, problem):
    """A key that the server refuses, or that is missing, is one line."""
    result = await run("run", "x", *words, env=environment(server))

    assert result.code == code
    assert problem in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert server.tasks_created == 0


async def test_an_address_without_the_path_of_the_api(server):
    """The most frequent mistake in a base URL is named below the error."""
    result = await run("run", "x", "--base-url", server.url, env=environment(server))

    assert result.code == 3
    assert len(result.stderr.splitlines()) == 2
    assert "ends in /api/v1" in result.stderr.splitlines()[-1]


async def test_the_usage_is_one_line():
    """After the error are the arguments that the command needs, and where to find more."""
    result = await run("batch", "enqueue", "x")

    assert result.stderr.splitlines()[1:] == [
        "usage: browser-use-async batch enqueue [options] FILE --on ADDRESS",
        "try 'browser-use-async batch enqueue --help'",
    ]


async def test_on_a_narrow_terminal():
    """The error is wrapped behind its label."""
    written = await run_on_terminal("tasks", "--limit", "abc", env=environment(), columns=40)

    assert written.splitlines()[0].startswith("error: ") or "\x1b[31merror: " in written
    assert "'abc' is not a" in written


async def test_a_traceback_cannot_steer_the_terminal(server, tmp_path):
    """This includes `--verbose`, where an error quotes the name of a file."""
    words = ("batch", "run", "--verbose", str(tmp_path / "\x1b]0;title\x07\x9b2Jrows.csv"))
    written = await run_on_terminal(*words, env=environment(server))

    assert "Traceback" in written
    assert "2Jrows.csv" in written
    for sequence in ("\x1b]", "\x9b", "\x07"):
        assert sequence not in written


def test_lists_that_are_given_twice_add_up():
    """An option that takes several values may be repeated as well."""
    added = parse(shlex.split("keys add shop --scopes run --scopes read,admin")).params
    served = parse(shlex.split("serve --search http://a --search http://b")).params
    listed = parse(shlex.split("tasks list --status failed --status paused --json --json")).params

    assert added["scopes"] == (["run"], ["read", "admin"])
    assert len(served["search"]) == 2
    assert len(listed["status"]) == 2


@pytest.mark.parametrize("options", ["", "--limit 3", "--json id", "--plain --limit 3"])
def test_tasks_alone_are_listed(options):
    """`tasks` is `tasks list`, with the options of that."""
    found, wanted = parse(["tasks", *options.split()]), parse(["tasks", "list", *options.split()])

    assert found.command_path == wanted.command_path
    assert found.params == wanted.params


@pytest.mark.parametrize("words", [["run", "- open a page"], ["run", "--", "-x"], ["run", "-1 x"]])
def test_a_task_may_begin_with_a_dash(words):
    """A word with a blank in it is a text, and so is what follows `--`."""
    assert parse(words).params["task"] == words[-1]


def test_a_flag_is_no_value():
    """A missing value is named, where the next option would be mistaken for it."""
    with pytest.raises(click.BadOptionUsage):
        parse(["batch", "run", "x.csv", "--template", "--resume"])


def _commands(
    group: Group = program, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Command | Group]]:
    """Every command and group, and its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert isinstance(found, Command | Group)
        yield (*words, name), found
        if isinstance(found, Group):
            yield from _commands(found, (*words, name))


@pytest.mark.parametrize("line", [line for _, command in _commands() for line in command.examples])
def test_examples_of_the_help_are_right(line, tmp_path, monkeypatch):
    """Each example below a help is a command that the program understands."""
    monkeypatch.chdir(tmp_path)
    for name in ("prices.csv", "prices.schema.json"):
        Path(name).write_text("{}")
    words = shlex.split(line.partition(" > ")[0])
    if words[-1] == "--help":
        with pytest.raises(click.exceptions.Exit) as ended:
            parse(words)
        assert ended.value.exit_code == 0
        return

    assert isinstance(parse(words).command, Command)


def test_every_command_has_examples():
    """No command is without an example, and each begins with the words of its command."""
    for words, command in _commands():
        assert command.examples or len(words) > 1, words
        assert all(line.split()[0] == words[0] for line in command.examples)
    assert len([words for words, _ in _commands() if len(words) == 1]) == len(COMMANDS)


def test_every_option_is_explained():
    """Each option and each argument has a text in the help, and no name is given twice."""
    for words, command in _commands():
        named = [flag for each in command.params for flag in (*each.opts, *each.secondary_opts)]
        assert len(set(named)) == len(named), words
        assert all(getattr(each, "help", None) for each in command.params), words
