"""Browser profiles, in the order of their creation, and the cookies that they keep."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from browser_use_async.api.serialization import given_fields
from browser_use_async.server.storage.account import lock_account
from browser_use_async.server.storage.database import Database, Owned
from browser_use_async.server.storage.rows import offset, to_json
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.types import (
    BrowserProfile,
    CreateBrowserProfileRequest,
    ProxyCountry,
    UpdateBrowserProfileRequest,
)

_KIND = "profile"
_DEFAULT = CreateBrowserProfileRequest("Default")
_FIELDS = tuple(field.name for field in attrs.fields(BrowserProfile) if field.name != "extra")

Cookies = Sequence[Mapping[str, Any]]


class Profiles(Owned):
    """The profiles of one owner. There always is one for tasks that name none.

    Cookies are kept sealed, or in memory only if there is no key to seal them with.
    """

    def __init__(self, database: Database, sealed: Secrets) -> None:
        self._database = database
        self._sealed = sealed

    async def count(self) -> int:
        """How many profiles there are."""
        await self.default()
        statement = "SELECT COUNT(*) FROM profiles WHERE owner = :owner"
        return int(await self._database.value(statement, owner=self.owner))

    async def default(self) -> BrowserProfile:
        """The profile of tasks that name none: the oldest, or a new one if all were deleted."""
        oldest = await self._page(self._database, 1, 0)
        return oldest[0] if oldest else await self._database.transact(self._new_default)

    async def get(self, profile_id: str) -> BrowserProfile | None:
        """The profile with this id, or None."""
        return await self._get(self._database, profile_id)

    async def page(self, page: int, limit: int) -> list[BrowserProfile]:
        """One page, oldest first; empty past the end."""
        return await self._page(self._database, limit, offset(page, limit))

    async def create(self, request: CreateBrowserProfileRequest) -> BrowserProfile:
        """Add a profile."""
        return await self._database.transact(lambda at: self._insert(at, request))

    async def _new_default(self, at: Database) -> BrowserProfile:
        await lock_account(at, self.owner)
        oldest = await self._page(at, 1, 0)  # another server may have been first
        return oldest[0] if oldest else await self._insert(at, _DEFAULT)

    async def _insert(self, at: Database, request: CreateBrowserProfileRequest) -> BrowserProfile:
        await lock_account(at, self.owner)
        profile = _profile({"profile_id": str(uuid.uuid4()), **given_fields(request)})
        await at.rows(
            "INSERT INTO profiles (id, owner, position, fields) SELECT :id, :owner, "
            "COALESCE(MAX(position), 0) + 1, :fields FROM profiles WHERE owner = :owner",
            id=profile.profile_id,
            owner=self.owner,
            fields=to_json(_fields(profile)),
        )
        return profile

    async def update(
        self, profile: BrowserProfile, request: UpdateBrowserProfileRequest
    ) -> BrowserProfile:
        """Change exactly the fields that were given; null changes nothing."""

        async def work(at: Database) -> BrowserProfile:
            before = await self._get(at, profile.profile_id, at.lock) or profile
            now = _profile({**_fields(before), **given_fields(request)})
            statement = "UPDATE profiles SET fields = :fields WHERE id = :id"
            await at.rows(statement, id=now.profile_id, fields=to_json(_fields(now)))
            if not now.persist:
                await self._sealed.delete(at, _KIND, now.profile_id)
            return now

        return await self._database.transact(work)

    async def delete(self, profile: BrowserProfile) -> None:
        """Remove a profile and its browser data."""

        async def work(at: Database) -> None:
            await at.rows("DELETE FROM profiles WHERE id = :id", id=profile.profile_id)
            await self._sealed.delete(at, _KIND, profile.profile_id)

        await self._database.transact(work)

    async def cookies(self, profile_id: str) -> Cookies:
        """What the profile has kept from earlier tasks."""
        document = await self._sealed.get(_KIND, profile_id)
        cookies: Cookies = () if document is None else document["cookies"]
        return cookies

    async def _get(self, at: Database, profile_id: str, lock: str = "") -> BrowserProfile | None:
        statement = f"SELECT fields FROM profiles WHERE id = :id AND owner = :owner {lock}"
        fields = await at.value(statement, id=profile_id, owner=self.owner)
        return None if fields is None else _profile(json.loads(fields))

    async def _page(self, at: Database, limit: int, start: int) -> list[BrowserProfile]:
        found = await at.rows(
            "SELECT fields FROM profiles WHERE owner = :owner ORDER BY position "
            "LIMIT :limit OFFSET :offset",
            owner=self.owner,
            limit=limit,
            offset=start,
        )
        return [_profile(json.loads(fields)) for (fields,) in found]


async def save_cookies(
    at: Database, sealed: Secrets, profile_id: str, document: Mapping[str, Any]
) -> None:
    """Keep the cookies of a task that has ended, in a transaction, if the profile keeps any."""
    fields = await at.value("SELECT fields FROM profiles WHERE id = :id", id=profile_id)
    if fields is not None and _profile(json.loads(fields)).persist:
        await sealed.put(at, _KIND, profile_id, document)


def _profile(fields: Mapping[str, Any]) -> BrowserProfile:
    profile = BrowserProfile(**fields)
    profile.proxy_country_code = ProxyCountry(profile.proxy_country_code)
    return profile


def _fields(profile: BrowserProfile) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in _FIELDS}
