"""Who can reach the server: this machine, unless key and encryption suffice for others."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from browser_use_async.server.settings.listen_address import MIN_EXPOSED_KEY
from tests.server.calling import Caller

GOOD_KEY = "k" * MIN_EXPOSED_KEY
EVERYWHERE: Mapping[str, Any] = {"host": "0.0.0.0"}
PROXY: Mapping[str, Any] = {"trusted_proxies": ["10.0.0.5"], "public_url": "https://tasks.example"}


@pytest.mark.parametrize(
    ("options", "way_out"),
    [
        (EVERYWHERE, "api_key"),
        ({**EVERYWHERE, "api_key": "k" * (MIN_EXPOSED_KEY - 1)}, "token_urlsafe"),
        ({**EVERYWHERE, "api_key": GOOD_KEY}, "tls_cert and tls_key"),
        ({**EVERYWHERE, "api_key": GOOD_KEY}, "--trusted-proxy"),
        ({**EVERYWHERE, "api_key": GOOD_KEY, "public_url": "https://a.example"}, "tls_cert"),
        ({"trusted_proxies": ["10.0.0.5"], "api_key": GOOD_KEY}, "public_url"),
        (PROXY, "at least 24 characters"),
        ({**PROXY, "api_key": GOOD_KEY, "trusted_proxies": ["proxy"]}, "such as 10.0.0.5"),
        ({**PROXY, "api_key": GOOD_KEY, "trusted_proxies": "10.0.0.5"}, "is no list of addresses"),
    ],
)
def test_what_exposes_too_much(options, way_out):
    """It is refused before anything is opened, with what to do, and without the key."""
    with pytest.raises(ConfigurationError) as caught:
        LocalServer(executor="scripted", **options)

    assert way_out in str(caught.value)
    assert options.get("api_key", "no key") not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tasks.example",
        "http://tasks.example",
        "ftp://tasks.example",
        "https://tasks.example/below",
        "https://tasks.example?a=1",
        "https://tasks.example#x",
        "https://user:a-password@tasks.example",
        "https://[",
    ],
)
def test_public_addresses_that_cannot_be(url):
    """Only an https origin is accepted; the text of a wrong one is not repeated."""
    with pytest.raises(ConfigurationError, match="public_url") as caught:
        LocalServer(executor="scripted", public_url=url)

    assert "a-password" not in str(caught.value)


async def test_behind_a_proxy(http):
    """Clients get the address of the proxy in all texts."""
    async with LocalServer(executor="scripted", api_key=GOOD_KEY, **PROXY) as server:
        assert server.url == "https://tasks.example"
        assert server.base_url == "https://tasks.example/api/v1"
        assert GOOD_KEY not in repr(server)


async def test_another_name_of_this_machine(http):
    """Behind a tunnel the port is another one; encryption is not required then."""
    async with LocalServer(executor="scripted", public_url="http://localhost:9999/") as server:
        assert server.url == "http://localhost:9999"


async def test_tls(certificate, http):
    """Its address is https, and a client that trusts the certificate connects; others do not."""
    server = LocalServer(
        executor="scripted",
        host="0.0.0.0",
        api_key=GOOD_KEY,
        tls_cert=certificate.file,
        tls_key=certificate.key_file,
    )
    async with server:
        session = BrowserUseSession(GOOD_KEY, base_url=server.base_url, ssl=certificate.trusting)
        async with session:
            task = await session.run_and_wait("Anything")
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await Caller(server, http).get("/ping")
        with pytest.raises(aiohttp.ClientError):
            await Caller(server, http).get(server.url.replace("https", "http") + "/")

    assert server.url.startswith("https://127.0.0.1:")
    assert task.output == "Done."
    assert (task.live_url or "").startswith(server.url)


def test_half_of_what_tls_needs(certificate):
    """A certificate without its key is refused, and so is a key without its certificate."""
    for option in ("tls_cert", "tls_key"):
        with pytest.raises(ConfigurationError, match="come together"):
            LocalServer(executor="scripted", **{option: certificate.file})


def test_files_that_are_no_certificate(certificate, tmp_path):
    """The error names them, with the reason."""
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nothing")
    for cert, key, reason in (
        (tmp_path / "absent.pem", certificate.key_file, "No such file"),
        (nonsense, certificate.key_file, "PEM"),
        (certificate.file, certificate.file, "PEM"),
    ):
        with pytest.raises(ConfigurationError, match=reason) as caught:
            LocalServer(executor="scripted", tls_cert=cert, tls_key=key)
        assert str(cert) in str(caught.value)
