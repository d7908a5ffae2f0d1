"""The rows of the API section Browser Profiles."""

from browser_use_async.api.endpoint_table import Effect, Endpoint
from browser_use_async.types import (
    BrowserProfile,
    BrowserProfilePage,
    CreateBrowserProfileRequest,
    PageQuery,
    ProfileId,
    UpdateBrowserProfileRequest,
)

__all__ = [
    "CREATE_BROWSER_PROFILE",
    "DELETE_BROWSER_PROFILE",
    "GET_BROWSER_PROFILE",
    "LIST_BROWSER_PROFILES",
    "UPDATE_BROWSER_PROFILE",
]

_PROFILES = "Browser Profiles"

LIST_BROWSER_PROFILES = Endpoint(
    "list_browser_profiles",
    "GET",
    "/browser-profiles",
    BrowserProfilePage,
    Effect.READS,
    _PROFILES,
    query=PageQuery,
)
CREATE_BROWSER_PROFILE = Endpoint(
    "create_browser_profile",
    "POST",
    "/browser-profiles",
    BrowserProfile,
    Effect.CREATES,
    _PROFILES,
    body=CreateBrowserProfileRequest,
)
GET_BROWSER_PROFILE = Endpoint(
    "get_browser_profile",
    "GET",
    "/browser-profiles/{profile_id}",
    BrowserProfile,
    Effect.READS,
    _PROFILES,
    parameters=ProfileId,
)
UPDATE_BROWSER_PROFILE = Endpoint(
    "update_browser_profile",
    "PUT",
    "/browser-profiles/{profile_id}",
    BrowserProfile,
    Effect.IDEMPOTENT,
    _PROFILES,
    parameters=ProfileId,
    body=UpdateBrowserProfileRequest,
)
DELETE_BROWSER_PROFILE = Endpoint(
    "delete_browser_profile",
    "DELETE",
    "/browser-profiles/{profile_id}",
    None,
    Effect.IDEMPOTENT,
    _PROFILES,
    parameters=ProfileId,
)
