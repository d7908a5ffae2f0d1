import asyncio
import json
import os
import re
import socket
import tomllib
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from browser_use_async.cli.app import main
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from tests.agent.scripted_model import KEY as MODEL_KEY
from tests.agent.scripted_model import ScriptedModel
from tests.support.wire import WireServer, answering, bound_socket, response

from .running import Result, environment, run, run_on_terminal, running

ROOT = Path(__file__).parents[2]
PORT = 8765  # of `serve`, without an option
MACHINE = [
    "installation",
    *("extra cli", "extra speed", "extra server", "extra browser", "extra local-agent"),
    *("extra fleet", "extra s3", "extra mcp", "extra otel"),
    *("browser", "ffmpeg", "port", "config file"),
]


def _verdicts(result: Result) -> dict[str, bool]:
    return {check["name"]: check["ok"] for check in result.json["checks"]}


async def test_all_is_well(server):
    """With a server and its key every check succeeds, and the exit code is 0."""
    result = await run("doctor", env=environment(server))

    assert result.code == 0
    assert result.json["ok"] is True
    assert list(_verdicts(result)) == [*MACHINE, "configuration", "server", "API key", "balance"]
    assert {line.split()[0] for line in result.stderr.splitlines()} <= {"ok", "missing", "taken"}
    assert [line.split()[0] for line in result.stderr.splitlines()][-4:] == ["ok"] * 4
    assert server.base_url in result.stderr


async def test_every_package_of_an_extra_is_looked_for():
    """The packages of each extra in `pyproject.toml`: its check names a missing one."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    result = await run("doctor", "--local")
    details = {each["name"]: each for each in result.json["checks"]}

    for extra, requirements in declared["optional-dependencies"].items():
        check = details[f"extra {extra}"]
        names = [re.split(r"[\[>=]", each)[0] for each in requirements]
        assert check["missing"] or all(f"{name} " in check["detail"] for name in names)


async def test_the_model_is_asked_one_tiny_question():
    """The cost is shown; a model that refuses the key fails the check."""
    async with ScriptedModel([{"yes": True}]) as model:
        env = environment(OPENAI_BASE_URL=model.url, OPENAI_API_KEY=MODEL_KEY)
        good = await run("doctor", "--local", env=env)
        refused = await run("doctor", "--local", env={**env, "OPENAI_API_KEY": "another"})
    details = {each["name"]: each["detail"] for each in good.json["checks"]}

    assert len(model.asked) == 1
    assert "gpt-4.1 answered in" in details["model"]
    assert "1 tokens asked and 1 answered" in details["model"]
    assert not _verdicts(refused)["model"]
    assert refused.code == 4
    assert "does not take the key: it answered 401" in refused.stderr


async def test_the_python_of_the_agent_is_tried(tmp_path):
    """A relative path counts from the working folder; one without browser-use fails."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 0\n")
    python.chmod(0o755)
    place = os.path.relpath(python)  # noqa: ASYNC240 - reads no file
    good = await run("doctor", "--local", env=environment(BROWSER_USE_AGENT_PYTHON=place))
    details = {each["name"]: each["detail"] for each in good.json["checks"]}
    bad = await run("doctor", "--local", env=environment(BROWSER_USE_AGENT_PYTHON="/bin/false"))

    assert good.code == 0
    assert details["agent"].endswith(f"{place} has browser-use")
    assert details["agent"].startswith("/")
    assert bad.code == 2
    assert "BROWSER_USE_AGENT_PYTHON: /bin/false has no browser-use" in bad.stderr


async def test_local():
    """`--local` checks the installation alone, with a server of its own."""
    assert (await run("doctor", "--local")).code == 0


async def test_a_port_that_is_taken():
    """A used port is no failure; the line shows which program has it."""
    # One after the other in one test, since two tests may run at the same time.
    for is_serve in (True, False):
        async with AsyncExitStack() as held:
            try:
                if is_serve:
                    await held.enter_async_context(LocalServer(executor="scripted", port=PORT))
                else:
                    other = await asyncio.start_server(
                        lambda _, writer: writer.close(), "127.0.0.1", PORT
                    )
                    await held.enter_async_context(other)
            except (OSError, ConfigurationError):
                pytest.skip(f"a program of this machine has the port {PORT}")
            result = await run("doctor", "--local")

        (check,) = (each for each in result.json["checks"] if each["name"] == "port")
        assert (result.code, check["ok"], check["missing"], check["taken"]) == (
            0, True, False, True,
        )  # fmt: skip
        assert ("by `serve`, which answers" in check["detail"]) is is_serve
        assert re.search("^taken +port", result.stderr, re.MULTILINE)


async def test_wrong_key(server):
    """A wrong key is exit code 3; the other checks are shown, too."""
    env = environment(server, BROWSER_USE_API_KEY="bu_wrong_0815")
    result = await run("doctor", env=env)

    assert result.code == 3
    assert _verdicts(result)["server"] is True
    assert _verdicts(result)["API key"] is False
    assert "balance" not in _verdicts(result)


async def test_no_key(server):
    """A missing key is named first, and the server is checked, too."""
    result = await run("doctor", env=environment(BROWSER_USE_BASE_URL=server.base_url))

    assert result.code == 2
    assert _verdicts(result)["server"] is True
    names = list(_verdicts(result))
    assert names[-2:] == ["API key", "server"]
    assert "BROWSER_USE_API_KEY" in result.json["checks"][-2]["detail"]


async def test_impossible_configuration():
    """A base URL that cannot work is named, and nothing is sent."""
    result = await run("doctor", env=environment(BROWSER_USE_BASE_URL="api.example/v1"))

    assert result.code == 2
    assert _verdicts(result) == {**dict.fromkeys(MACHINE, True), "configuration": False}


async def test_what_is_missing_is_no_failure(server, tmp_path):
    """Without a browser and ffmpeg the checks pass, and say what would need them."""
    env = environment(server, PATH=str(tmp_path), BROWSER_USE_SERVER_CHROMIUM="no-such-browser")
    result = await run("doctor", env=env)
    checks = {check["name"]: check for check in result.json["checks"]}

    assert result.code == 0
    assert checks["browser"]["missing"] is checks["ffmpeg"]["missing"] is True
    assert "no-such-browser" in checks["browser"]["detail"]
    assert "missing  ffmpeg             not found; `serve` keeps no films" in result.stderr


@pytest.mark.long
async def test_columns_are_aligned(server):
    """On a terminal each detail begins in the same column, and `--json` prints JSON there."""
    written = await run_on_terminal("doctor", "--plain", env=environment(server), columns=80)
    lines = [line for line in written.splitlines() if not line.startswith(" ")]
    as_json = await run_on_terminal("doctor", "--json", "--plain", env=environment(server))

    assert len(lines) == len(MACHINE) + 4
    assert all(line[27] == " " != line[28] for line in lines)
    assert max(map(len, written.splitlines())) <= 80
    assert '"checks": [' in as_json


@pytest.mark.torture
async def test_no_key_and_no_server():
    """The missing key is named although the server cannot be reached."""
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        result = await run("doctor", env=environment(BROWSER_USE_BASE_URL=url))

    assert result.code == 2
    assert _verdicts(result)["API key"] is _verdicts(result)["server"] is False


@pytest.mark.torture
async def test_no_server_listens():
    """A server that cannot be reached is exit code 4."""
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        env = environment(BROWSER_USE_BASE_URL=url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("doctor", env=env)

    assert result.code == 4
    assert _verdicts(result)["server"] is False


@pytest.mark.torture
def test_without_settings(monkeypatch, tmp_path, capsys):
    """It says that the default address is that of a service which is gone, and what to set."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network here")

    for name in ("BASE_URL", "API_KEY"):
        monkeypatch.delenv(f"BROWSER_USE_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    code = main(["doctor", "--json"])
    checks = {each["name"]: each for each in json.loads(capsys.readouterr().out)["checks"]}

    assert code == 2
    for name in ("configuration", "server"):
        assert "was reported to answer 404" in checks[name]["detail"]
        assert "`browser-use-async login` or set BROWSER_USE_BASE_URL" in checks[name]["detail"]


async def test_not_this_api():
    """A server that answers 404 to a ping does not speak v1: exit code 3, and what to do."""
    async with WireServer(answering(response(404, '{"detail":"Not Found"}'))) as wire:
        env = environment(BROWSER_USE_BASE_URL=wire.url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("doctor", env=env)

    assert result.code == 3
    assert "browser-use-async serve" in result.json["checks"][-1]["detail"]


async def test_empty_account():
    """Without money on the account, new tasks would be rejected: exit code 3."""
    answers = [response(body=body) for body in ("{}", "true", '{"balance":"0"}')]
    async with WireServer(answering(*answers)) as wire:
        env = environment(BROWSER_USE_BASE_URL=wire.url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("doctor", env=env)

    assert result.code == 3
    assert "add credits" in result.json["checks"][-1]["detail"]


def _browser_of(version: str, folder: Path) -> Path:
    """A program that claims to be a browser of some version."""
    program = folder / "chromium"
    program.write_text(f'#!/bin/sh\necho "Chromium {version} built on something"\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(("version", "is_old"), [("147.0.1.2", True), ("148.0.0.1", False)])
async def test_an_old_browser_is_named(version, is_old, tmp_path):
    """A browser without the fixes of half a year is named with its version, and what to do."""
    program = _browser_of(version, tmp_path)
    env = environment(BROWSER_USE_SERVER_CHROMIUM=str(program))
    result = await run("doctor", "--local", env=env)
    (check,) = [each for each in result.json["checks"] if each["name"] == "browser"]

    assert check["missing"] is is_old
    assert ("is version 147, older than 148" in check["detail"]) is is_old


async def test_serve_warns_of_an_old_browser(tmp_path):
    """The warning comes before the first task, and the server starts."""
    program = _browser_of("147.0.1.2", tmp_path)
    env = environment(BROWSER_USE_SERVER_CHROMIUM=str(program))
    async with running("serve", "--port", "0", env=env) as command:
        place = json.loads(await command.writes())
        said = await command.says("update it")

    assert "is version 147" in " ".join(said.split())
    assert place["base_url"]
