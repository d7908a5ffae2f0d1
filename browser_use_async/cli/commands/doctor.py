"""`doctor`: what works, what does not, and what to do about it."""

import argparse
import asyncio
import os
import platform
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version

import attrs

from browser_use_async import __version__
from browser_use_async.cli.connect import NO_KEY, Target, open_target
from browser_use_async.cli.console import Console, Style
from browser_use_async.cli.exit_codes import ExitCode, exit_code_of
from browser_use_async.cli.options import add_target_options
from browser_use_async.errors import BrowserUseError, ConfigurationError

__all__ = ["configure", "execute"]


class _RefusedError(BrowserUseError):
    """The server answered, and what it said is no good."""


@attrs.frozen
class _Check:
    name: str
    detail: str
    code: ExitCode = ExitCode.FINISHED


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_target_options(parser)


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Make the checks, each one only if those before it succeeded."""
    checks = [_Check("installation", _installation())]
    _tell(checks[0], console)
    try:
        async with open_target(options, console, needs_key=False) as target:
            for name, ask in _QUESTIONS:
                checks.append(await _asked(name, ask, target))
                _tell(checks[-1], console)
                if checks[-1].code is not ExitCode.FINISHED:
                    break
    except BrowserUseError as error:
        checks.append(_Check("configuration", str(error), exit_code_of(error)))
        _tell(checks[-1], console)
    if not console.results_are_read_by_people:
        console.emit(_report(checks))
    return checks[-1].code


def _installation() -> str:
    packages = ", ".join(f"{name} {_version(name)}" for name in ("aiohttp", "rich"))
    return f"browser-use-async {__version__}, Python {platform.python_version()}, {packages}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed (it is optional)"


async def _asked(name: str, ask: "_Question", target: Target) -> _Check:
    try:
        return _Check(name, await ask(target))
    except BrowserUseError as error:
        return _Check(name, str(error), exit_code_of(error))


async def _configuration(target: Target) -> str:
    timeout = os.environ.get("BROWSER_USE_TIMEOUT")
    return f"base URL {target.base_url}" + (f", BROWSER_USE_TIMEOUT {timeout}" if timeout else "")


async def _server(target: Target) -> str:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await target.session.ping()
    return f"answers a ping in {(loop.time() - began) * 1000:.0f} ms"


async def _key(target: Target) -> str:
    if not target.has_key:
        raise ConfigurationError(NO_KEY)
    if not await target.session.account.me():
        raise _RefusedError(
            f"the server does not accept it; take the key that belongs to {target.base_url}"
        )
    return "accepted"


async def _balance(target: Target) -> str:
    balance = await target.session.account.get_balance()
    if balance.cents <= 0:
        raise _RefusedError("nothing is left, so new tasks are rejected; add credits")
    return f"${balance.cents / 100:.2f} left"


_Question = Callable[[Target], Awaitable[str]]
_QUESTIONS: tuple[tuple[str, _Question], ...] = (
    ("configuration", _configuration),
    ("server", _server),
    ("API key", _key),
    ("balance", _balance),
)


def _tell(check: _Check, console: Console) -> None:
    is_good = check.code is ExitCode.FINISHED
    verdict = ("ok      ", Style.GOOD) if is_good else ("failed  ", Style.BAD)
    console.item([verdict, f"{check.name:<15}"], check.detail)


def _report(checks: list[_Check]) -> dict[str, object]:
    return {
        "ok": checks[-1].code is ExitCode.FINISHED,
        "checks": [
            {"name": each.name, "ok": each.code is ExitCode.FINISHED, "detail": each.detail}
            for each in checks
        ],
    }
