"""`login` and `logout`, which save an address and a key for all programs, and `balance`."""

import os
from pathlib import Path

import attrs

from browser_use_async.cli.command import command
from browser_use_async.cli.connect import check_key, configured, connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.options import ServerOptions
from browser_use_async.cli.screen import Style
from browser_use_async.config_file import ConfigFile, config_path
from browser_use_async.errors import ConfigurationError
from browser_use_async.transport.config import DEFAULT_BASE_URL

_VARIABLES = ("BROWSER_USE_BASE_URL", "BROWSER_USE_API_KEY")


@command(
    "login",
    examples=(
        "login",
        "login --base-url http://127.0.0.1:8765/api/v1",
        "login --api-key file:key.txt",
    ),
)
async def login(console: Console, server: ServerOptions) -> None:
    """Save the address and the key for later commands and programs.

    Asks for what no option gives, and tries the key with one call that costs nothing. Only your
    user can read the file. Options and environment variables go before it.
    """
    if server.local:
        raise ConfigurationError("the server of --local ends with its command: leave --local out")
    path = _path()
    address = server.base_url or await _ask_address(console)
    key = await _ask_key(console) if server.api_key is None else server.api_key
    async with connect(attrs.evolve(server, base_url=address, api_key=key), console) as connection:
        await check_key(connection)
        configuration = connection.configuration
    try:
        ConfigFile(path, configuration.base_url, configuration.api_key).write()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"{path} cannot be written: {reason}") from error
    console.info(("ok ", Style.GOOD), f"the key for {configuration.base_url} is saved in {path}")
    _warn_of_variables(console, "wins over the file")
    if not console.shows_text:
        console.result({"base_url": configuration.base_url, "file": str(path)})


@command("logout", connects=False, examples=("logout",))
async def logout(console: Console) -> None:
    """Delete the address and the key that `login` has saved."""
    path = _path()
    try:
        path.resolve().unlink()  # the target of a link has the key
        was_there = True
    except FileNotFoundError:
        was_there = False
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"{path} cannot be deleted: {reason}") from error
    console.info(f"{path} is deleted" if was_there else f"nothing is saved in {path}")
    _warn_of_variables(console, "is set as before")
    if not console.shows_text:
        console.result({"deleted": was_there, "file": str(path)})


def _path() -> Path:
    path = config_path()
    if path is None:
        raise ConfigurationError("this user has no home folder: set XDG_CONFIG_HOME to a folder")
    return path


async def _ask_address(console: Console) -> str:
    try:
        likely = configured(ServerOptions()).base_url
    except ConfigurationError:
        likely = DEFAULT_BASE_URL  # the unusable configuration is replaced now
    if not console.can_ask:
        return likely
    return await console.ask(f"address of the API (Enter for {likely}):") or likely


async def _ask_key(console: Console) -> str:
    if not console.can_ask:
        raise ConfigurationError(
            "there is no terminal to ask for the key: pass --api-key file:PATH, such as "
            "file:/dev/stdin"
        )
    return await console.ask("API key (it is not shown):", is_hidden=True)


def _warn_of_variables(console: Console, what: str) -> None:
    for variable in _VARIABLES:
        if os.environ.get(variable):
            console.info(("note: ", Style.WAITING), f"{variable} {what}")


@command("balance", examples=("balance", "balance --json"))
async def balance(console: Console, server: ServerOptions) -> None:
    """Show what is left on the account."""
    async with connect(server, console) as connection:
        found = await connection.session.account.get_balance()
    if console.shows_text:
        from browser_use_async.prices import format_cents  # noqa: PLC0415 - for people only

        console.line(f"{format_cents(found.cents)} left")
    else:
        # A string, as in the API: JSON numbers would round fractions of a cent.
        console.result({"balance_cents": str(found.cents)})
