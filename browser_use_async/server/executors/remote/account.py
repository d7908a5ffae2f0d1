"""The account of the hosted service that pays for tasks, asked seldom however often it is read."""

import asyncio
import logging
from decimal import Decimal
from typing import Any

from browser_use_async.server.executors.protocol import RemoteAccount
from browser_use_async.server.executors.remote.client import (
    ODD_ANSWERS,
    CloudClient,
    CloudError,
    OddAnswerError,
    RefusedError,
)

_logger = logging.getLogger(__name__)

_VERSIONS = {"v4": "v3"}  # version 4 has no call for it, and the account is the same one
_ANSWER_SECONDS = 10.0  # until whoever reads it is told that there is no answer
_NO_ANSWER = "The hosted service gives no answer"


class AccountReader:
    """Reads what is left on the account: one call for all who ask, and a pause after its answer.

    Args:
        client: Makes the call.
        version: The version of the API with which tasks are done.
    """

    def __init__(self, client: CloudClient, version: str) -> None:
        self._client = client
        self._version = _VERSIONS.get(version, version)
        self._asked: asyncio.Task[RemoteAccount] | None = None
        self._fresh_until = 0.0

    async def read(self) -> RemoteAccount:
        """What the service says, or said some seconds ago; also why it said nothing."""
        loop = asyncio.get_running_loop()
        asked = self._asked
        if asked is None or (asked.done() and loop.time() >= self._fresh_until):
            asked = self._asked = loop.create_task(self._ask(), name="account of the service")
        return await asyncio.shield(asked)  # others may wait for it when one of them gives up

    async def aclose(self) -> None:
        """End a call that is under way."""
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.wait([self._asked])

    async def _ask(self) -> RemoteAccount:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                view = await self._client.call("GET", "/billing/account", version=self._version)
            account = RemoteAccount(_cents(view["totalCreditsBalanceUsd"]))
        except CloudError as error:
            is_key_refused = isinstance(error, RefusedError) and error.status == 401
            account = RemoteAccount(problem=str(error), is_key_refused=is_key_refused)
        except ODD_ANSWERS as error:
            account = RemoteAccount(problem=str(OddAnswerError(error)))
        except TimeoutError:
            account = RemoteAccount(problem=_NO_ANSWER)
        if account.problem:  # `me` has no room for words
            _logger.warning("what is left on the account is not known: %s", account.problem)
        pause = self._client.settings.account_seconds
        self._fresh_until = asyncio.get_running_loop().time() + pause
        return account


def _cents(dollars: Any) -> Decimal:
    """An amount in US dollars, in cents; below zero, too, since an account may be overdrawn.

    Raises:
        TypeError: It is none.
        ValueError: It is without an end.
    """
    if isinstance(dollars, bool) or not isinstance(dollars, int | float):
        raise TypeError("the balance is no number")
    # Through str, because Decimal(float) has the binary rounding of the float.
    amount = Decimal(str(dollars))
    if not amount.is_finite():
        raise ValueError("the balance is no number")
    return amount * 100
