"""The rows of submission keys: the request, the created resource, and the answer."""

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

import attrs

from browser_use_async.api.endpoint_table import CREATE_SCHEDULED_TASK, RUN_TASK
from browser_use_async.api.json import read_json
from browser_use_async.api.scalars import plain
from browser_use_async.api.serialization import given_fields
from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.server.storage.schedule import SCHEDULE_MODEL
from browser_use_async.server.storage.secret_documents import server_key
from browser_use_async.server.storage.table import Table
from browser_use_async.types import FieldKind, LlmModel, rules_of

_NAME = "submission_keys"
_LIFETIME = timedelta(days=1)  # of what has created nothing
# Pairs of metadata that clients add themselves, and that differ between repeats.
_BOOKKEEPING = "bu_async."
_MODELS = {RUN_TASK.name: LlmModel.GPT_4_1, CREATE_SCHEDULED_TASK.name: SCHEDULE_MODEL}


class KeyTakenError(Exception):
    """Another call has used the key since it was looked up."""


@attrs.frozen
class KeyedCall:
    """A creating call that was completed under a key, or a search that was paid."""

    owner: str
    call: str  # the name of its row in the endpoint table
    key: str
    resource_id: str  # the id of the created resource, or empty
    answer: str  # the body of its answer; empty until a search has been answered
    digests: dict[str, str]  # of the fields of its request that have a meaning
    expires_at: datetime | None = None  # of a search: when it may be deleted


_CALLS = Table(_NAME, KeyedCall)


class SubmissionKeys(Owned):
    """The keys of one owner. A key is deleted together with the resource that it created."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._digest_key = b""
        self._turns = WeakValueDictionary[tuple[str, str, str], asyncio.Lock]()
        self.replays: Counter[str] = Counter()
        """How many repeats this process has answered, of all owners, by call."""

    async def open(self) -> None:
        """Get the key of the digests."""
        self._digest_key = await server_key(self._database, _NAME, 32)

    async def find(self, call: str, key: str) -> KeyedCall | None:
        """Return the completed call with this key, or None."""
        return await _CALLS.first(self._database, owner=self.owner, call=call, key=key)

    async def claim(self, at: Database, keyed: KeyedCall) -> None:
        """Store a call under its key, in the transaction that carries it out.

        PostgreSQL waits here for another open transaction with the same key.

        Raises:
            KeyTakenError: Another call has used the key, and was committed.
        """
        if not await _CALLS.insert(at, keyed, "ON CONFLICT DO NOTHING RETURNING 1"):
            raise KeyTakenError

    def turn(self, call: str, key: str) -> asyncio.Lock:
        """Return the lock of a key, which one search of this process holds at a time."""
        return self._turns.setdefault((self.owner, call, key), asyncio.Lock())

    def paid_search(self, call: str, key: str, digests: dict[str, str]) -> KeyedCall:
        """Return the row of a search that is paid now, and has no answer yet."""
        return KeyedCall(self.owner, call, key, "", "", digests, self._now() + _LIFETIME)

    async def keep_answer(self, keyed: KeyedCall, answer: str) -> bool:
        """Store the answer of a search; returns whether it is the first one of its key."""
        place = {"owner": keyed.owner, "call": keyed.call, "key": keyed.key}
        return await self._database.update(_NAME, {"answer": answer}, **place, answer="")

    def digests(self, call: str, key: str, request: attrs.AttrsInstance) -> dict[str, str]:
        """Return digests of the fields of a request, to compare it with a repeat.

        A digest cannot be compared under another submission key, or without a key of this server.
        """
        return {
            name: self._digest([self.owner, call, key, name, value])
            for name, value in _meaning(call, request).items()
        }

    def _digest(self, parts: list[Any]) -> str:
        made_of = json.dumps(parts, sort_keys=True).encode()
        return hmac.digest(self._digest_key, made_of, hashlib.sha256).hex()[:32]


async def delete_expired(database: Database, before: datetime) -> None:
    """Delete the searches of all owners that may be deleted."""
    statement = f"DELETE FROM {_NAME} WHERE expires_at < :before"
    await database.rows(statement, before=to_moment(before))


def differing(first: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the names of the fields whose digests differ between two requests."""
    names = sorted(first.keys() | other.keys())
    return [name for name in names if first.get(name) != other.get(name)]


def _meaning(call: str, request: attrs.AttrsInstance) -> dict[str, Any]:
    """Return the values of a request, without those that equal a missing field."""
    found = {}
    given = given_fields(request)
    for name, rule in rules_of(type(request)).items():
        value, default = plain(given.get(name)), rule.default
        if name == "metadata" and value:
            value = {k: v for k, v in value.items() if not k.startswith(_BOOKKEEPING)}
        elif name == "secrets" and value:
            value = sorted(value)  # names alone: a digest of a value could be guessed
        elif name == "llm_model":
            default = _MODELS[call]
        elif rule.kind is FieldKind.JSON_SCHEMA and value is not None:
            value = read_json(value.encode())
        if value is not None and value != default and value not in ([], {}):
            found[name] = value
    return found
