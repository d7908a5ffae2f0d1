"""`doctor`: check configuration, connection, key and balance, and say how to fix them."""

import argparse
import asyncio
import os
import platform
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version

import attrs

from browser_use_async import __version__
from browser_use_async.cli.connect import NO_KEY, Connection, connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit_codes import ExitCode, exit_code_of
from browser_use_async.cli.options import add_connection_options
from browser_use_async.cli.screen import Style
from browser_use_async.errors import BrowserUseError, ConfigurationError


class _RefusedError(BrowserUseError):
    """The server answered, and the answer means that the check failed."""


@attrs.frozen
class _Check:
    name: str
    detail: str
    code: ExitCode = ExitCode.FINISHED


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_connection_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Run the checks in order, up to the first that fails."""
    checks = [_Check("installation", _installation())]
    _print_check(checks[0], console)
    try:
        async with connect(options, console, needs_key=False) as connection:
            for name, probe in _CHECKS:
                checks.append(await _run_check(name, probe, connection))
                _print_check(checks[-1], console)
                # Each check needs what the ones before it have shown to work.
                if checks[-1].code is not ExitCode.FINISHED:
                    break
    except BrowserUseError as error:
        checks.append(_Check("configuration", str(error), exit_code_of(error)))
        _print_check(checks[-1], console)
    if not console.stdout_is_tty:
        console.result(_report(checks))
    return checks[-1].code


def _installation() -> str:
    packages = ", ".join(f"{name} {_version(name)}" for name in ("aiohttp", "rich"))
    return f"browser-use-async {__version__}, Python {platform.python_version()}, {packages}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed (it is optional)"


async def _run_check(name: str, probe: "_Probe", connection: Connection) -> _Check:
    try:
        return _Check(name, await probe(connection))
    except BrowserUseError as error:
        return _Check(name, str(error), exit_code_of(error))


async def _configuration(connection: Connection) -> str:
    timeout = os.environ.get("BROWSER_USE_TIMEOUT")
    return f"base URL {connection.base_url}" + (
        f", BROWSER_USE_TIMEOUT {timeout}" if timeout else ""
    )


async def _server(connection: Connection) -> str:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await connection.session.ping()
    return f"answers a ping in {(loop.time() - began) * 1000:.0f} ms"


async def _key(connection: Connection) -> str:
    if not connection.has_key:
        raise ConfigurationError(NO_KEY)
    if not await connection.session.account.me():
        raise _RefusedError(
            f"the server does not accept it; take the key that belongs to {connection.base_url}"
        )
    return "accepted"


async def _balance(connection: Connection) -> str:
    balance = await connection.session.account.get_balance()
    if balance.cents <= 0:
        raise _RefusedError("nothing is left, so new tasks are rejected; add credits")
    return f"${balance.cents / 100:.2f} left"


_Probe = Callable[[Connection], Awaitable[str]]
_CHECKS: tuple[tuple[str, _Probe], ...] = (
    ("configuration", _configuration),
    ("server", _server),
    ("API key", _key),
    ("balance", _balance),
)


def _print_check(check: _Check, console: Console) -> None:
    is_good = check.code is ExitCode.FINISHED
    verdict = ("ok      ", Style.GOOD) if is_good else ("failed  ", Style.BAD)
    console.labelled([verdict, f"{check.name:<15}"], check.detail)


def _report(checks: list[_Check]) -> dict[str, object]:
    return {
        "ok": checks[-1].code is ExitCode.FINISHED,
        "checks": [
            {"name": each.name, "ok": each.code is ExitCode.FINISHED, "detail": each.detail}
            for each in checks
        ],
    }
