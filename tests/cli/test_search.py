import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.http.static_site import StaticSite, example_site_directory

from .running import environment, run, run_on_terminal


@pytest.mark.long
async def test_websites():
    """The highest cost is printed first; the results are one JSON list."""
    words = ("opening hours", "--max-websites", "2", "--depth", "3")
    result = await run("search", *words, "--local")

    assert result.code == 0
    assert result.stderr.startswith("cost: $0.06 at most")
    assert 1 <= len(result.json) <= 2
    assert result.json[0]["url"].endswith("/contact.html")
    assert "Opening hours" in result.json[0]["content"]
    assert "Tuesday to Friday | 9:00" in result.json[0]["content"]
    assert "Sunday and Monday | closed" in result.json[0]["content"]


@pytest.mark.long
async def test_one_website():
    """With `--url` one website is read, for a cent for each level of depth."""
    result = await run("search", "bicycles", "--url", "{site}/", "--depth", "2", "--local")

    assert result.code == 0
    assert result.stderr.startswith("cost: $0.02")
    assert "bicycles" in result.json["content"].lower()


@pytest.mark.long
async def test_on_a_terminal():
    """A person gets the address and the passages as text; `--json` prints the JSON."""
    words = ("search", "opening hours", "--max-websites", "1", "--local", "--plain")
    written = await run_on_terminal(*words, env=environment())
    as_json = await run_on_terminal(*words, "--json", env=environment())

    assert "## Opening hours\nTuesday to Friday | 9:00" in written
    assert '"content":' not in written
    assert '"content":' in as_json


@pytest.mark.long
async def test_nothing_found():
    """A search that finds nothing is an empty list and a note."""
    result = await run("search", "xylophone", "--local")

    assert result.code == 0
    assert result.stderr.startswith("cost: $0.10")
    assert "nothing was found" in result.stderr
    assert result.json == []


@pytest.mark.long
async def test_the_balance_goes_down_by_what_was_said():
    """The server charges the price that was printed."""
    async with (
        StaticSite(example_site_directory()) as site,
        LocalServer(executor="scripted", balance_cents=100, search=[site.url]) as server,
    ):
        env = environment(server)
        result = await run("search", "tyres", "--max-websites", "3", "--depth", "4", env=env)
        balance = await run("doctor", env=env)

    assert result.stderr.startswith("cost: $0.12")
    assert "$0.88 left" in balance.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("x", "--depth", "1"),
        ("x", "--depth", "6"),
        ("x", "--max-websites", "0"),
        ("x", "--max-websites", "11"),
        ("x", "--url", "https://a.example", "--max-websites", "2"),
        ("",),
    ],
)
async def test_wrong_usage(server, words):
    """A value out of bounds is exit code 2; nothing is sent, and so nothing is paid."""
    result = await run("search", *words, env=environment(server))

    assert result.code == 2
    assert result.stdout == ""
    assert not server.requests


async def test_no_backend(server):
    """A server without addresses says how to configure them: exit code 3."""
    result = await run("search", "x", env=environment(server))

    assert result.code == 3
    assert "--search searxng:" in result.stderr
    assert result.stdout == ""
