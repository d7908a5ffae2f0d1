"""Old versions of TLS are refused, and no option turns off certificate checks."""

import ast
import inspect
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import browser_use_async
from browser_use_async import BrowserUseSession
from browser_use_async.errors import APIConnectionError
from tests.support.hygiene import raises
from tests.support.wire import answering, response

CREATED = answering(response(200, '{"id":"t-1"}'))
PACKAGE = Path(browser_use_async.__file__).parent


def _limited(context: ssl.SSLContext, newest: ssl.TLSVersion) -> ssl.SSLContext:
    """A context that speaks nothing newer, and the old versions at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # which is the point here
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    context.set_ciphers("ALL:@SECLEVEL=0")  # the old versions sign with SHA-1
    return context


def _handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> str | None:
    """The version that two contexts agree on, in memory."""
    ways = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(ways[0], ways[1], server_hostname="127.0.0.1")
    other = server.wrap_bio(ways[1], ways[0], server_side=True)
    for _ in range(6):
        for side in (one, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return one.version()


OLD = [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1]


@pytest.mark.parametrize("version", OLD, ids=["1.0", "1.1"])
async def test_old_versions_are_refused(serve, connect, certificate, version):
    """A server that speaks nothing newer than TLS 1.1 gets no request."""
    try:
        willing = _handshake(
            _limited(certificate.trusting, version), _limited(certificate.server_side, version)
        )
    except ssl.SSLError as error:
        pytest.skip(f"{ssl.OPENSSL_VERSION} does not serve {version.name} at all: {error.reason}")
    server = await serve(CREATED, tls=_limited(certificate.server_side, version))
    session = await connect(server, ssl=certificate.trusting)

    with raises(APIConnectionError) as caught:
        await session.tasks.run("Buy milk")

    assert willing == {"TLSv1": "TLSv1", "TLSv1_1": "TLSv1.1"}[version.name]
    assert caught.value.sent is False
    assert not server.requests


def _options(function: Callable[..., object]) -> set[str]:
    return set(inspect.signature(function).parameters)


def test_no_option_turns_certificates_off():
    """The session accepts a context, and no option to skip checks."""
    unwanted = {"verify", "verify_ssl", "verify_tls", "insecure", "check_hostname", "cert_reqs"}

    assert "ssl" in _options(BrowserUseSession)
    assert not _options(BrowserUseSession) & unwanted


@pytest.mark.parametrize("value", [False, True, 0, "no", ssl.CERT_NONE])
def test_the_context_cannot_be_a_switch(value):
    """Aiohttp's own `ssl=False`, which checks nothing, is refused when the session is created."""
    with raises(browser_use_async.errors.ConfigurationError) as caught:
        BrowserUseSession(api_key="bu_1", ssl=value)  # type: ignore[arg-type]

    assert "SSLContext" in str(caught.value)


@pytest.mark.long
def test_the_package_never_leaves_out_a_check():
    """No file of the package sets `ssl=False`, CERT_NONE or check_hostname=False."""
    found, files = [], sorted(PACKAGE.rglob("*.py"))
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg in {"ssl", "verify_ssl", "verify"}:
                if isinstance(node.value, ast.Constant) and node.value.value is False:
                    found.append((path.name, node.value.lineno))
            elif isinstance(node, ast.Attribute | ast.Name):
                name = node.attr if isinstance(node, ast.Attribute) else node.id
                if name in {"CERT_NONE", "check_hostname", "_create_unverified_context"}:
                    found.append((path.name, node.lineno))

    assert not found
