"""The account of the hosted service: its balance and its profiles."""

import asyncio
import logging
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.server.executors.protocol import RemoteAccount
from browser_use_async.server.executors.remote.client import (
    ODD_ANSWERS,
    CloudClient,
    CloudError,
    OddAnswerError,
    RefusedError,
)

_logger = logging.getLogger(__name__)

_ACCOUNT_VERSION = "v3"  # version 4 has no call for it, and the account is the same one
_ANSWER_SECONDS = 10.0  # until a reader gets the error that there is no answer
_NO_ANSWER = "The hosted service gives no answer"
_LONGEST_NAME = 100  # of a profile


class AccountReader:
    """Reads the balance: one call for all callers, and a pause after its answer."""

    def __init__(self, client: CloudClient) -> None:
        self._client = client
        self._asked: asyncio.Task[RemoteAccount] | None = None
        self._fresh_until = 0.0

    async def read(self) -> RemoteAccount:
        """Return the balance, at most some seconds old, or the reason why it is unknown."""
        loop = asyncio.get_running_loop()
        asked = self._asked
        if asked is None or (asked.done() and loop.time() >= self._fresh_until):
            asked = self._asked = loop.create_task(
                self._ask(), name="browser-use: reads the account of the hosted service"
            )
        return await asyncio.shield(asked)  # others may wait for it when one of them gives up

    async def aclose(self) -> None:
        """End a call that is under way."""
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.wait([self._asked])

    async def _ask(self) -> RemoteAccount:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                view = await self._client.call("GET", "/billing/account", version=_ACCOUNT_VERSION)
            account = RemoteAccount(_cents(view["totalCreditsBalanceUsd"]))
        except CloudError as error:
            is_key_refused = isinstance(error, RefusedError) and error.status == 401
            account = RemoteAccount(problem=str(error), is_key_refused=is_key_refused)
        except ODD_ANSWERS as error:
            account = RemoteAccount(problem=str(OddAnswerError(error)))
        except TimeoutError:
            account = RemoteAccount(problem=_NO_ANSWER)
        if account.problem:  # `me` has no room for words
            _logger.warning("the balance of the account is unknown: %s", account.problem)
        pause = self._client.settings.account_seconds
        self._fresh_until = asyncio.get_running_loop().time() + pause
        return account


def _cents(dollars: Any) -> Decimal:
    """An amount in US dollars, in cents; below zero, too, since an account may be overdrawn."""
    if isinstance(dollars, bool) or not isinstance(dollars, int | float):
        raise TypeError("the balance is no number")
    # Through str, because Decimal(float) has the binary rounding of the float.
    amount = Decimal(str(dollars))
    if not amount.is_finite():
        raise ValueError("the balance is no number")
    return amount * 100


@attrs.define(eq=False)
class RemoteProfiles:
    """Finds the service's profile that has the id of ours in its name; its first use makes it."""

    _client: CloudClient
    _ids: dict[str, str] = attrs.field(factory=dict)
    # One at a time: two tasks that begin together would make two profiles.
    _lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def id_of(self, profile_id: str, name: str) -> str:
        """The id of the service's profile."""
        async with self._lock:
            if profile_id not in self._ids:
                found = await self._find(profile_id)
                self._ids[profile_id] = found or await self._create(profile_id, name)
            return self._ids[profile_id]

    async def rename(self, profile_id: str, name: str) -> None:
        """Rename the service's profile, if there is one; its first use makes it by its name."""
        await self._change("PATCH", profile_id, {"name": _remote_name(profile_id, name)})

    async def delete(self, profile_id: str) -> None:
        """Delete the service's profile, if there is one."""
        await self._change("DELETE", profile_id)

    async def _change(
        self, method: str, profile_id: str, body: dict[str, str] | None = None
    ) -> None:
        async with self._lock:
            found = self._ids.pop(profile_id, None) or await self._find(profile_id)
            if found is None:
                return
            try:
                await self._client.call(method, f"/profiles/{found}", body)
            except RefusedError as error:
                if error.status != 404:
                    raise  # else it was deleted there, and the next use makes another
            else:
                if body is not None:  # renamed, so it still exists
                    self._ids[profile_id] = found

    async def _find(self, profile_id: str) -> str | None:
        page = await self._client.call("GET", "/profiles", query={"query": profile_id})
        for each in page["items"]:
            if profile_id in (each.get("name") or ""):
                return str(each["id"])
        return None

    async def _create(self, profile_id: str, name: str) -> str:
        body = {"name": _remote_name(profile_id, name)}
        return str((await self._client.call("POST", "/profiles", body))["id"])


def _remote_name(profile_id: str, name: str) -> str:
    room = _LONGEST_NAME - len(profile_id) - 1
    return f"{name[:room]} {profile_id}".strip()
