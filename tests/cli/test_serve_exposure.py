import json
import signal
from pathlib import Path

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server.listen_address import MIN_EXPOSED_KEY
from tests.support.certificates import Certificate, certificate
from tests.support.hygiene import KEY

from .running import run, running

__all__ = ["certificate"]

SERVE = ("serve", "--port", "0", "--executor", "scripted")
LONG_KEY = KEY + "-" * MIN_EXPOSED_KEY


@pytest.mark.canaries_by_design("files")
async def test_a_key_from_a_file(tmp_path: Path) -> None:
    """It is in no process list, and printed nowhere; the link to the page goes without it."""
    file = tmp_path / "key.txt"
    file.write_text(f"{LONG_KEY}\n")
    async with running(*SERVE, "--api-key-file", str(file)) as command:
        place = json.loads(await command.writes())
        async with BrowserUseSession(LONG_KEY, base_url=place["base_url"]) as session:
            accepted = await session.account.me()
        command.send(signal.SIGTERM)
        result = await command.ends()

    assert accepted
    assert place["api_key"] is None
    assert LONG_KEY not in result.stderr
    assert "#key" not in result.stderr


async def test_the_link_to_the_page_carries_an_invented_key() -> None:
    """Behind the #, where it is sent to nobody."""
    async with running(*SERVE) as command:
        place = json.loads(await command.writes())
        said = await command.says("Ctrl-C ends the server")

    url = place["base_url"].removesuffix("/api/v1")
    assert f"all tasks at {url}/#key={place['api_key']}" in said


@pytest.mark.canaries_by_design("files")
async def test_tls(certificate: Certificate, tmp_path: Path) -> None:
    """Other machines reach a server with a key of its own and a certificate."""
    file = tmp_path / "key.txt"
    file.write_text(LONG_KEY)
    words = ("--host", "0.0.0.0", "--allow-any-host", "--api-key-file", str(file))
    tls = ("--tls-cert", str(certificate.file), "--tls-key", str(certificate.key_file))
    async with running(*SERVE, *words, *tls) as command:
        place = json.loads(await command.writes())
        session = BrowserUseSession(LONG_KEY, base_url=place["base_url"], ssl=certificate.trusting)
        async with session:
            task = await session.run_and_wait("Anything")

    assert place["base_url"].startswith("https://127.0.0.1:")
    assert task.output == "Done."


@pytest.mark.canaries_by_design("files")
async def test_behind_a_proxy(tmp_path: Path) -> None:
    """What is printed is the address of the proxy."""
    file = tmp_path / "key.txt"
    file.write_text(LONG_KEY)
    words = ("--behind-proxy", "--public-url", "https://tasks.example")
    async with running(*SERVE, "--api-key-file", str(file), *words) as command:
        place = json.loads(await command.writes())

    assert place["base_url"] == "https://tasks.example/api/v1"


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        (("--host", "0.0.0.0", "--allow-any-host"), "--api-key-file"),
        (("--host", "0.0.0.0", "--allow-any-host", "--api-key", "x" * 24), "--tls-cert"),
        (("--behind-proxy", "--api-key", "x" * 24), "public_url"),
        (("--tls-cert", "cert.pem"), "--tls-key"),
        (("--api-key-file", "nowhere.txt"), "nowhere.txt"),
    ],
)
async def test_what_exposes_too_much(words: tuple[str, ...], way_out: str) -> None:
    """Exit code 2 and the way out in words, before anything listens."""
    result = await run(*SERVE, *words)

    assert result.code == 2
    assert way_out in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
