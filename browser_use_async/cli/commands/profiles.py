"""`profiles`: browser profiles, which keep cookies and settings between tasks."""

from collections.abc import AsyncGenerator

from browser_use_async.api.converter import unstructure
from browser_use_async.cli.command import Group
from browser_use_async.cli.completers import complete_profiles
from browser_use_async.cli.connect import connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.fields import (
    NOT_CHANGED,
    NOT_SENT,
    field_options,
    given_changes,
    given_fields,
)
from browser_use_async.cli.options import Argument, ServerOptions, group
from browser_use_async.cli.tables import Column, Listing
from browser_use_async.types import (
    BrowserProfile,
    CreateBrowserProfileRequest,
    UpdateBrowserProfileRequest,
    rules_of,
)

_FIELDS = list(rules_of(UpdateBrowserProfileRequest))  # the name of a new one is an argument
_ID = Argument("profile_id", "ID", "the profile", shell_complete=complete_profiles)

profiles = Group(
    "profiles",
    "Create, show, change and delete browser profiles.",
    examples=("profiles list", "profiles create shopping --persist --proxy-country de"),
)


def _proxy(row: BrowserProfile) -> str:
    return str(row.proxy_country_code) if row.proxy else "no"


_ROWS = Listing(
    "no profiles",
    (
        Column[BrowserProfile]("profile_id"),
        Column("profile_name", is_text=True),
        Column("proxy", _proxy),
        Column("description", is_text=True),
    ),
    BrowserProfile,
)


@profiles.listing("list", _ROWS)
async def _list(console: Console, server: ServerOptions) -> AsyncGenerator[BrowserProfile, None]:
    """List the profiles."""
    async with connect(server, console) as connection:
        async for row in connection.session.browser_profiles.iterate():
            yield row


@profiles.action(
    "create",
    Argument("profile_name", "NAME", "the name of the profile"),
    *group("profile", *field_options(CreateBrowserProfileRequest, _FIELDS[1:]), about=NOT_SENT),
)
async def _create(
    console: Console, server: ServerOptions, profile_name: str, **fields: object
) -> None:
    """Create a profile."""
    request = CreateBrowserProfileRequest(profile_name, **given_fields(fields))
    async with connect(server, console) as connection:
        console.result(unstructure(await connection.session.browser_profiles.create(request)))


@profiles.action("show", _ID)
async def _show(console: Console, server: ServerOptions, profile_id: str) -> None:
    """Show one profile."""
    async with connect(server, console) as connection:
        console.result(unstructure(await connection.session.browser_profiles.get(profile_id)))


@profiles.action(
    "update",
    _ID,
    *group("changes", *field_options(UpdateBrowserProfileRequest, _FIELDS), about=NOT_CHANGED),
)
async def _update(
    console: Console, server: ServerOptions, profile_id: str, **fields: object
) -> None:
    """Change a profile; fields that you leave out keep their values."""
    request = UpdateBrowserProfileRequest(**given_changes(fields))
    async with connect(server, console) as connection:
        console.result(
            unstructure(await connection.session.browser_profiles.update(profile_id, request))
        )


@profiles.action("delete", _ID)
async def _delete(console: Console, server: ServerOptions, profile_id: str) -> None:
    """Delete a profile and its browser data."""
    async with connect(server, console) as connection:
        await connection.session.browser_profiles.delete(profile_id)
    console.done("deleted, and its browser data with it", {"id": profile_id, "deleted": True})
