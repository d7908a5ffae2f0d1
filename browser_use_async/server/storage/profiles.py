"""Browser profiles, in the order of their creation, and the cookies that they keep."""

import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import attrs

from browser_use_async.api.serialization import given_fields
from browser_use_async.server.storage.account import lock_account
from browser_use_async.server.storage.database import Claim, Database
from browser_use_async.server.storage.rows import from_json, to_json
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.table import Codec, Collection, Table
from browser_use_async.types import (
    BrowserProfile,
    CreateBrowserProfileRequest,
    ProxyCountry,
    UpdateBrowserProfileRequest,
)

_KIND = "profile"
_DEFAULT = CreateBrowserProfileRequest("Default")
_NAMES = tuple(field.name for field in attrs.fields(BrowserProfile) if field.name != "extra")

Cookies = Sequence[Mapping[str, Any]]


class _ProfileTable(Table[BrowserProfile]):
    """Profiles, whose fields are one column."""

    def values(self, record: BrowserProfile) -> dict[str, Any]:
        return {"id": record.profile_id, "fields": _fields(record)}


def _profile(fields: Mapping[str, Any]) -> BrowserProfile:
    profile = BrowserProfile(**fields)
    profile.proxy_country_code = ProxyCountry(profile.proxy_country_code)
    return profile


@lru_cache(maxsize=256)  # tasks that name no profile all read the same one
def _stored_profile(fields: str) -> BrowserProfile:
    return _profile(from_json(fields))


def _fields(profile: BrowserProfile) -> dict[str, Any]:
    return {name: getattr(profile, name) for name in _NAMES}


_PROFILES = _ProfileTable(
    "profiles", BrowserProfile, but=_NAMES, make=_stored_profile, fields=Codec(to_json, str)
)


class Profiles(Collection[BrowserProfile]):
    """The profiles of one owner. Tasks that name no profile have a default one.

    Cookies are kept sealed, or in memory only if the server has no key to seal them.
    """

    def __init__(self, database: Database, sealed: Secrets) -> None:
        super().__init__(database, sealed, _PROFILES, _KIND)

    async def count(self) -> int:
        """How many profiles there are."""
        await self.default()
        return await super().count()

    async def default(self) -> BrowserProfile:
        """Return the profile of tasks that name none: the oldest, or a new one."""

        async def work(at: Database) -> BrowserProfile:
            await lock_account(at, self.owner)
            oldest = await self.page(1, 1, at)  # another server may have been first
            return oldest[0] if oldest else await self._add(at, _DEFAULT)

        oldest = await self.page(1, 1, self._database.joined)
        return oldest[0] if oldest else await self._database.transact(work)

    async def create(
        self, request: CreateBrowserProfileRequest, claim: Claim | None = None
    ) -> BrowserProfile:
        """Add a profile."""
        return await self._database.transact(lambda at: self._add(at, request, claim))

    async def _add(
        self, at: Database, request: CreateBrowserProfileRequest, claim: Claim | None = None
    ) -> BrowserProfile:
        profile = _profile({"profile_id": str(uuid.uuid4()), **given_fields(request)})
        if claim is not None:
            await claim(at, profile)
        await self._append(at, profile)
        return profile

    async def update(
        self, profile: BrowserProfile, request: UpdateBrowserProfileRequest
    ) -> BrowserProfile:
        """Change only the given fields; null changes nothing."""

        async def work(at: Database) -> BrowserProfile:
            before = await self.get(profile.profile_id, at) or profile
            now = _profile({**_fields(before), **given_fields(request)})
            await at.update("profiles", {"fields": _fields(now)}, id=now.profile_id)
            if not now.persist:
                await self._sealed.delete(at, _KIND, now.profile_id)
            return now

        return await self._database.transact(work)

    async def cookies(self, profile_id: str) -> Cookies:
        """Return the cookies that a profile has kept from earlier tasks, for a new task."""
        document = await self._sealed.get(_KIND, profile_id, self._database.joined)
        cookies: Cookies = () if document is None else document["cookies"]
        return cookies


async def save_cookies(
    at: Database, sealed: Secrets, profile_id: str, document: Mapping[str, Any]
) -> None:
    """Save the cookies of an ended task in a transaction, if its profile keeps cookies."""
    profile = await _PROFILES.first(at, id=profile_id)
    if profile is not None and profile.persist:
        await sealed.put(at, _KIND, profile_id, document)
