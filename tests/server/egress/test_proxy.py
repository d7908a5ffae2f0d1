"""The gateway alone, over raw sockets: no browser is needed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from browser_use_async.server.egress.http_client import HttpClient
from browser_use_async.server.egress.policy import (
    NOWHERE,
    AdHosts,
    AllowedDomains,
    EgressPolicy,
    PrivateAddresses,
)
from browser_use_async.server.egress.proxy import Gateway, Upstream
from browser_use_async.server.egress.resolver import MOST_WAITING, THREADS
from tests.support.patience import PATIENCE, until

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _rules(*domains: str, private: bool = True) -> EgressPolicy:
    allowed = AllowedDomains(domains or None)
    return EgressPolicy(allowed, PrivateAddresses(all=private), AdHosts())


@asynccontextmanager
async def _server(talk: Talk) -> AsyncIterator[int]:
    """A server that runs a function for each connection; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def _open(rules: EgressPolicy, upstream: Upstream | None = None) -> AsyncIterator[Gateway]:
    gateway = Gateway(rules, upstream)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.aclose()


async def test_no_task_reaches_the_way_out_of_another():
    """The port of a gateway is closed even where all private addresses are open."""
    async with _open(_rules()) as gateway, _open(_rules()) as other:
        answer = await _ask(gateway, f"GET http://localhost:{other.port}/ HTTP/1.1\n\n")

    assert "403 Forbidden" in answer


async def test_a_gateway_without_a_task_is_closed():
    """Before there is a policy no connection is made, and later those that it allows."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()

    async with _server(talk) as port, _open(NOWHERE) as gateway:
        asking = f"GET http://127.0.0.1:{port}/ HTTP/1.1\nHost: 127.0.0.1\n\n"
        before = await _ask(gateway, asking)
        gateway.admit(_rules())
        after = await _ask(gateway, asking)

    assert before.startswith("HTTP/1.1 403")
    assert after.startswith("HTTP/1.1 200")


async def _ask(gateway: Gateway, request: str) -> str:
    """The whole answer to a request through the gateway."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request.replace("\n", "\r\n").encode())
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    writer.close()
    return answer.decode()


async def test_a_request_goes_on_as_the_server_expects_it():
    """Only the path is requested, once, without the headers for proxies; the body is forwarded."""
    came: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.readuntil(b"\r\n\r\n"))
        came.append(await reader.readexactly(4))
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi")

    async with _server(talk) as port, _open(_rules()) as gateway:
        answer = await _ask(
            gateway,
            f"POST http://127.0.0.1:{port}/a%20b?c=%C3%A9 HTTP/1.1\nHost: 127.0.0.1:{port}\n"
            "Proxy-Connection: keep-alive\nContent-Length: 4\n\nbody",
        )

    assert came[0].decode() == (
        f"POST /a%20b?c=%C3%A9 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Content-Length: 4\r\nConnection: close\r\n\r\n"
    )
    assert came[1] == b"body"
    # A server that keeps the connection must not get the browser's next request, which may be for
    # another host.
    assert answer.endswith("Content-Length: 2\r\nConnection: close\r\n\r\nhi")
    assert "keep-alive" not in answer


async def test_a_tunnel_passes_bytes_both_ways():
    """After CONNECT nothing is changed."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readexactly(5))[::-1])
        await writer.drain()

    async with _server(talk) as port, _open(_rules("127.0.0.1")) as gateway:
        answer = await _ask(gateway, f"CONNECT 127.0.0.1:{port} HTTP/1.1\n\n\x16\x03abc")

    assert answer.endswith("\r\n\r\ncba\x03\x16")


@pytest.mark.parametrize(
    ("request_line", "reason"),
    [
        ("CONNECT evil.example:443", "evil.example is outside the allowed domains of this task"),
        ("CONNECT evil.example:8443", "evil.example:8443 is outside the allowed domains"),
        ("GET http://evil.example/", "evil.example is outside the allowed domains of this task"),
        ("GET http://good.example.evil.example/", "is outside the allowed domains of this task"),
        ("CONNECT stats.doubleclick.net:443", "is outside the allowed domains"),
    ],
)
async def test_other_domains_are_refused(request_line, reason):
    """The name is not even looked up, and each refusal is reported once."""
    async with _open(_rules("good.example")) as gateway:
        for _ in range(2):
            answer = await _ask(gateway, f"{request_line} HTTP/1.1\n\n")
        refusals = gateway.notes.take_refusals()

        assert gateway.notes.take_refusals() == []
    assert answer.startswith("HTTP/1.1 403 Forbidden\r\n")
    assert reason in answer
    assert [reason in str(each) for each in refusals] == [True]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:7f00:1]",  # which Python 3.13 writes in another form than the browser
        "0.0.0.0",
        "10.1.2.3",
        "169.254.169.254",
        "[fe80::1]",
    ],
)
async def test_private_addresses_are_refused(host):
    """By number, by name, in both versions of IP, and cloud metadata services."""
    async with _open(_rules(private=False)) as gateway:
        plain = await _ask(gateway, f"GET http://{host}/ HTTP/1.1\n\n")
        known = gateway.notes.problem(f"http://{host}/")
        answers = [plain, await _ask(gateway, f"CONNECT {host}:80 HTTP/1.1\n\n")]

    assert known is not None
    assert "is a private address (" in known
    assert ["403 Forbidden" in each for each in answers] == [True, True]
    assert ["is a private address (" in each for each in answers] == [True, True]


@pytest.mark.parametrize(
    "request_line",
    [
        "GET / HTTP/1.1",
        "GET https://a.example/ HTTP/1.1",
        "GET ftp://a/ HTTP/1.1",
        "nonsense",
        "A B",
    ],
)
async def test_what_is_no_request_for_a_proxy_is_dropped(request_line):
    """The connection is closed without an answer."""
    async with _open(_rules()) as gateway:
        assert await _ask(gateway, f"{request_line}\n\n") == ""


async def test_problems_are_remembered_until_they_pass():
    """The reason why a host is unreachable is remembered as long as it applies."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with _server(talk) as port:
        pass  # no server listens there now
    async with _open(_rules()) as gateway:
        url = f"http://127.0.0.1:{port}/"
        answer = await _ask(gateway, f"GET {url} HTTP/1.1\n\n")
        problem = gateway.notes.problem(url)
        server = await asyncio.start_server(talk, "127.0.0.1", port)
        try:
            await _ask(gateway, f"GET {url} HTTP/1.1\n\n")
        finally:
            server.close()
        passed = gateway.notes.problem(url)

    assert "502 Bad Gateway" in answer
    assert problem == f"Nothing answers at 127.0.0.1:{port}."
    assert passed is None


async def test_a_problem_is_kept_during_the_next_attempt():
    """After a failed page the browser requests its icon, which must not hide the reason."""
    under_way, goes_on = asyncio.Event(), asyncio.Event()
    answers = iter((b"503 Full", b"200 Connected"))

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        status = next(answers)
        if status.startswith(b"200"):
            under_way.set()
            await goes_on.wait()
        writer.write(b"HTTP/1.1 %s\r\n\r\n" % status)

    request = "CONNECT 127.0.0.1:443 HTTP/1.1\n\n"
    async with _server(proxy) as port, _open(_rules(), Upstream("127.0.0.1", port)) as gateway:
        await _ask(gateway, request)
        second = asyncio.create_task(_ask(gateway, request))
        async with asyncio.timeout(PATIENCE):
            await under_way.wait()
        meanwhile = gateway.notes.problem("https://127.0.0.1/")
        goes_on.set()
        await second
        passed = gateway.notes.problem("https://127.0.0.1/")

    assert meanwhile == "The operator's proxy gave 503 for 127.0.0.1."
    assert passed is None


@pytest.mark.parametrize(
    ("entry", "first", "passes"),
    [
        ("https://127.0.0.1", b"\x16\x03\x01hello", True),
        ("https://127.0.0.1", b"GET /ws HTTP/1.1\r\n", False),
        ("http://127.0.0.1", b"GET /ws HTTP/1.1\r\n", True),
        ("http://127.0.0.1", b"\x16\x03\x01hello", False),
        ("127.0.0.1", b"GET /ws HTTP/1.1\r\n", True),
    ],
)
async def test_a_tunnel_speaks_an_allowed_scheme_only(entry, first, passes):
    """An entry for https allows no plain WebSocket to another port, nor the reverse."""
    came: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(100))
        writer.write(b"answer")
        await writer.drain()

    async with _server(talk) as port, _open(_rules(entry)) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode() + first)
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        writer.close()
        await until(lambda: bool(came))
        refusals = [str(each) for each in gateway.notes.take_refusals()]

    assert answer.endswith(b"answer") is passes
    assert came == ([first] if passes else [b""])
    assert any("outside the allowed domains" in each for each in refusals) is not passes


@pytest.mark.long
async def test_slow_names_of_one_page_leave_other_tasks_alone(names):
    """A page with 400 names without an answer does not keep another task from connecting."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    names.known["fine.example"] = iter(["127.0.0.1"])
    async with _server(talk) as port, _open(_rules()) as page, _open(_rules()) as innocent:
        asked = [
            asyncio.create_task(_ask(page, f"GET http://{n}.silent.example/ HTTP/1.1\n\n"))
            for n in range(400)
        ]
        # All but those that are looked up or wait for it have been answered by now.
        await until(lambda: sum(each.done() for each in asked) == 400 - THREADS - MOST_WAITING)
        by_name = await _ask(innocent, f"GET http://fine.example:{port}/ HTTP/1.1\n\n")
        by_number = await _ask(innocent, f"GET http://127.0.0.1:{port}/ HTTP/1.1\n\n")
        searched = await HttpClient(EgressPolicy.of_operator()).send(
            "GET", f"http://127.0.0.1:{port}/"
        )
        looked_up = len(names.asked)
        names.answers.set()
        answers = await asyncio.gather(*asked)

    assert by_name.endswith("hi")
    assert by_number.endswith("hi")
    assert searched.body == b"hi"
    assert looked_up == THREADS + 1
    assert all(each.startswith("HTTP/1.1 502 Bad Gateway") for each in answers)


async def test_a_silent_name_is_reported_as_such(names):
    """A name that could not be looked up is a problem of the host, in a sentence."""
    names.answers.set()
    async with _open(_rules()) as gateway:
        answer = await _ask(gateway, "GET http://a.silent.example/ HTTP/1.1\n\n")

        assert gateway.notes.problem("http://a.silent.example/") == (
            "The host name a.silent.example is not known."
        )
    assert answer.endswith("The host name a.silent.example is not known.")
