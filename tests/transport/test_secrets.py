"""The key is sent to one origin, and is shown nowhere."""

import asyncio
import copy
import json
import pickle
import traceback
from typing import Any

import attrs
import pytest

from browser_use_async import BrowserUseSession, RunTaskRequest, errors
from browser_use_async.api import endpoint_table as table
from browser_use_async.transport.client import Transport
from browser_use_async.transport.config import DEFAULT_BASE_URL, Configuration
from browser_use_async.transport.connection_pool import PoolOptions
from browser_use_async.transport.request import prepare
from browser_use_async.transport.retry import RetryPolicy
from browser_use_async.types.secrets import Secret
from tests.support.hygiene import KEY, SECRET, assert_hides_secrets, raises
from tests.support.wire import Connection, answering, response

RUNNING = response(200, '"running"')


def _holders() -> list[object]:
    """All objects that contain the key or a task secret."""
    configuration = Configuration.resolve(Secret(KEY), None, None, allow_insecure_http=False)
    transport = Transport(configuration, retry=RetryPolicy(), options=PoolOptions())
    request = RunTaskRequest("Buy milk", secrets={"password": SECRET})
    prepared = prepare(table.RUN_TASK, None, request)
    options = PoolOptions(proxy=f"http://user:{SECRET}@proxy.example.com")
    session = BrowserUseSession(api_key=KEY)
    return [
        Secret(KEY), configuration, transport, session, session.tasks, session.account,
        request, request.secrets, prepared, prepared.body, options,
    ]  # fmt: skip


@pytest.mark.parametrize("place", range(11))
def test_no_object_shows_its_secret(place):
    """Repr, str, format and vars of all objects with a secret, and of their parts."""
    holder = _holders()[place]

    shown = [repr(holder), str(holder), f"{holder}", f"{holder!a}", repr([holder])]
    if not isinstance(holder, PoolOptions):  # whose proxy is the user's own text
        if attrs.has(type(holder)):
            shown.append(repr(attrs.asdict(holder)))  # type: ignore[call-overload]
        if hasattr(holder, "__dict__"):
            shown.append(repr(vars(holder)))

    for text in shown:
        assert KEY not in text
        assert SECRET not in text


@pytest.mark.parametrize("place", range(11))
def test_secrets_do_not_travel(place):
    """Pickling, copying deeply and JSON are refused."""
    holder = _holders()[place]

    for serialize in (pickle.dumps, copy.deepcopy, json.dumps):
        if isinstance(holder, PoolOptions) and serialize is not json.dumps:
            continue  # whose proxy is the user's own text
        with pytest.raises(TypeError) as caught:
            serialize(holder)
        assert KEY not in str(caught.value)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "accepted"),
    [
        ("http://api.example.com/api/v1", False),
        ("http://127.0.0.1:8080/api/v1", True),
        ("http://localhost.evil.example/api/v1", False),
        ("http://[::1]:8080/api/v1", True),
        ("https://user:password@api.example.com/api/v1", False),
        ("https://api.example.com/api/v1?key=1", False),
        ("api.example.com/api/v1", False),
        ("http://localhost/api/v1/", True),
        # beyond the eight: what looks like a private machine, or like no host at all
        ("http://127.0.0.1.evil.example/", False),
        ("http://localhost@evil.example/", False),
        ("http://evil.example\\@localhost/", False),
        ("http://2130706433/", False),
        ("https://api.example.com/#v1", False),
        ("https://api.example.com:99999/", False),
        ("https:///api/v1", False),
        ("https://api example.com/", False),
        ("https://api.example.com\x00/", False),
        ("ftp://api.example.com/", False),
        ("", False),
        ("https://[::1", False),
        ("HTTPS://API.EXAMPLE.COM/api/v1", True),
    ],
)
def test_base_urls_that_would_leak_are_refused(base_url, *, accepted):
    """Unencrypted only to this machine; the error shows what a base URL looks like."""
    if accepted:
        session = BrowserUseSession(api_key=KEY, base_url=base_url)
        assert not repr(session).endswith("/>")
        return
    with pytest.raises(errors.ConfigurationError, match="base_url") as caught:
        BrowserUseSession(api_key=KEY, base_url=base_url)

    assert_hides_secrets(caught.value)
    assert DEFAULT_BASE_URL in str(caught.value) or "allow_insecure_http" in str(caught.value)


@pytest.mark.parametrize("base_url", [5, b"https://api.example.com", object()])
def test_a_base_url_of_another_type_is_refused(base_url):
    """Only a text can be a URL."""
    with raises(errors.ConfigurationError):
        BrowserUseSession(base_url=base_url)


def test_an_insecure_host_can_be_allowed():
    """For a private network, by an option that cannot be set by accident."""
    session = BrowserUseSession(
        api_key=KEY, base_url="http://api.example.com/api/v1", allow_insecure_http=True
    )

    assert repr(session) == "<BrowserUseSession http://api.example.com/api/v1>"


KEYS: dict[str, Any] = {
    "a line break": KEY + "\n",
    "a space inside": KEY + " " + KEY,
    "a space around": " " + KEY,
    "not ASCII": KEY + "é",
    "nothing": "",
    "quotation marks": f'"{KEY}"',
    "single quotation marks": f"'{KEY}'",
    "a NUL": KEY + "\x00",
    "another type": KEY.encode(),
}


@pytest.mark.parametrize("kind", KEYS)
def test_unusable_keys_are_refused_without_an_echo(kind):
    """The error says what is wrong with the key and never shows it."""
    with pytest.raises(errors.ConfigurationError, match="the API key") as caught:
        BrowserUseSession(api_key=KEYS[kind])

    assert_hides_secrets(caught.value)
    assert "dashboard" in str(caught.value)


@pytest.mark.parametrize("kind", ["a line break", "a space inside", "not ASCII", "quotation marks"])
def test_unusable_keys_in_the_environment_are_refused(monkeypatch, kind):
    """The same for a key that comes from the environment."""
    monkeypatch.setenv("BROWSER_USE_API_KEY", KEYS[kind])

    with pytest.raises(errors.ConfigurationError, match="the API key") as caught:
        BrowserUseSession()

    assert_hides_secrets(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [("base_url", "nonsense"), ("timeout", -1), ("http", "a session")],
)
def test_a_good_key_is_not_shown_when_another_option_is_refused(option, value):
    """A traceback with locals shows frames that were given the key."""
    with pytest.raises((errors.ConfigurationError, AttributeError)) as caught:
        BrowserUseSession(api_key=KEY, **{option: value})

    assert_hides_secrets(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, "soon", float("nan"), float("inf"), True, []])
def test_timeouts_that_cannot_work_are_refused(timeout):
    """Seconds above 0, and a number."""
    with raises(errors.ConfigurationError) as caught:
        BrowserUseSession(timeout=timeout)

    assert "timeout must be a number of seconds" in str(caught.value)


def test_arguments_precede_the_environment(monkeypatch):
    """Argument, then environment, then default."""
    monkeypatch.setenv("BROWSER_USE_API_KEY", "from-the-environment")
    monkeypatch.setenv("BROWSER_USE_BASE_URL", "https://v1.example.com/api/v1/")
    monkeypatch.setenv("BROWSER_USE_TIMEOUT", "2.5")

    given = Configuration.resolve(Secret(KEY), DEFAULT_BASE_URL, 7, allow_insecure_http=False)
    taken = Configuration.resolve(None, None, None, allow_insecure_http=False)
    for name in ("API_KEY", "BASE_URL", "TIMEOUT"):
        monkeypatch.setenv(f"BROWSER_USE_{name}", "")
    default = Configuration.resolve(None, None, None, allow_insecure_http=False)

    assert given.api_key is not None
    assert given.api_key.reveal() == KEY
    assert (given.base_url, given.timeout) == (DEFAULT_BASE_URL, 7)
    assert taken.api_key is not None
    assert taken.api_key.reveal() == "from-the-environment"
    assert (taken.base_url, taken.timeout) == ("https://v1.example.com/api/v1", 2.5)
    assert default == Configuration(None, DEFAULT_BASE_URL, 30.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("TIMEOUT", "soon"), ("TIMEOUT", "0"), ("BASE_URL", "127.0.0.1:8765/api/v1")],
)
def test_a_variable_that_cannot_work_is_named(monkeypatch, name, value):
    """The error names the variable, and no argument that was not given."""
    monkeypatch.setenv(f"BROWSER_USE_{name}", value)

    with pytest.raises(errors.ConfigurationError) as caught:
        BrowserUseSession(KEY)

    assert str(caught.value).startswith(f"BROWSER_USE_{name} ")


async def test_the_environment_does_not_redirect_the_key(serve, connect, monkeypatch, tmp_path):
    """Proxies and netrc of the environment are ignored: the proxy gets no byte."""
    proxy = await serve(answering(RUNNING))
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    server = await serve(answering(RUNNING, response(200, '{"id":"t-1"}')))
    session = await connect(server)

    await session.tasks.get_status("t-1")
    await session.tasks.run("Buy milk")

    assert proxy.bytes_received == 0
    assert [each.headers["authorization"] for each in server.requests] == [f"Bearer {KEY}"] * 2


@pytest.mark.parametrize(("status", "attempts"), [(407, 1), (403, 1), (502, 4)])
async def test_a_proxy_that_refuses_has_not_passed_the_call_on(serve, connect, status, attempts):
    """The proxy that was set gets no key; its refusal means that nothing was sent."""
    proxy = await serve(answering(response(status, "")))
    session = await connect(
        "https://api.example.com/api/v1", proxy=f"http://user:{SECRET}@127.0.0.1:{proxy.port}"
    )

    with pytest.raises(errors.APIConnectionError) as caught:
        await session.tasks.run("Buy milk")

    assert_hides_secrets(caught.value)
    assert caught.value.sent is False
    assert caught.value.attempts == attempts
    assert f"the proxy refused with status {status}" in str(caught.value)
    assert [each.method for each in proxy.requests] == ["CONNECT"] * attempts
    assert KEY.encode() not in b"".join(each.raw for each in proxy.requests)


async def test_cookies_are_not_kept(serve, connect):
    """A cookie of a server is never sent back."""
    setting = response(200, '"running"', [("Set-Cookie", "tracker=1; Path=/")])
    server = await serve(answering(setting))
    session = await connect(server)

    for _ in range(3):
        await session.tasks.get_status("t-1")

    assert not [each for each in server.requests if "cookie" in each.headers]


ECHOES = [
    response(401, json.dumps({"detail": f"the key {KEY} is not known"})),
    response(403, f"<p>{KEY}</p>"),
    response(400, json.dumps({"message": f"Authorization: Bearer {KEY}"})),
    response(422, json.dumps({"detail": [{"loc": ["header"], "msg": KEY, "type": "x"}]})),
]


@pytest.mark.parametrize("place", range(len(ECHOES)))
async def test_a_server_that_echoes_the_key_does_not_get_it_into_an_error(serve, connect, place):
    """The key in an error's text is masked, wherever the server put it."""
    server = await serve(answering(ECHOES[place]))
    session = await connect(server)

    with pytest.raises(errors.APIStatusError, match=r"\*\*\*") as caught:
        await session.account.get_balance()

    assert_hides_secrets(caught.value)


async def test_a_cancelled_call_keeps_its_secrets_out_of_our_frames(serve, connect):
    """Known limit: frames of aiohttp contain the key while a call is cancelled; ours do not."""

    async def stall(connection: Connection) -> None:
        await connection.read_request()
        await connection.stall()

    server = await serve(stall)
    session = await connect(server)
    request = RunTaskRequest(
        "Buy milk", secrets={"password": SECRET}, allowed_domains=["example.com"]
    )
    call = asyncio.create_task(session.tasks.run(request))
    await server.requests_seen()
    call.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await call

    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in trace.stack if "browser_use_async" in frame.filename]
    assert ours
    for frame in ours:
        for value in (frame.locals or {}).values():
            assert KEY not in value
            assert SECRET not in value
