import asyncio
import json
import shlex
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession, system
from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from tests.support.wire import bound_socket

from .running import Running, environment, run, running

SCRIPTED = ("serve", "--port", "0", "--executor", "scripted")


@pytest.mark.torture  # where there is a browser it is started
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serves_until_a_signal(number):
    """It prints lines to copy and JSON, so that any program can use it. A signal ends it with 0."""
    async with running("serve", "--port", "0", "--example-site") as command:
        place = json.loads(await command.writes())
        said = await command.says("Ctrl-C ends the server")
        async with BrowserUseSession(place["api_key"], base_url=place["base_url"]) as session:
            task = await session.run_and_wait(f"Open {place['site_url']}/ and tell me its title")
        command.send(number)
        result = await command.ends()

    exports = dict(
        shlex.split(line)[1].split("=", 1)
        for line in said.splitlines()
        if line.startswith("export ")
    )
    assert task.output
    assert result.code == 0
    assert exports == {
        "BROWSER_USE_BASE_URL": place["base_url"],
        "BROWSER_USE_API_KEY": place["api_key"],
    }


async def test_a_key_of_ones_own():
    """A key that the person chose is accepted, and never printed."""
    key = "bu_canary_of_serve"
    words = ("serve", "--port", "0", "--api-key", key, "--executor", "scripted")
    async with running(*words) as command:
        written = await command.writes()
        async with BrowserUseSession(key, base_url=json.loads(written)["base_url"]) as session:
            assert await session.account.me()
        command.send(signal.SIGTERM)
        result = await command.ends()

    assert result.code == 0
    assert key not in written + result.stderr


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
async def test_other_programs_of_its_user_find_no_key(tmp_path):
    """The memory and the environment of `serve` are protected, once it says that it serves."""
    keys = {"BROWSER_USE_SERVER_KEY": "a-key-of-an-operator", "OWN_KEY": "bu_0123456789abcdef"}
    words = ("--database", str(tmp_path / "tasks.db"), "--api-key", "env:OWN_KEY")
    # Root may read all processes, as long as it has these capabilities.
    rights = "--bounding-set=-sys_ptrace,-perfmon,-sys_admin"
    without = ("setpriv", rights) if system.is_root() else ()
    process = await asyncio.create_subprocess_exec(
        *(*without, sys.executable, "-m", "browser_use_async", *SCRIPTED, *words),
        env=environment(**keys),
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline()
        for name in ("environ", "maps"):
            looking = await asyncio.create_subprocess_exec(
                *without, "cat", f"/proc/{process.pid}/{name}", stderr=subprocess.PIPE
            )
            assert b"Permission denied" in (await looking.communicate())[1]
    finally:
        process.terminate()
        assert await process.wait() == 0


async def test_port_that_is_taken():
    """A used port is exit code 2, with a clear message."""
    with bound_socket() as listener:
        listener.listen()
        port = str(listener.getsockname()[1])
        result = await run("serve", "--port", port)

    assert result.code == 2
    assert port in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.long
async def test_the_account_that_was_asked_for():
    """Credit, plan and the limit of tasks at once are those of the command line."""
    words = ("--balance-cents", "12.5", "--max-concurrent-tasks", "1", "--executor", "scripted")
    async with running("serve", "--port", "0", *words) as command:
        place = json.loads(await command.writes())
        async with BrowserUseSession(place["api_key"], base_url=place["base_url"]) as session:
            balance = await session.account.get_balance()

    assert balance.cents == Decimal("12.5")


@pytest.mark.long
async def test_search_on_the_example_site():
    """With the example site simple-search finds its pages without an option."""
    async with running("serve", "--port", "0", "--example-site") as command:
        place = json.loads(await command.writes())
        async with BrowserUseSession(place["api_key"], base_url=place["base_url"]) as session:
            found = await session.search.simple_search("opening hours", max_websites=1)

    assert [result.url for result in found] == [f"{place['site_url']}/contact.html"]


@pytest.mark.long
async def test_search_on_given_websites():
    """`--search` names the websites that simple-search knows."""
    async with (
        StaticSite(example_site_directory()) as site,
        running("serve", "--port", "0", "--search", site.url) as command,
    ):
        place = json.loads(await command.writes())
        async with BrowserUseSession(place["api_key"], base_url=place["base_url"]) as session:
            found = await session.search.simple_search("opening hours", max_websites=1)

    assert [result.url for result in found] == [f"{site.url}/contact.html"]


@pytest.mark.canaries_by_design("files")  # the key file that the user made
async def test_a_key_from_a_file_is_exported_from_it(tmp_path):
    """The lines to copy read the key from its file; a key on the command line is not repeated."""
    file = tmp_path / "my key.txt"
    file.write_text("bu_0123456789_of_the_file\n")
    async with running(*SCRIPTED, "--api-key", f"file:{file}") as command:
        from_file = await command.says("Ctrl-C ends the server")
    async with running(*SCRIPTED, "--api-key", "bu_0123456789abcdef") as command:
        from_option = await command.says("Ctrl-C ends the server")

    assert f"export BROWSER_USE_API_KEY=\"$(cat '{file}')\"" in from_file
    assert "bu_0123456789" not in from_file
    assert "export BROWSER_USE_API_KEY=" not in from_option
    assert "executor of the tasks: scripted" in from_option


async def test_the_lines_to_paste_ask_for_a_key_of_ones_own():
    """A shell that runs them and is given the key can use the server."""
    async with running(*SCRIPTED, "--api-key", "bu_0123456789abcdef") as command:
        said = await command.says("Ctrl-C ends the server")
        starts = ("export ", "read ")
        lines = [line for line in said.splitlines() if line.startswith(starts)]
        shell = await asyncio.create_subprocess_exec(
            *("bash", "-c", "\n".join([*lines, f"{sys.executable} -m browser_use_async balance"])),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        balance, _nothing = await shell.communicate(b"bu_0123456789abcdef\n")

    assert len(lines) == 2
    assert json.loads(balance)["balance_cents"]


@pytest.mark.long
async def test_a_webhook_that_answers_later(tmp_path):
    """The server starts while the receiver is down, says so, and registers it once it is up."""
    secret = tmp_path / "secret"
    secret.write_text("a secret of webhooks")
    with bound_socket() as taken:
        free = taken.getsockname()[1]
    url = f"http://127.0.0.1:{free}/webhook"
    async with running(
        *SCRIPTED, "--webhook", url, "--webhook-secret", f"file:{secret}"
    ) as command:
        place = json.loads(await command.writes())
        await command.says(f"webhook: http://127.0.0.1:{free} did not pass the test event")
        async with running(
            "webhooks", "listen", "--port", str(free), "--secret", f"file:{secret}"
        ) as listener:
            await command.says(f"webhook: http://127.0.0.1:{free} passed the test event")
            async with BrowserUseSession(place["api_key"], base_url=place["base_url"]) as session:
                await session.run_and_wait("Go")
            events = [json.loads(await _of_json(listener)) for _ in range(4)]

    assert [event["payload"].get("status") for event in events] == [
        None,
        "initializing",
        "started",
        "finished",
    ]


async def _of_json(listener: Running) -> str:
    """The next line with JSON about an event: the first line names the address."""
    while True:
        line = await listener.writes()
        if "payload" in line:
            return line


async def test_the_port_of_the_example_site():
    """It is the given one, the same after each start; a used one is exit code 2."""
    with bound_socket() as taken:
        free = str(taken.getsockname()[1])
    async with running(*SCRIPTED, "--example-site", free) as command:
        place = json.loads(await command.writes())
    with bound_socket() as listener:
        listener.listen()
        port = str(listener.getsockname()[1])
        refused = await run(*SCRIPTED, "--example-site", port)

    assert place["site_url"] == f"http://127.0.0.1:{free}"
    assert refused.code == 2
    assert f"the example site cannot be served at the port {port}" in refused.stderr


@pytest.mark.long
async def test_a_key_without_encryption(tmp_path):
    """The key for secrets on disk needs a package: the error comes at the start, exit code 2."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['cryptography'] = None\n")
    env = environment(BROWSER_USE_SERVER_KEY="0123456789abcdef", PYTHONPATH=str(tmp_path))
    result = await run(*SCRIPTED, "--database", str(tmp_path / "server.db"), env=env)

    assert result.code == 2
    assert "BROWSER_USE_SERVER_KEY is set" in result.stderr
    assert "browser-use-async[server]" in result.stderr
    assert len(result.stderr.splitlines()) == 1
