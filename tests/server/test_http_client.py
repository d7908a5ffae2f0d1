import asyncio
import gzip
import zlib

import pytest

from browser_use_async.server.egress.http_client import HttpClient, HttpClientError
from browser_use_async.server.egress.policy import EgressPolicy
from tests.server.raw_server import page, raw_server
from tests.support.wire import Connection, WireServer, answering

pytestmark = pytest.mark.usefixtures("nothing_leaks")


@pytest.fixture
def outbound():
    """A client with short timeouts, which pass only in tests with virtual time."""
    return HttpClient(EgressPolicy.of_operator(), connect=10, silence=10, exchange=20)


def origin(server: WireServer) -> str:
    """The address of a server without a slash."""
    return f"http://127.0.0.1:{server.port}"


async def fails(outbound: HttpClient, url: str, limit: int = 1000) -> str:
    """The reason why a request has no usable answer."""
    with pytest.raises(HttpClientError) as caught:
        await outbound.send("GET", url, limit=limit)
    return str(caught.value)


async def test_answer_is_returned_unchanged(outbound):
    """Status, reason, repeated headers and body of an answer are all returned."""
    answer_bytes = page(b"hello", status="418 Teapot", headers={"X-Kind": "a\r\nX-Kind: b"})
    async with raw_server({"/x?q=1": answer_bytes}) as url:
        answer = await outbound.send("GET", f"{url}/x?q=1#fragment")

    assert (answer.status, answer.reason, answer.body) == (418, "Teapot", b"hello")
    assert answer.headers.getall("X-Kind") == ["a", "b"]
    assert answer.url == f"{url}/x?q=1"


async def test_redirects_are_answers(outbound):
    """A redirect is returned, and no other request is sent."""
    moved = page(status="302 Found", headers={"Location": "/next"})
    async with WireServer(answering(moved)) as server:
        assert (await outbound.send("GET", origin(server))).status == 302

    assert [request.target for request in server.requests] == ["/"]


async def test_request_introduces_itself_and_keeps_no_cookies(outbound):
    """The second request has our name and accepts gzip, and has no cookie of the first answer."""
    async with WireServer(answering(page(headers={"Set-Cookie": "a=b"}))) as server:
        for _ in range(2):
            await outbound.send("GET", origin(server), headers={"X-Mine": "1"})

    headers = server.requests[1].headers
    assert headers["user-agent"] == "browser-use-async-server"
    assert headers["accept-encoding"] == "gzip"
    assert headers["x-mine"] == "1"
    assert "cookie" not in headers


async def test_each_request_has_a_connection_of_its_own(outbound):
    """No request uses a connection that may be closed meanwhile."""
    async with WireServer(answering(page())) as server:
        for _ in range(2):
            await outbound.send("GET", origin(server))

    assert len(server.connections) == 2


async def test_environment_does_not_choose_a_proxy(outbound, monkeypatch):
    """Proxies of the environment are ignored."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with raw_server({"/": page(b"direct")}) as url:
        assert (await outbound.send("GET", url)).body == b"direct"


async def test_gzip_is_decompressed(outbound):
    """A compressed body arrives plain."""
    body = gzip.compress(b"a" * 900)
    async with raw_server({"/": page(body, headers={"Content-Encoding": "gzip"})}) as url:
        assert (await outbound.send("GET", url, limit=1000)).body == b"a" * 900


BAD_BODIES = {
    "declared too long": (page(b"x", headers={"Content-Length": "1001"}), "larger than 1,000"),
    "too long": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001, "larger than 1,000"),
    "expands too far": (
        page(gzip.compress(b"a" * 100_000), headers={"Content-Encoding": "gzip"}),
        "larger than 1,000",
    ),
    "gzip cut short": (
        page(gzip.compress(b"abcdef" * 9)[:-9], headers={"Content-Encoding": "gzip"}),
        "broke off",
    ),
    "no gzip": (page(b"plain", headers={"Content-Encoding": "gzip"}), "damaged"),
    "another encoding": (
        page(zlib.compress(b"x"), headers={"Content-Encoding": "deflate"}),
        "not asked for",
    ),
    "cut short": (page(b"abc", headers={"Content-Length": "9"}), "broke off"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "not proper HTTP"),
    "nothing": (b"", "broke off before"),
}


@pytest.mark.parametrize(("sent", "reason"), BAD_BODIES.values(), ids=BAD_BODIES)
async def test_unusable_answer_fails_with_a_reason(outbound, sent, reason):
    """Too much, too little or invalid data is refused, with the reason."""
    async with raw_server({"/": sent}) as url:
        assert reason in await fails(outbound, url)


async def test_nothing_is_sent_twice(outbound):
    """A connection that breaks after the request leaves one request, not two."""

    async def cut(connection: Connection):
        await connection.read_request()
        connection.reset()

    async with WireServer(cut) as server:
        assert "broke off before" in await fails(outbound, origin(server))

    assert len(server.requests) == 1


@pytest.mark.looptime
async def test_silence_ends(outbound):
    """A server that sends nothing is given up after the allowed silence."""
    start = asyncio.get_running_loop().time()
    async with raw_server(Connection.stall) as url:
        assert "in time" in await fails(outbound, url)

    assert asyncio.get_running_loop().time() - start == pytest.approx(10, abs=0.1)


@pytest.mark.looptime
async def test_dripping_ends(outbound):
    """A server that sends a byte now and then is given up after the timeout of an exchange."""
    answer = page(b"x" * 500)

    async def drip(connection: Connection) -> None:
        connection.send(answer[:-500])
        await connection.drip(answer[-500:], 1.0)

    start = asyncio.get_running_loop().time()
    async with raw_server(drip) as url:
        assert "in time" in await fails(outbound, url)

    assert asyncio.get_running_loop().time() - start == pytest.approx(20, abs=0.1)


async def test_refused_connection_names_the_host(outbound):
    """Where no server listens, the reason names host and port."""
    async with raw_server({}) as url:
        pass
    assert url.removeprefix("http://") in await fails(outbound, url)


async def test_server_without_tls_is_named_so(outbound):
    """An https address of a server that speaks plain HTTP fails with that reason."""

    async def plain(connection: Connection) -> None:
        connection.send(page())
        await connection.stall()

    async with raw_server(plain) as url:
        reason = await fails(outbound, url.replace("http://", "https://"))

    assert reason == "its certificate is not trusted, or it does not speak TLS"


BAD_ADDRESSES = {
    "file:///etc/passwd": "http and https",
    "ftp://a.example/": "http and https",
    "no address": "http and https",
    "http://": "http and https",
    "http://a.example:99999/": "not a valid",
    "http://user:word@a.example/": "user name",
    "http://user@a.example/": "user name",
    f"http://{'a' * 70}.invalid/": "not ",
    "http://nowhere.invalid/": "is not known",
}


@pytest.mark.parametrize(("url", "reason"), BAD_ADDRESSES.items(), ids=list(BAD_ADDRESSES))
async def test_bad_address_is_refused(outbound, url, reason):
    """Only http and https addresses of existing hosts are requested, without user names."""
    assert reason in await fails(outbound, url)


async def test_body_is_sent(outbound):
    """A POST carries its body and its headers."""
    async with WireServer(answering(page())) as server:
        headers = {"Content-Type": "text/x"}
        await outbound.send("POST", f"{origin(server)}/hook", headers=headers, body=b"body")

    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook", b"body")
    assert request.headers["content-type"] == "text/x"
