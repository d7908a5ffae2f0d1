"""The rows of submission keys: the request, the created resource, and the answer."""

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import attrs

from browser_use_async.api.endpoint_table import CREATE_SCHEDULED_TASK, RUN_TASK
from browser_use_async.api.json import read_json
from browser_use_async.api.serialization import given_fields, plain
from browser_use_async.server.schedule import SCHEDULE_MODEL
from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.secret_documents import Secrets, server_key
from browser_use_async.server.storage.table import Table
from browser_use_async.types import FieldKind, LlmModel, rule_of

_NAME = "submission_keys"
# Pairs of metadata that clients add themselves, and that differ between repeats.
_BOOKKEEPING = "bu_async."
_MODELS = {RUN_TASK.name: LlmModel.GPT_4_1, CREATE_SCHEDULED_TASK.name: SCHEDULE_MODEL}


class KeyTakenError(Exception):
    """Another call has used the key since it was looked up."""


@attrs.frozen
class KeyedCall:
    """A creating call that was completed under a key."""

    owner: str
    call: str  # the name of its row in the endpoint table
    key: str
    resource_id: str  # the id of the created resource
    answer: str  # the body of its answer
    digests: dict[str, str]  # of the fields of its request that have a meaning


_CALLS = Table(_NAME, KeyedCall)


class SubmissionKeys(Owned):
    """The keys of one owner. A key is deleted together with the resource that it created."""

    def __init__(self, database: Database, sealed: Secrets) -> None:
        self._database = database
        self._sealed = sealed
        self._digest_key = b""
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

    async def digests(self, call: str, key: str, request: attrs.AttrsInstance) -> dict[str, str]:
        """Return digests of the fields of a request, to compare it with a repeat.

        A digest cannot be compared under another submission key, or without a key of this server.
        """
        found = {}
        for name, value in _meaning(call, request).items():
            made_of = json.dumps([self.owner, call, key, name, value], sort_keys=True).encode()
            if name == "secrets":
                # Their digests are secret too: with the key, secrets could be guessed.
                found[name] = _digest(await self._sealed.key(_NAME), made_of)
            else:
                found[name] = _digest(self._digest_key, made_of)
        return found


def differing(first: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return the names of the fields whose digests differ between two requests."""
    names = sorted(first.keys() | other.keys())
    return [name for name in names if not _are_equal(first.get(name), other.get(name))]


def _digest(key: bytes, made_of: bytes) -> str:
    digest = hmac.digest(key, made_of, hashlib.sha256).hex()
    return f"{hashlib.sha256(key).hexdigest()[:8]} {digest[:32]}"


def _are_equal(first: str | None, other: str | None) -> bool:
    if first is None or other is None or first == other:
        return first == other
    # Digests under different keys cannot be compared: the key for secrets that are not stored
    # changes with each start.
    return first.partition(" ")[0] != other.partition(" ")[0]


def _meaning(call: str, request: attrs.AttrsInstance) -> dict[str, Any]:
    """Return the values of a request, without those that equal a missing field."""
    found = {}
    given = given_fields(request)
    for field in attrs.fields(type(request)):
        name, rule = field.name, rule_of(field)
        value, default = plain(given.get(name)), rule.default
        if name == "metadata" and value:
            value = {k: v for k, v in value.items() if not k.startswith(_BOOKKEEPING)}
        elif name == "llm_model":
            default = _MODELS[call]
        elif rule.kind is FieldKind.JSON_SCHEMA and value is not None:
            value = read_json(value.encode())
        if value is not None and value != default and value not in ([], {}):
            found[name] = value
    return found
