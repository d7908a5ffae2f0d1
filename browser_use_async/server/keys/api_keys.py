"""API keys as rows: their digests, scopes and validity, and the limits of their owners."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal

import attrs

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.keys import api_key
from browser_use_async.server.storage.account import lock_account, open_account
from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.rows import from_micro, to_moment, to_text
from browser_use_async.server.storage.table import Codec, Table

# The most keys of one name that open something: the old and the new one of a rotation.
MAX_VALID_KEYS = 2

_MOST_FOUND = 1000  # keys that are found by their ids, with those that others ask for
_USE_INTERVAL = timedelta(minutes=1)  # between two writes of when a key was used
_KEYS = Table(
    "api_keys",
    api_key.ApiKey,
    renamed={"name": "owner"},
    scopes=Codec(
        lambda scopes: " ".join(sorted(scopes)),
        lambda stored: frozenset(map(api_key.Scope, stored.split())),
    ),
)


@attrs.frozen
class ListedKey:
    """A key, and the spending and budget of its owner."""

    key: api_key.ApiKey
    spent_cents: Decimal
    budget_cents: Decimal | None
    concurrency: int | None
    is_valid: bool  # at the moment at which it was read


class ApiKeys:
    """The keys of a server, except the one that it is started with."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        # By digest, each with the version of the database.
        self._found: dict[bytes, tuple[api_key.ApiKey, int | None]] = {}

    async def find(self, digest: bytes) -> api_key.ApiKey | None:
        """The key with a digest, valid or not; records its use."""
        known, before = self._found.get(digest, (None, None))
        version = self._database.version
        if known is not None and version is not None and version == before:
            return await self._note_use(known)
        if known is None:
            key = await _KEYS.first(self._database, "digest = :digest", digest=digest.hex())
        else:
            row = await self._database.by_id("api_keys", _KEYS.columns, known.id)
            key = None if row is None else _KEYS.read(row)
        if key is None:
            return None
        self._found[digest] = key, version
        if len(self._found) > _MOST_FOUND:
            del self._found[next(iter(self._found))]
        return await self._note_use(key)

    async def _note_use(self, key: api_key.ApiKey) -> api_key.ApiKey:
        now = self._now()
        is_noted = key.last_used_at is not None and now - key.last_used_at < _USE_INTERVAL
        if key.is_valid(now) and not is_noted:
            # A read must work on a full disk, too; the next call records the use.
            with suppress(StorageUnavailableError):
                await self._database.update("api_keys", {"last_used_at": now}, id=key.id)
        return key

    async def all(self) -> list[ListedKey]:
        """All keys, oldest first."""
        found = await self._database.rows(
            f"SELECT {_KEYS.columns}, COALESCE(spent, 0), budget, concurrency FROM api_keys "
            "LEFT JOIN (SELECT owner AS payer, spent, budget, concurrency FROM accounts) AS limits "
            "ON payer = owner ORDER BY created_at, id"
        )
        now = self._now()
        return [
            ListedKey(
                key,
                from_micro(spent),
                None if budget is None else from_micro(budget),
                tasks,
                key.is_valid(now),
            )
            for *row, spent, budget, tasks in found
            for key in (_KEYS.read(tuple(row)),)
        ]

    async def has_valid(self, owner: str) -> bool:
        """Whether any key of a name is valid."""
        return bool(await self._valid(self._database, owner))

    async def add(self, new: api_key.NewKey) -> tuple[api_key.ApiKey, str]:
        """Add a key, and return it with its text, which is stored nowhere.

        Raises:
            ConfigurationError: Two keys of this name are valid.
        """
        text = api_key.new_key_text()

        async def work(at: Database) -> api_key.ApiKey:
            others = await self._with_room(at, new.name)
            key = self._new(new, others[-1].scopes if others else api_key.DEFAULT_SCOPES)
            await _KEYS.insert(at, key, digest=api_key.digest_of(text).hex())
            await _set_limits(at, new.name, new)
            return key

        return await self._database.transact(work), text

    async def revoke(self, key_id: str) -> api_key.ApiKey | None:
        """Revoke a key from now on; None if there is none with this id."""
        statement = (
            "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, :now) WHERE id = :id "
            f"RETURNING {_KEYS.columns}"
        )
        values = {"now": to_moment(self._now()), "id": to_text(key_id)}
        found = await self._database.transact_with_reserve(lambda at: at.first(statement, **values))
        return None if found is None else _KEYS.read(found)

    async def _with_room(self, at: Database, owner: str) -> list[api_key.ApiKey]:
        """The valid keys of an owner who may have another one, and now has an account."""
        if owner != api_key.DEFAULT_NAME:  # the server has opened that account, with its credit
            await open_account(at, owner)
        others = await self._valid(at, owner)
        if len(others) >= MAX_VALID_KEYS:
            raise ConfigurationError(
                f"{owner} has two valid keys, as many as a rotation needs; revoke one of "
                f"them first: {others[0].id} or {others[1].id}"
            )
        return others

    async def _valid(self, at: Database, owner: str) -> list[api_key.ApiKey]:
        await lock_account(at, owner)
        condition = "owner = :owner AND revoked_at IS NULL ORDER BY created_at, id"
        now = self._now()
        return [key for key in await _KEYS.find(at, condition, owner=owner) if key.is_valid(now)]

    def _new(self, new: api_key.NewKey, scopes: frozenset[api_key.Scope]) -> api_key.ApiKey:
        now, days = self._now(), new.expires_in_days
        return api_key.ApiKey(
            str(uuid.uuid4()),
            new.name,
            scopes if new.scopes is None else frozenset(map(api_key.Scope, new.scopes)),
            created_at=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )


async def _set_limits(at: Database, owner: str, asked: api_key.NewKey) -> None:
    for column, value in (("budget", asked.budget_cents), ("concurrency", asked.concurrency)):
        if value is not None:
            await at.update("accounts", {column: value}, owner=owner)
