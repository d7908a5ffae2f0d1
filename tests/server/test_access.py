"""Which requests are answered: by host, origin, key, and number of wrong keys."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from yarl import URL

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from browser_use_async.server.http.access import MAX_WRONG_KEYS
from tests.server.calling import Answer, Caller
from tests.server.pages.showing import Showing
from tests.server.pages.socket import live_socket, running_task

KEY = "a-key-that-is-long-enough"
PUBLIC = "https://tasks.example"
BEHIND: Mapping[str, Any] = {"trusted_proxies": ["127.0.0.1"], "public_url": PUBLIC, "api_key": KEY}
WRONG = {"Authorization": "Bearer a-key-that-is-wrong"}


@asynccontextmanager
async def reachable(**options: Any) -> AsyncIterator[tuple[LocalServer, str]]:
    """A server with a public address, and where it listens."""
    async with LocalServer(executor="scripted") as server:
        port = URL(server.url).port  # free again in a moment
    async with LocalServer(executor="scripted", port=port or 0, **options) as server:
        yield server, f"http://127.0.0.1:{port}"


# --- hosts --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.1.5",
        "0.0.0.0",
        "[::]",
        "evil@127.0.0.1",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/keys", "/api/v1/ping", "/openapi.json", "/live/x", "/x"])
async def test_a_foreign_host_is_refused(host, path, caller):
    """A website whose name resolves to this machine gets no answer, with the key or without."""
    for has_key in (True, False):
        answer = await caller.get(caller.server.url + path, key=has_key, headers={"Host": host})
        assert (answer.status, "public_url" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1", "127.8.9.10:99", "[::1]:80"]
)
async def test_this_machine_is_answered(host, caller):
    """By any of its names, and through a tunnel with another port."""
    assert (await caller.get("/ping", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("tasks.example", 200),
        ("TASKS.example:443", 200),
        ("127.0.0.1", 200),
        ("192.168.1.5", 403),
        ("other.example", 403),
    ],
)
async def test_the_public_name_is_answered(host, status, http):
    """Behind a proxy the host is that of `public_url`, or of this machine."""
    async with reachable(**BEHIND) as (server, here):
        answer = await Caller(server, http).get(f"{here}/api/v1/ping", headers={"Host": host})

    assert answer.status == status


# --- origins ------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["https://{}", "chrome-extension://{}", "http://{}/", "ws://{}"])
async def test_another_scheme_is_another_origin(origin, http, caller):
    """The page of a live view has the scheme of the server, too."""
    async with LocalServer(executor=Showing()) as server:
        task = await running_task(Caller(server, http))
        headers = {"Origin": origin.format(URL(server.url).authority)}
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            async with live_socket(http, task["live_url"], headers=headers):
                pass


async def test_a_host_of_ones_own_choice_is_no_origin(http):
    """A client that names itself as the host is refused because of the host."""
    async with LocalServer(executor=Showing()) as server:
        task = await running_task(Caller(server, http))
        there = f"evil.example:{URL(server.url).port}"
        headers = {"Origin": f"http://{there}", "Host": there}
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            async with live_socket(http, task["live_url"], headers=headers):
                pass


async def test_a_page_of_another_origin_may_not_call(caller):
    """Its preflight is refused, and no header allows its browser to pass an answer on."""
    headers = {
        "Origin": "http://localhost:5173",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    preflight = await caller.ask("OPTIONS", "/run-task", key=False, headers=headers)
    answer = await caller.get("/ping", headers=headers)

    assert (preflight.status, answer.status) == (405, 200)
    for each in (preflight, answer):
        assert not [name for name in each.headers if name.startswith("Access-Control-")]


# --- keys ---------------------------------------------------------------------------------


def test_short_keys_are_refused():
    """On this machine too; the error says how to get a better one, and does not show the key."""
    with pytest.raises(ConfigurationError, match=r"16 characters.*token_urlsafe") as caught:
        LocalServer(executor="scripted", api_key="letmein-letmein")

    assert "letmein" not in str(caught.value)


async def guess(caller: Caller, count: int, **headers: str) -> list[int]:
    """Send wrong keys; the statuses."""
    answers = [await caller.get("/me", headers={**WRONG, **headers}) for _ in range(count)]
    return [answer.status for answer in answers]


async def test_wrong_keys_are_slowed_down(caller, caplog):
    """After 20 wrong keys of an address the next are answered 429, by the API and other routes."""
    statuses = await guess(caller, MAX_WRONG_KEYS + 5)
    paths = ("/me", "/balance", f"{caller.server.url}/admin/faults")
    wrong = [await caller.get(path, headers=WRONG) for path in paths]

    assert statuses == [401] * MAX_WRONG_KEYS + [429] * 5
    assert [answer.status for answer in wrong] == [429] * 3
    assert all(0 < int(answer.headers["Retry-After"]) <= 60 for answer in wrong)
    lines = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    (line,) = lines
    assert "20 wrong API keys within 60 s from 127.0.0.1" in line


async def test_a_right_key_is_never_refused_for_wrong_ones(http):
    """A program with an old key does not lock out others behind the same address."""
    async with LocalServer(executor="scripted") as server:
        caller = Caller(server, http)
        shop = await caller.with_new_key("shop")
        wrong = await guess(caller, MAX_WRONG_KEYS + 2)
        right = [
            (await each.get(path)).status for each in (caller, shop) for path in ("/me", "/tasks")
        ]
        still = await guess(caller, 1)

    assert wrong == [401] * MAX_WRONG_KEYS + [429] * 2
    assert right == [200] * 4
    assert still == [429]


async def test_what_is_no_guess_is_not_counted(caller):
    """Calls without a key, and calls with the right one, do not count."""
    for _ in range(MAX_WRONG_KEYS + 1):
        assert (await caller.get("/me", key=False)).status == 403
        assert (await caller.get("/me")).status == 200


@pytest.mark.looptime
async def test_the_brake_ends(http):
    """It ends after the time in Retry-After; a few wrong keys a minute never start it."""
    async with LocalServer(executor="scripted") as server:
        caller = Caller(server, http)
        for _ in range(3):
            assert 429 not in await guess(caller, MAX_WRONG_KEYS - 1)
            await asyncio.sleep(61)
        await guess(caller, MAX_WRONG_KEYS)
        braked = await caller.get("/me", headers=WRONG)
        await asyncio.sleep(int(braked.headers["Retry-After"]))
        let_go = await caller.get("/me", headers=WRONG)

    assert (braked.status, let_go.status) == (429, 401)


async def test_each_address_has_a_brake_of_its_own(http):
    """Behind a proxy the address is the one that the proxy has added, not a client's header."""
    async with reachable(**BEHIND) as (server, here):
        caller = Caller(server, http)

        async def ask(passed: str, headers: Mapping[str, str]) -> Answer:
            given = {**headers, "X-Forwarded-For": passed}
            return await caller.get(f"{here}/api/v1/me", headers=given)

        for number in range(MAX_WRONG_KEYS):
            await ask(f"198.51.100.{number}, 192.0.2.1", WRONG)
        braked, other = await ask("192.0.2.1", WRONG), await ask("192.0.2.1, 192.0.2.2", WRONG)
        for number in range(MAX_WRONG_KEYS):
            await ask(f"2001:db8::{number:x}", WRONG)
        network = await ask("2001:db8::ffff", WRONG)
        elsewhere = await ask("2001:db8:0:1::1", WRONG)

    assert (braked.status, other.status) == (429, 401)
    assert (network.status, elsewhere.status) == (429, 401)


async def test_only_named_proxies_report_the_address_of_a_client(http, caplog):
    """Another program cannot blame an address for its guesses, nor spread them over many."""
    async with reachable(**{**BEHIND, "trusted_proxies": ["192.0.2.0/24"]}) as (server, here):
        caller = Caller(server, http)
        for number in range(MAX_WRONG_KEYS):
            given = {**WRONG, "X-Forwarded-For": f"198.51.100.{number}"}
            await caller.get(f"{here}/api/v1/me", headers=given)
        given = {**WRONG, "X-Forwarded-For": "203.0.113.1"}
        answer = await caller.get(f"{here}/api/v1/me", headers=given)

    assert answer.status == 429
    assert caplog.text.count("is ignored: if this is your proxy") == 1


async def test_an_address_is_reported_through_several_proxies(http):
    """In a chain of named proxies the client is the one that called the first of them."""
    proxies = ["127.0.0.1", "10.0.0.0/8"]
    async with reachable(**{**BEHIND, "trusted_proxies": proxies}) as (server, here):
        caller = Caller(server, http)

        async def ask(passed: str, headers: Mapping[str, str]) -> Answer:
            given = {**headers, "X-Forwarded-For": passed}
            return await caller.get(f"{here}/api/v1/me", headers=given)

        for _ in range(MAX_WRONG_KEYS):
            await ask("203.0.113.9, 192.0.2.1, 10.0.0.7", WRONG)
        braked = await ask("192.0.2.1", WRONG)
        others = [await ask(each, WRONG) for each in ("203.0.113.9, 10.0.0.7", "10.0.0.7")]

    assert braked.status == 429
    assert [each.status for each in others] == [401, 401]


@pytest.mark.long
async def test_addresses_are_forgotten(http):
    """Many addresses need no more memory: the oldest are forgotten."""
    async with reachable(**BEHIND) as (server, here):
        caller = Caller(server, http)
        for _ in range(MAX_WRONG_KEYS):
            given = {**WRONG, "X-Forwarded-For": "192.0.2.1"}
            await caller.get(f"{here}/api/v1/me", headers=given)
        for number in range(1024):
            given = {**WRONG, "X-Forwarded-For": f"10.0.{number // 256}.{number % 256}"}
            await caller.get(f"{here}/api/v1/me", headers=given)
        answer = await caller.get(f"{here}/api/v1/me", headers={"X-Forwarded-For": "192.0.2.1"})

    assert answer.status == 200
