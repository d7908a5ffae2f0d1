"""The API section Browser Profiles."""

from browser_use_async import types
from browser_use_async.api.endpoint_table import (
    CREATE_BROWSER_PROFILE,
    DELETE_BROWSER_PROFILE,
    GET_BROWSER_PROFILE,
    LIST_BROWSER_PROFILES,
    UPDATE_BROWSER_PROFILE,
)
from browser_use_async.server.errors import NotFoundError
from browser_use_async.server.http.routes import operation
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage.database import Claim


@operation(LIST_BROWSER_PROFILES)
async def list_browser_profiles(
    server: RunningServer, query: types.PageQuery
) -> types.BrowserProfilePage:
    """One page of the profiles, oldest first."""
    count = await server.stores.profiles.count()
    return types.BrowserProfilePage(
        profiles=await server.stores.profiles.page(query.page, query.limit),
        total_pages=-(-count // query.limit),
        page=query.page,
        limit=query.limit,
        total_count=count,
    )


@operation(CREATE_BROWSER_PROFILE)
async def create_browser_profile(
    server: RunningServer, request: types.CreateBrowserProfileRequest, claim: Claim | None = None
) -> types.BrowserProfile:
    """Add a profile."""
    await server.stores.profiles.default()  # else tasks without a profile would take the new one
    return await server.stores.profiles.create(request, claim)


@operation(GET_BROWSER_PROFILE)
async def get_browser_profile(server: RunningServer, path: types.ProfileId) -> types.BrowserProfile:
    """One profile."""
    return await _find(server, path.profile_id)


@operation(UPDATE_BROWSER_PROFILE)
async def update_browser_profile(
    server: RunningServer, path: types.ProfileId, request: types.UpdateBrowserProfileRequest
) -> types.BrowserProfile:
    """Change the fields that were given."""
    profile = await _find(server, path.profile_id)
    return await server.stores.profiles.update(profile, request)


@operation(DELETE_BROWSER_PROFILE)
async def delete_browser_profile(server: RunningServer, path: types.ProfileId) -> None:
    """Remove a profile and its browser data."""
    profile = await _find(server, path.profile_id)
    await server.stores.profiles.delete(profile.profile_id)


async def _find(server: RunningServer, profile_id: str) -> types.BrowserProfile:
    profile = await server.stores.profiles.get(profile_id)
    if profile is None:
        raise NotFoundError("Browser profile not found")
    return profile
