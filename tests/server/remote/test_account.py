"""`balance` and `me` of a server in front of the hosted service."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import CloudSettings
from tests.server.calling import Caller
from tests.server.remote.conftest import Opens
from tests.support.hosted.service import KEY, Fault, HostedService
from tests.support.hosted.v4 import HostedV4
from tests.support.patience import until

_ACCOUNT = "GET /billing/account"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections of foreign clients."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize(
    ("dollars", "cents"),
    [(12.34, "1234"), (0.1, "10"), (20, "2000"), (1e-06, "0.0001"), (-0.07, "-7")],
)
async def test_the_balance_of_the_service(
    hosted: HostedService, opens: Opens, dollars: Any, cents: str
) -> None:
    """The server's own key gets the exact rest there; the server's own account stays unchanged."""
    hosted.credit = dollars
    async with opens(hosted) as door:
        balance = await door.session.account.get_balance()

        assert balance.cents == Decimal(cents)
        assert await door.session.account.me()
        assert door.server.balance_cents == 100


async def test_one_call_for_simultaneous_callers(
    hosted: HostedService, opens: Opens, http: aiohttp.ClientSession
) -> None:
    """Callers during a call to the service get its answer."""
    hosted.held[_ACCOUNT] = asyncio.Event()
    async with opens(hosted, account_seconds=0) as door:
        caller = Caller(door.server, http)
        asked = [asyncio.create_task(caller.get("/balance")) for _ in range(10)]
        asked += [asyncio.create_task(caller.get("/me")) for _ in range(10)]
        given_up = asyncio.create_task(caller.get("/balance"))
        await until(lambda: door.server.requests.total() == 21)
        given_up.cancel()  # its call is that of the others, too
        hosted.held.pop(_ACCOUNT).set()
        answers = [await each for each in asked]

        assert hosted.calls[_ACCOUNT] == 1
        await caller.get("/balance")
    assert [each.json for each in answers] == [{"balance": "1234"}] * 10 + [True] * 10
    assert hosted.calls[_ACCOUNT] == 2


async def test_polling_the_balance_costs_nothing(
    hosted: HostedService, opens: Opens, http: aiohttp.ClientSession
) -> None:
    """For some seconds no further call is sent, neither after an amount nor after a refusal."""
    refusal = Fault(_ACCOUNT, 404, {"detail": "No project"})
    for faults, status in ([], 200), ([refusal], 503):
        hosted.calls.clear()
        hosted.faults[:] = faults
        async with opens(hosted, account_seconds=3600) as door:
            caller = Caller(door.server, http)
            answers = [await caller.get("/balance") for _ in range(20)]

        assert {each.status for each in answers} == {status}
        assert hosted.calls[_ACCOUNT] == 1
    assert CloudSettings().account_seconds == 5


async def test_other_keys_have_the_account_of_this_server(
    hosted: HostedService, opens: Opens, http: aiohttp.ClientSession
) -> None:
    """Their budgets are of this server, and they do not see the operator's credit."""
    async with opens(hosted) as door:
        caller = Caller(door.server, http)
        shop = await caller.with_new_key("shop", budget_cents=30)
        other = await caller.with_new_key("other")

        assert (await shop.get("/balance")).json == {"balance": "30"}
        assert (await other.get("/balance")).json == {"balance": "100"}
        assert (await other.get("/me")).json is True
    assert not hosted.calls


async def test_a_budget_of_the_own_key(
    hosted: HostedService, opens: Opens, http: aiohttp.ClientSession
) -> None:
    """The rest of the budget, or the balance at the service if that is less."""
    async with opens(hosted, account_seconds=0) as door:
        caller = Caller(door.server, http)
        await caller.with_new_key("default", budget_cents=30)
        balance = [(await caller.get("/balance")).json]
        hosted.credit = 0.2
        balance += [(await caller.get("/balance")).json]

    assert balance == [{"balance": "30"}, {"balance": "20"}]


async def test_a_key_that_the_service_refuses(
    hosted: HostedService, opens: Opens, http: aiohttp.ClientSession
) -> None:
    """`me` is false, as for a wrong key here; the balance is unknown, and the key is named."""
    async with opens(hosted, api_key="bu_of_somebody_else") as door:
        caller = Caller(door.server, http)
        me, balance = await caller.get("/me"), await caller.get("/balance")

    assert (me.status, me.json) == (401, False)
    assert balance.status == 503
    assert "does not take the key of this server (401)" in balance.json["detail"]
    assert "bu_of_somebody_else" not in balance.text


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, {"detail": "No project for " + KEY}, "(404); the service says: No project for ***"),
        (403, {"detail": "Your plan"}, "no right to this on the hosted service (403)"),
        (200, {}, "unknown form"),
        (200, {"totalCreditsBalanceUsd": "much"}, "unknown form"),
        (200, {"totalCreditsBalanceUsd": True}, "unknown form"),
        (200, {"totalCreditsBalanceUsd": float("nan")}, "unknown form"),
    ],
)
async def test_an_unknown_balance(
    hosted: HostedService,
    opens: Opens,
    http: aiohttp.ClientSession,
    status: int,
    body: Any,
    words: str,
) -> None:
    """503 with the message of the service, and never an old amount."""
    async with opens(hosted, account_seconds=0) as door:
        caller = Caller(door.server, http)
        assert (await caller.get("/balance")).status == 200
        hosted.faults += [Fault(_ACCOUNT, status, body, times=2)]
        answers = [await caller.get("/balance"), await caller.get("/me")]

        assert (await caller.get("/balance")).json == {"balance": "1234"}
    for each in answers:
        assert each.status == 503
        assert words in each.json["detail"]
        assert KEY not in each.text


@pytest.mark.long
async def test_a_service_without_an_answer(
    hosted: HostedV4, opens: Opens, http: aiohttp.ClientSession
) -> None:
    """After 10 seconds the error says that there is no answer."""
    hosted.held[_ACCOUNT] = asyncio.Event()
    async with opens(hosted) as door:
        answer = await Caller(door.server, http).get("/balance")

    assert answer.status == 503
    assert answer.json == {"detail": "The balance is not known. The hosted service gives no answer"}
