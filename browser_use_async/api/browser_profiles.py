"""The API section Browser Profiles, call by call."""

from typing import TYPE_CHECKING, Unpack

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.requests import build_request, merged_request
from browser_use_async.api.section import Section, takes_fields
from browser_use_async.types import (
    BrowserProfile,
    BrowserProfilePage,
    CreateBrowserProfileFields,
    CreateBrowserProfileRequest,
    NamedBrowserProfileFields,
    PageQuery,
    ProfileId,
    UpdateBrowserProfileRequest,
)

if TYPE_CHECKING:
    from browser_use_async.paging import ListIterator


class BrowserProfileEndpoints(Section):
    """`session.browser_profiles`: one method is one HTTP call, except `iterate`. All are free.

    Pay-as-you-go accounts of the hosted service have one profile; subscriptions have many. Every
    method raises `BrowserUseError`, like those of `session.tasks`.
    """

    async def list(self, *, page: int = 1, limit: int = 10) -> BrowserProfilePage:
        """Return one page of the profiles. API page: List Browser Profiles.

        `iterate` reads all pages.

        Args:
            page: Which page, counted from 1.
            limit: Rows on a page, 1 or more.

        Raises:
            InvalidRequestError: An argument is out of bounds; nothing was sent.
        """
        query = build_request(PageQuery, {"page": page, "limit": limit})
        rows: BrowserProfilePage = await self._call(table.LIST_BROWSER_PROFILES, query)
        return rows

    def iterate(self, *, page_size: int = 100, prefetch: int = 1) -> "ListIterator[BrowserProfile]":
        """Iterate over all browser profiles of the account: `async for` rows, or `.pages()`.

        Each profile that exists the whole time is yielded exactly once, even if others are created
        or deleted. The order is that of the service, which does not specify it. API page: List
        Browser Profiles.

        Args:
            page_size: Rows on a page, 1 or more.
            prefetch: How many pages are read ahead: 0 or 1.

        Raises:
            InvalidRequestError: An option is out of bounds.
        """
        from browser_use_async.paging import ListIterator  # noqa: PLC0415

        return ListIterator(
            self.list,
            lambda page: page.profiles,
            lambda row: row.profile_id,
            kind="profiles",
            page_size=page_size,
            prefetch=prefetch,
        )

    @takes_fields(CreateBrowserProfileFields)
    async def create(
        self,
        profile_name: str | CreateBrowserProfileRequest,
        **fields: Unpack[CreateBrowserProfileFields],
    ) -> BrowserProfile:
        """Create a profile. API page: Create Browser Profile.

        It is sent again only if it was certainly not sent, or on 429.

        Args:
            profile_name: The name of the profile, or a whole request.
            fields: The fields of `CreateBrowserProfileRequest`. Fields that are not given are not
                sent.

        Raises:
            InvalidRequestError: A field was refused; nothing was sent.
            APIConnectionError: `.sent` says whether the profile may exist.
        """
        request = merged_request(CreateBrowserProfileRequest, "profile_name", profile_name, fields)
        profile: BrowserProfile = await self._call(table.CREATE_BROWSER_PROFILE, None, request)
        return profile

    async def get(self, profile_id: str) -> BrowserProfile:
        """Return one profile. API page: Get Browser Profile."""
        profile: BrowserProfile = await self._call(table.GET_BROWSER_PROFILE, ProfileId(profile_id))
        return profile

    @takes_fields(NamedBrowserProfileFields)
    async def update(
        self,
        profile_id: str,
        request: UpdateBrowserProfileRequest | None = None,
        **fields: Unpack[NamedBrowserProfileFields],
    ) -> BrowserProfile:
        """Change the given fields of a profile. API page: Update Browser Profile.

        Args:
            profile_id: The profile's id.
            request: A whole request, whose fields the keyword fields override.
            fields: The fields of `UpdateBrowserProfileRequest`.

        Returns:
            The changed profile.

        Raises:
            InvalidRequestError: A field was refused; nothing was sent.
        """
        base = UpdateBrowserProfileRequest() if request is None else request
        changes = merged_request(UpdateBrowserProfileRequest, "request", base, fields)
        profile: BrowserProfile = await self._call(
            table.UPDATE_BROWSER_PROFILE, ProfileId(profile_id), changes
        )
        return profile

    async def delete(self, profile_id: str) -> None:
        """Delete a profile and its browser data for good. API page: Delete Browser Profile."""
        await self._call(table.DELETE_BROWSER_PROFILE, ProfileId(profile_id))
