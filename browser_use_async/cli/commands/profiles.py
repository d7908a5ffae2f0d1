"""`profiles`: browser profiles, which keep cookies and settings between tasks."""

import argparse

from browser_use_async.cli.actions import Action, add_actions, run_action, show_object, show_rows
from browser_use_async.cli.connect import Connection
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.field_options import FieldOption, FieldOptions
from browser_use_async.cli.screen import Span, Style
from browser_use_async.errors import ConfigurationError
from browser_use_async.types import (
    BrowserProfile,
    CreateBrowserProfileRequest,
    UpdateBrowserProfileRequest,
)

_OPTIONS = (
    FieldOption("description", "--description", "what it is for", "TEXT"),
    FieldOption("persist", "--persist", "keep cookies, local storage and session data"),
    FieldOption(
        "ad_blocker",
        "--ad-blocker",
        "block advertisements and popups",
        other_flags=("--adblock",),
    ),
    FieldOption("proxy", "--proxy", "use mobile proxies; captchas need them"),
    FieldOption("proxy_country_code", "--proxy-country", "the country of the proxy", "CODE"),
    FieldOption("browser_viewport_width", "--viewport-width", "width of the page", "PIXELS"),
    FieldOption("browser_viewport_height", "--viewport-height", "height of the page", "PIXELS"),
)
_NAME = FieldOption("profile_name", "--name", "what to call it", "NAME")
_NEW = FieldOptions(CreateBrowserProfileRequest, _OPTIONS)
_CHANGED = FieldOptions(UpdateBrowserProfileRequest, (_NAME, *_OPTIONS))


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    add_actions(parser, _ACTIONS)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the action that was given."""
    return await run_action(_ACTIONS, options, console)


def _configure_list(parser: argparse.ArgumentParser) -> None:
    del parser  # the list has no options of its own


def _configure_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("profile_name", metavar="NAME", help="what to call it")
    group = parser.add_argument_group(
        "profile", "Fields of the API. What is not given is not sent; the service's default holds."
    )
    _NEW.add_to(group)


def _configure_update(parser: argparse.ArgumentParser) -> None:
    _add_id(parser)
    group = parser.add_argument_group(
        "changes", "Fields of the API. What is not given stays as it is."
    )
    _CHANGED.add_to(group)


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("profile_id", metavar="ID", help="the profile")


async def _list(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    del options
    rows = connection.session.iterate_all_browser_profiles()
    if not await show_rows(rows, console, ("ID", "NAME", "PROXY", "DESCRIPTION"), _cells):
        console.info("no profiles")
    return ExitCode.FINISHED


async def _create(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    request = CreateBrowserProfileRequest(options.profile_name, **_NEW.given(options))
    profile = await connection.session.browser_profiles.create(request)
    show_object(profile, console)
    return ExitCode.FINISHED


async def _show(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    profile = await connection.session.browser_profiles.get(options.profile_id)
    show_object(profile, console)
    return ExitCode.FINISHED


async def _update(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    changes = _CHANGED.given(options)
    # An empty update would be a request without effect, and most likely a typing error.
    if not changes:
        raise ConfigurationError("nothing to change: name at least one field, as --help lists them")
    request = UpdateBrowserProfileRequest(**changes)
    profile = await connection.session.browser_profiles.update(options.profile_id, request)
    show_object(profile, console)
    return ExitCode.FINISHED


async def _delete(connection: Connection, options: argparse.Namespace, console: Console) -> int:
    await connection.session.browser_profiles.delete(options.profile_id)
    console.info(("ok ", Style.GOOD), "deleted, and its browser data with it")
    console.result({"id": options.profile_id, "deleted": True})
    return ExitCode.FINISHED


def _cells(row: BrowserProfile) -> tuple[Span, ...]:
    proxy = str(row.proxy_country_code) if row.proxy else "no"
    return (row.profile_id, row.profile_name, proxy, " ".join(row.description.split()))


_ACTIONS = {
    "list": Action("list the profiles", _configure_list, _list),
    "create": Action("create a profile", _configure_create, _create),
    "show": Action("show one profile", _add_id, _show),
    "update": Action("change exactly the fields that are given", _configure_update, _update),
    "delete": Action("delete a profile and its browser data for good", _add_id, _delete),
}
