import json
import shlex
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.server.static_site import StaticSite, example_site_directory
from tests.support.wire import bound_socket

from .running import run, running


@pytest.mark.torture  # where there is a browser it is started
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serves_until_a_signal(number: signal.Signals) -> None:
    """What it prints lets any program use it: lines to copy, and JSON. A signal ends it with 0."""
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


async def test_a_key_of_ones_own() -> None:
    """A key that the person chose is accepted, and printed nowhere."""
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


async def test_port_that_is_taken() -> None:
    """A port that is taken is exit code 2, with a clear word."""
    with bound_socket() as listener:
        listener.listen()
        port = str(listener.getsockname()[1])
        result = await run("serve", "--port", port)

    assert result.code == 2
    assert port in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize("words", [("--host", "0.0.0.0"), ("--port", "x"), ("--executor", "magic")])
async def test_wrong_usage(words: tuple[str, ...]) -> None:
    """An address that others reach has to be asked for; nonsense is refused: exit code 2."""
    result = await run("serve", *words)

    assert result.code == 2
    assert result.stdout == ""


async def test_a_database_that_cannot_be_used(tmp_path: Path) -> None:
    """Said in words, with the exit code of wrong usage."""
    path = tmp_path / "diary.db"
    path.write_text("Dear diary")
    result = await run("serve", "--port", "0", "--database", str(path))

    assert result.code == 2
    assert "no database of this server" in result.stderr
    assert "Traceback" not in result.stderr


async def test_the_account_that_was_asked_for() -> None:
    """Credit, plan and the number of tasks at once are those of the command line."""
    words = ("--balance-cents", "12.5", "--max-concurrent-tasks", "1", "--executor", "scripted")
    async with running("serve", "--port", "0", *words) as command:
        place = json.loads(await command.writes())
        async with BrowserUseSession(place["api_key"], base_url=place["base_url"]) as session:
            balance = await session.account.get_balance()

    assert balance.cents == Decimal("12.5")

    async with running("serve", "--port", "0", "--plan", "pay_as_you_go") as command:
        place = json.loads(await command.writes())
        async with BrowserUseSession(place["api_key"], base_url=place["base_url"]) as session:
            with pytest.raises(errors.APIStatusError) as caught:
                await session.tasks.run("Go")

    assert "subscription" in str(caught.value)


async def test_search_on_the_example_site() -> None:
    """With the example site simple-search finds its pages without being told to."""
    async with running("serve", "--port", "0", "--example-site") as command:
        place = json.loads(await command.writes())
        async with BrowserUseSession(place["api_key"], base_url=place["base_url"]) as session:
            found = await session.search.simple_search("opening hours", max_websites=1)

    assert [result.url for result in found] == [f"{place['site_url']}/contact.html"]


async def test_search_on_given_websites() -> None:
    """`--search` names the websites that simple-search knows."""
    async with (
        StaticSite(example_site_directory()) as site,
        running("serve", "--port", "0", "--search", site.url) as command,
    ):
        place = json.loads(await command.writes())
        async with BrowserUseSession(place["api_key"], base_url=place["base_url"]) as session:
            found = await session.search.simple_search("opening hours", max_websites=1)

    assert [result.url for result in found] == [f"{site.url}/contact.html"]


@pytest.mark.parametrize(
    "words",
    [
        ("--plan", "free"),
        ("--balance-cents", "much"),
        ("--balance-cents", "inf"),
        ("--max-concurrent-tasks", "0"),
        ("--search", "not-a-url"),
        ("--searxng", "http://127.0.0.1:1/search", "--search", "http://127.0.0.1:1"),
    ],
)
async def test_wrong_account_or_search(words: tuple[str, ...]) -> None:
    """A plan, amount or address that makes no sense is exit code 2, and nothing is served."""
    result = await run("serve", "--port", "0", *words)

    assert result.code == 2
    assert result.stdout == ""
