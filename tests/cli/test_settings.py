"""The settings of a server: in the docs, in `serve --help` or for programs only, and refused."""

import inspect
import re
import shlex

import attrs
import pytest

from browser_use_async.cli.app import parse
from browser_use_async.cli.commands.serve import ServeSettings, serve
from browser_use_async.cli.setting_options import given, options_of
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import (
    AgentSettings,
    ChromiumSettings,
    LocalServer,
    ServerSettings,
)
from browser_use_async.server.executors.browser.locate import find_browser
from browser_use_async.server.executors.model import Model
from browser_use_async.server.setting_kinds import setting, settings_of, whole
from browser_use_async.server.settings import GROUPS
from scripts.command_tables import settings
from tests.support.hygiene import KEY

from .running import environment, run, running

OWNERS = (ServerSettings, ChromiumSettings, AgentSettings, ServeSettings)
SETTINGS = [(owner, field, each) for owner in OWNERS for field, each in settings_of(owner)]
OPTIONS = {each.option for _, _, each in SETTINGS if each.option is not None}


async def test_each_option_is_in_the_help():
    """Each option is in `serve --help`, some by name only."""
    help_text = (await run("serve", "--help")).stdout
    rows = re.findall(r"^  (--[a-z-]+)", help_text, re.MULTILINE)

    assert {each for each in OPTIONS if not re.search(rf"{each}[ ,\n]", help_text)} == set()
    assert {*rows[:5]} == {each.option for _, _, each in SETTINGS if each.leads}


def test_options_are_those_of_the_settings():
    """Each option of the command is a setting or an option of all commands."""
    own = {flag for each in serve.params for flag in each.opts}

    assert own - OPTIONS == {"--plain", "--json", "--verbose"}
    assert len(OPTIONS) == len([each for _, _, each in SETTINGS if each.option])


def test_the_page_has_every_setting():
    """With its keyword and its option."""
    text = settings()

    for _, field, each in SETTINGS:
        assert any(
            part in text for part in (f"`{field.name}`", f"({field.name})`", f"`{each.option}")
        )


def test_without_options_the_defaults_are_those_of_a_program():
    """`serve` and `LocalServer` differ only in the port."""
    values = parse(["serve"]).params
    settings = ServerSettings(**given(ServerSettings, values))

    assert attrs.evolve(settings, port=0) == ServerSettings()
    assert [given(owner, values) for owner in OWNERS[1:]] == [{}] * 3


def test_keywords_of_a_server_are_the_settings():
    """The signature has them, and each group is a part of them."""
    names = list(inspect.signature(LocalServer).parameters)

    assert names == [field.name for field in attrs.fields(ServerSettings)]
    assert {owner for _, owner in GROUPS if not issubclass(ServerSettings, owner)} == {
        *(ChromiumSettings, AgentSettings)
    }


def test_environment_variables_are_read(monkeypatch, tmp_path):
    """A value that is not given comes from its variable; a given one has priority."""
    program = tmp_path / "browser"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    given_values = {
        "BROWSER_USE_SERVER_CHROMIUM": str(program),
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_API_KEY": "key-of-the-model",
        "BROWSER_USE_AGENT_PYTHON": "/agent/bin/python",
    }
    assert given_values.keys() <= {each.variable for _, _, each in SETTINGS}
    for name, value in given_values.items():
        monkeypatch.setenv(name, value)

    assert find_browser() == str(program)
    model = Model.of(AgentSettings())
    own = Model.of(AgentSettings(llm_base_url="http://127.0.0.1:1/v1", llm_key=""))

    assert (model.base_url, model.key) == ("http://127.0.0.1:9/v1", "key-of-the-model")
    assert (own.base_url, own.key) == ("http://127.0.0.1:1/v1", "")
    assert AgentSettings().python == "/agent/bin/python"


@attrs.frozen
class _Room:
    """A setting as one is added: a number with a variable."""

    most: int = setting(
        5, whole(1, 9), "the most", option="--most", variable="BROWSER_USE_SERVER_MOST"
    )


def test_a_variable_is_read_and_checked_where_the_settings_are_made(monkeypatch):
    """It is no text any more; a wrong one is refused by its name, with the range."""
    (option,) = options_of("rooms", _Room)
    assert option.help == "the most (default: BROWSER_USE_SERVER_MOST, else 5)"
    assert _Room().most == 5
    monkeypatch.setenv("BROWSER_USE_SERVER_MOST", " 7 ")
    assert (_Room().most, _Room(most=2).most) == (7, 2)
    monkeypatch.setenv("BROWSER_USE_SERVER_MOST", "")
    assert _Room().most == 5
    for text, problem in (("10", "must be 9 or less, not 10"), ("x", "'x' is not a whole number")):
        monkeypatch.setenv("BROWSER_USE_SERVER_MOST", text)
        with pytest.raises(ConfigurationError, match=f"^BROWSER_USE_SERVER_MOST: {problem}$"):
            _Room()


async def test_a_variable_of_no_setting_is_said():
    """Nothing of another configuration is ignored in silence; other variables are not ours."""
    env = environment(BROWSER_USE_SERVER_CHROMIUN="x", BROWSER_USE_PORT="1")
    async with running("serve", "--port", "0", env=env) as command:
        said = " ".join((await command.says("Ctrl-C ends")).split())

    assert (
        "BROWSER_USE_SERVER_CHROMIUN is no variable of this server, and is not read; "
        "did you mean BROWSER_USE_SERVER_CHROMIUM?" in said
    )
    assert said.count("is no variable") == 1


MODEL = "http://127.0.0.1:9/v1"
AGENT = 'pip install "browser-use-async[local-agent]"'
NO_COUNTRY = "http://name:proxy-canary@127.0.0.1:3128"
REFUSED = {
    "--executor magic": "'magic' is not one of",
    "--host 0.0.0.0": "(--api-key)",
    f"--host 0.0.0.0 --api-key {'x' * 24}": "--tls-cert",
    f"--trusted-proxy 10.0.0.5 --api-key {'x' * 24}": "public_url",
    "--tls-cert cert.pem": "--tls-key",
    "--api-key file:nowhere.txt": "--api-key: the file cannot be read",
    f"--api-key env:{KEY}": "--api-key: the environment variable is not set",
    "--database diary.db": "no database of this server",
    "--balance-cents much": "must be a number of US cents, not 'much'",
    "--balance-cents inf": "must be a number of US cents, not 'inf'",
    "--max-concurrent-tasks 0": "--max-concurrent-tasks: must be 1 or more, not 0",
    "--search searxng:http://127.0.0.1:1/search --search http://127.0.0.1:1": "cannot be combined",
    **{
        f"--search {prefix}{address}": f"--search: {address!r} is no address"
        for prefix in ("", "searxng:")
        for address in ("searx.example", "ftp://searx.example", "http://", "http://[")
    },
    "--fault 'lost_reply run_task calls=0'": "calls: must be 1 or more, not 0",
    "--fault explode": "kind: 'explode' is none of latency, status",
    "--fault file:missing.json": "missing.json: No such file",
    "--fault file:wrong.json": "faults[0].seconds: a fault of kind latency needs it",
    "--proxy file:proxies": "--proxy: line 2: ",
    "--proxy file:none": "--proxy: the file cannot be read",
    f"--proxy env:{NO_COUNTRY}": "the environment variable is not set",
    f"--proxy {NO_COUNTRY}": "--proxy: write a country code",
    "--proxy env:A_PROXY": "--proxy: line 1: ",
    f"--llm-base-url {MODEL} --agent-python /bin/false": AGENT,
    f"--llm-base-url {MODEL} --agent-python /bin/false --executor browser_use": AGENT,
    "--executor plain --llm-model m": "is for --executor browser_use",
    "--executor plain --llm-reads-only": "is for --executor browser_use",
    "--executor browser_use": "needs an OpenAI-compatible endpoint",
    "--executor browser_use --llm-key env:NO_KEY": "--llm-key: the environment variable is not set",
    f"--executor browser_use --llm-key env:{KEY}": "--llm-key: the environment variable is not set",
}


@pytest.mark.parametrize("line", REFUSED)
async def test_serve_is_refused(line, tmp_path, monkeypatch):
    """Before it listens: the error names the option and the way out, and repeats no secret."""
    monkeypatch.chdir(tmp_path)
    for name, content in (
        ("diary.db", "Dear diary"),
        ("wrong.json", '{"faults": [{"kind": "latency"}]}'),
        ("proxies", f"us={NO_COUNTRY}\n{NO_COUNTRY}\n"),
    ):
        (tmp_path / name).write_text(content)
    env = environment(OPENAI_BASE_URL="", A_PROXY=NO_COUNTRY)
    result = await run("serve", "--port", "0", *shlex.split(line), env=env)

    assert (result.code, result.stdout) == (2, "")
    assert REFUSED[line] in " ".join(result.stderr.split())
    assert "canary" not in result.stderr


async def test_a_model_of_the_environment_that_cannot_be_used_is_said():
    """It may be there for another program, so that tasks are executed without it."""
    env = environment(OPENAI_BASE_URL=MODEL, BROWSER_USE_AGENT_PYTHON="/bin/false")
    async with running("serve", "--port", "0", env=env) as program:
        seen = await program.says("Ctrl-C ends the server")

    assert "tasks are not given to the model of OPENAI_BASE_URL" in seen


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"drain": -1}, "LocalServer.drain: -1 is no number from 0"),
        ({"task_days": 0}, "LocalServer.task_days: 0 is no whole number from 1 to 36500"),
        ({"database": 7}, "LocalServer.database: 7 is no path of a file"),
        ({"api_key": 7}, "LocalServer.api_key is no text"),
        ({"agent": AgentSettings(llm_model="m")}, "--llm-model is for --executor browser_use"),
    ],
)
def test_what_does_not_fit(fields, words):
    """A program gets the same message as the command line."""
    with pytest.raises(ConfigurationError, match=words):
        LocalServer(executor="scripted", **fields)
