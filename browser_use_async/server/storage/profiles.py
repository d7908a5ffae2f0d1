"""Browser profiles, in the order of their creation, and the cookies that they keep."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from browser_use_async.api.converter import structure
from browser_use_async.server.storage.keeper import Keeper
from browser_use_async.types import (
    UNSET,
    BrowserProfile,
    CreateBrowserProfileRequest,
    ProxyCountry,
    UpdateBrowserProfileRequest,
)

_KIND = "profile"
_FIELDS = tuple(field.name for field in attrs.fields(BrowserProfile) if field.name != "extra")

Cookies = Sequence[Mapping[str, Any]]


class Profiles:
    """All profiles of one server. There always is one for tasks that name none.

    Cookies are kept sealed, or in memory only if there is no key to seal them with.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._profiles: dict[str, BrowserProfile] = {
            key: structure(document, BrowserProfile) for key, document in keeper.documents(_KIND)
        }
        self._cookies: dict[str, Cookies] = {
            key: secret["cookies"] for key, secret in keeper.secrets(_KIND)
        }
        self.default()

    @property
    def count(self) -> int:
        """How many profiles there are."""
        return len(self._profiles)

    def default(self) -> BrowserProfile:
        """The profile of tasks that name none: the oldest, or a new one if all were deleted."""
        for profile in self._profiles.values():
            return profile
        return self.create(CreateBrowserProfileRequest("Default"))

    def get(self, profile_id: str) -> BrowserProfile | None:
        """The profile with this id, or None."""
        return self._profiles.get(profile_id)

    def page(self, page: int, limit: int) -> list[BrowserProfile]:
        """One page, oldest first; empty past the end."""
        return list(self._profiles.values())[(page - 1) * limit : page * limit]

    def create(self, request: CreateBrowserProfileRequest) -> BrowserProfile:
        """Add a profile."""
        profile = BrowserProfile(str(uuid.uuid4()), **_given(request))
        self._profiles[profile.profile_id] = profile
        self._keep(profile)
        return profile

    def update(
        self, profile: BrowserProfile, request: UpdateBrowserProfileRequest
    ) -> BrowserProfile:
        """Change exactly the fields that were given; null changes nothing."""
        for name, value in _given(request).items():
            setattr(profile, name, value)
        if not profile.persist:
            self._forget_cookies(profile)
        self._keep(profile)
        return profile

    def delete(self, profile: BrowserProfile) -> None:
        """Remove a profile and its browser data."""
        del self._profiles[profile.profile_id]
        self._cookies.pop(profile.profile_id, None)
        self._keeper.forget(_KIND, profile.profile_id)

    def cookies(self, profile_id: str) -> Cookies:
        """What the profile has kept from earlier tasks."""
        return self._cookies.get(profile_id, ())

    def keep_cookies(self, profile_id: str, cookies: Cookies) -> None:
        """Keep the cookies of a task that has ended, if the profile keeps any."""
        profile = self._profiles.get(profile_id)
        if profile is not None and profile.persist:
            self._cookies[profile_id] = list(cookies)
            self._keeper.keep_secret(_KIND, profile_id, {"cookies": list(cookies)})

    def _forget_cookies(self, profile: BrowserProfile) -> None:
        self._cookies.pop(profile.profile_id, None)
        self._keeper.forget_secret(_KIND, profile.profile_id)

    def _keep(self, profile: BrowserProfile) -> None:
        document = {name: getattr(profile, name) for name in _FIELDS}
        document["proxy_country_code"] = str(profile.proxy_country_code)
        self._keeper.keep(_KIND, profile.profile_id, document)


def _given(request: Any) -> dict[str, Any]:
    values = {field.name: getattr(request, field.name) for field in attrs.fields(type(request))}
    given = {name: each for name, each in values.items() if each is not UNSET and each is not None}
    if "proxy_country_code" in given:
        given["proxy_country_code"] = ProxyCountry(given["proxy_country_code"])
    return given
