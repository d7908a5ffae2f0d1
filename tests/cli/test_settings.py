"""The settings of a server: each is in the docs, and in `serve --help` or for programs only."""

import inspect
import re

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


async def test_an_option_that_is_gone_is_no_option():
    """It is refused as every word that is no option."""
    for words in (("--plan", "subscription"), ("--slots", "8"), ("--behind-proxy",)):
        result = await run("serve", *words)

        assert result.code == 2
        assert f"no option {words[0]}" in result.stderr


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
