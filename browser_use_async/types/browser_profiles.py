"""Requests and responses of the API section Browser Profiles."""

from collections.abc import Mapping
from typing import Any, TypedDict

import attrs

from browser_use_async.types.base import FieldKind, FieldRule, Response, Unset, extra_fields, ruled
from browser_use_async.types.enums import ProxyCountry

_COUNTRY = FieldRule(FieldKind.TEXT, enum=ProxyCountry, lower_case=True)


def _rule(kind: FieldKind, default: Any, **more: Any) -> FieldRule:
    return FieldRule(kind, nullable=False, default=default, **more)


class BrowserProfileFields(TypedDict, total=False):
    """The optional fields of a profile, as keyword arguments.

    `CreateBrowserProfileRequest` explains them.
    """

    description: str
    persist: bool
    ad_blocker: bool
    proxy: bool
    proxy_country_code: ProxyCountry | str
    browser_viewport_width: int
    browser_viewport_height: int


class CreateBrowserProfileFields(BrowserProfileFields, total=False):
    """The optional fields of a new profile, as keyword arguments."""

    extra_fields: Mapping[str, Any] | None
    """Fields of a newer or another server, sent as given. They are not for secrets."""


class NamedBrowserProfileFields(BrowserProfileFields, total=False):
    """All fields of a profile, as keyword arguments of an update."""

    profile_name: str


@attrs.frozen
class ProfileId:
    """Which profile a call is about.

    Attributes:
        profile_id: The id of the profile.
    """

    profile_id: str = ruled(FieldRule(FieldKind.TEXT, required=True, nullable=False))


@attrs.frozen
class CreateBrowserProfileRequest:
    """The body of creating a profile. API page: Create Browser Profile.

    Attributes:
        profile_name: The name of the profile.
        description: The purpose of the profile.
        persist: Whether cookies, local storage and session data are kept between tasks.
        ad_blocker: Whether advertisements and popups are blocked.
        proxy: Whether traffic goes through mobile proxies; solving captchas needs it.
        proxy_country_code: The country of the proxy, in either case.
        browser_viewport_width: Width of the page in pixels.
        browser_viewport_height: Height of the page in pixels.
        extra_fields: Fields of a newer or another server, sent as given. They are not for secrets.
    """

    profile_name: str = ruled(
        FieldRule(FieldKind.TEXT, required=True, nullable=False, min_length=1)
    )
    description: str | Unset = ruled(_rule(FieldKind.TEXT, ""))
    persist: bool | Unset = ruled(_rule(FieldKind.BOOLEAN, default=True))
    ad_blocker: bool | Unset = ruled(_rule(FieldKind.BOOLEAN, default=True))
    proxy: bool | Unset = ruled(_rule(FieldKind.BOOLEAN, default=True))
    proxy_country_code: ProxyCountry | str | Unset = ruled(
        _rule(FieldKind.TEXT, ProxyCountry.US, enum=ProxyCountry, lower_case=True)
    )
    browser_viewport_width: int | Unset = ruled(_rule(FieldKind.INTEGER, 1280, minimum=1))
    browser_viewport_height: int | Unset = ruled(_rule(FieldKind.INTEGER, 960, minimum=1))
    extra_fields: Mapping[str, Any] | Unset | None = extra_fields()


@attrs.frozen
class UpdateBrowserProfileRequest:
    """The body of changing a profile: only the given fields change.

    API page: Update Browser Profile. The fields are those of `CreateBrowserProfileRequest`.
    """

    profile_name: str | Unset | None = ruled(FieldRule(FieldKind.TEXT, min_length=1))
    description: str | Unset | None = ruled(FieldRule(FieldKind.TEXT))
    persist: bool | Unset | None = ruled(FieldRule(FieldKind.BOOLEAN))
    ad_blocker: bool | Unset | None = ruled(FieldRule(FieldKind.BOOLEAN))
    proxy: bool | Unset | None = ruled(FieldRule(FieldKind.BOOLEAN))
    proxy_country_code: ProxyCountry | str | Unset | None = ruled(_COUNTRY)
    browser_viewport_width: int | Unset | None = ruled(FieldRule(FieldKind.INTEGER, minimum=1))
    browser_viewport_height: int | Unset | None = ruled(FieldRule(FieldKind.INTEGER, minimum=1))


@attrs.define
class BrowserProfile(Response):
    """A browser profile. API page: Get Browser Profile.

    Attributes:
        profile_id: The profile's id.
        profile_name: Its name.
        description: Its purpose.
        persist: Whether cookies, local storage and session data are kept between tasks.
        ad_blocker: Whether advertisements and popups are blocked.
        proxy: Whether traffic goes through mobile proxies.
        proxy_country_code: The country of the proxy.
        browser_viewport_width: Width of the page in pixels.
        browser_viewport_height: Height of the page in pixels.
    """

    profile_id: str
    profile_name: str
    description: str = ""
    persist: bool = True
    ad_blocker: bool = True
    proxy: bool = True
    proxy_country_code: ProxyCountry = ProxyCountry.US
    browser_viewport_width: int = 1280
    browser_viewport_height: int = 960


@attrs.define
class BrowserProfilePage(Response):
    """One page of the profile list. API page: List Browser Profiles.

    Attributes:
        profiles: The profiles on this page, with all their fields.
        total_pages: How many pages there are.
        page: Which page this is, counted from 1.
        limit: How many rows a page has at most.
        total_count: How many profiles there are on all pages.
    """

    profiles: list[BrowserProfile]
    total_pages: int
    page: int
    limit: int
    total_count: int
