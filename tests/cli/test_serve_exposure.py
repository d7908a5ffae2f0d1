import json
import signal

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.cli.app import parse
from browser_use_async.cli.setting_options import given
from browser_use_async.server import ChromiumSettings
from browser_use_async.server.settings.listen_address import MIN_EXPOSED_KEY
from tests.support.hygiene import KEY

from .running import environment, running

SERVE = ("serve", "--port", "0", "--executor", "scripted")
LONG_KEY = KEY + "-" * MIN_EXPOSED_KEY


@pytest.mark.canaries_by_design("files")
async def test_a_key_from_a_file(tmp_path):
    """The key is in no process list, and never printed; the link to the page is without it."""
    file = tmp_path / "key.txt"
    file.write_text(f"{LONG_KEY}\n")
    async with running(*SERVE, "--api-key", f"file:{file}") as command:
        place = json.loads(await command.writes())
        async with BrowserUseSession(LONG_KEY, base_url=place["base_url"]) as session:
            accepted = await session.account.me()
        command.send(signal.SIGTERM)
        result = await command.ends()

    assert accepted
    assert place["api_key"] is None
    assert LONG_KEY not in result.stderr
    assert "#key" not in result.stderr


@pytest.mark.long
async def test_a_key_from_the_environment():
    """The key of a variable is neither in the process list nor in what is printed."""
    env = environment(MY_KEY=LONG_KEY)
    async with running(*SERVE, "--api-key", "env:MY_KEY", env=env) as command:
        place = json.loads(await command.writes())
        async with BrowserUseSession(LONG_KEY, base_url=place["base_url"]) as session:
            accepted = await session.account.me()
        command.send(signal.SIGTERM)
        result = await command.ends()

    assert accepted
    assert place["api_key"] is None
    assert 'export BROWSER_USE_API_KEY="$MY_KEY"' in result.stderr
    assert "process list" not in result.stderr
    assert LONG_KEY not in result.stderr


PROXY = "us=http://name:proxy-canary@127.0.0.1:3128"

HOOK = "http://127.0.0.1:9/hook"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--api-key", "bu_0123456789abcdef"), "--api-key"),
        (("--proxy", PROXY), "--proxy"),
        (("--proxy", "us=http://127.0.0.1:3128"), None),
        (("--webhook", HOOK, "--webhook-secret", "canary-" * 5), "--webhook-secret"),
        ((), None),
    ],
)
async def test_a_secret_on_the_command_line(words, option):
    """A note says who can see it there, and which options hide it."""
    async with running("serve", "--port", "0", "--executor", "scripted", *words) as command:
        said = " ".join((await command.says("Ctrl-C ends the server")).split())

    assert ("process list" in said) is (option is not None)
    if option is not None:
        assert f"given with {option} in" in said
        assert "give it as file:PATH or env:NAME" in said
    assert "canary" not in said
    assert "bu_0123456789abcdef" not in said


def _proxies(*words: str) -> dict[str, str]:
    return dict(_browser(*words).proxies)


def _browser(*words: str) -> ChromiumSettings:
    return ChromiumSettings(**given(ChromiumSettings, parse(["serve", *words]).params))


def test_proxies_from_a_file_or_a_variable(tmp_path, monkeypatch):
    """One COUNTRY=URL a line, with comments; a later one replaces an earlier one."""
    file = tmp_path / "proxies"
    file.write_text(f"# of the office\n{PROXY}\n\n  DE=http://127.0.0.2:3128  \n")
    monkeypatch.setenv("MY_PROXIES", f"{PROXY} *=http://127.0.0.3:3128")
    more = ("--proxy", "de=http://127.0.0.4:3128")

    own = PROXY.partition("=")[2]
    assert _proxies("--proxy", f"file:{file}") == {"us": own, "de": "http://127.0.0.2:3128"}
    assert _proxies("--proxy", f"file:{file}", *more) == {"us": own, "de": "http://127.0.0.4:3128"}
    assert _proxies("--proxy", "env:MY_PROXIES") == {"us": own, "*": "http://127.0.0.3:3128"}
    assert _proxies(*more) == {"de": "http://127.0.0.4:3128"}


async def test_the_link_to_the_page_carries_an_invented_key():
    """The key is behind the #, which browsers do not send."""
    async with running(*SERVE) as command:
        place = json.loads(await command.writes())
        said = await command.says("Ctrl-C ends the server")

    url = place["base_url"].removesuffix("/api/v1")
    assert f"all tasks at {url}/#key={place['api_key']}" in said


@pytest.mark.canaries_by_design("files")
async def test_tls(certificate, tmp_path):
    """Other machines reach a server that has a key of its own and a certificate."""
    file = tmp_path / "key.txt"
    file.write_text(LONG_KEY)
    words = ("--host", "0.0.0.0", "--api-key", f"file:{file}")
    tls = ("--tls-cert", str(certificate.file), "--tls-key", str(certificate.key_file))
    async with running(*SERVE, *words, *tls) as command:
        place = json.loads(await command.writes())
        session = BrowserUseSession(LONG_KEY, base_url=place["base_url"], ssl=certificate.trusting)
        async with session:
            task = await session.run_and_wait("Anything")

    assert place["base_url"].startswith("https://127.0.0.1:")
    assert task.output == "Done."


@pytest.mark.canaries_by_design("files")
async def test_behind_a_proxy(tmp_path):
    """The printed address is the one of the proxy."""
    file = tmp_path / "key.txt"
    file.write_text(LONG_KEY)
    words = ("--trusted-proxy", "127.0.0.1", "--public-url", "https://tasks.example")
    async with running(*SERVE, "--api-key", f"file:{file}", *words) as command:
        place = json.loads(await command.writes())

    assert place["base_url"] == "https://tasks.example/api/v1"
