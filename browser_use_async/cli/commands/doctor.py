"""`doctor`: check this machine, the configuration, the server, the key and the balance."""

import asyncio
import os
import platform
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import attrs

from browser_use_async import __version__
from browser_use_async.cli.command import command
from browser_use_async.cli.connect import REMEDY, Connection, check_key, connect
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode, exit_code_of
from browser_use_async.cli.options import ServerOptions, given_secret, option
from browser_use_async.cli.screen import Style
from browser_use_async.config_file import ConfigFile, config_path
from browser_use_async.errors import BrowserUseError, ConfigurationError
from browser_use_async.prices import format_cents
from browser_use_async.server.secrets.sources import WAYS
from browser_use_async.transport.config import (
    DEFAULT_BASE_URL,
    DEFAULT_IS_GONE,
    Configuration,
)

if TYPE_CHECKING:
    from browser_use_async.server import AgentSettings

_MODEL = "gpt-4.1"  # the API's default for tasks
_ANSWER_SECONDS = 2.0
_ANSWER_BYTES = 4096
_EXTRAS = {
    "cli": (("click", "rich"), "the command line"),
    "speed": (("msgspec", "orjson"), "faster decoding"),
    "server": (
        ("cronsim", "cryptography", "prometheus-client", "pyotp"),
        "cron expressions, secrets, one-time codes and metrics of `serve`",
    ),
    "browser": (("playwright", "Pillow"), "a real browser for `serve`"),
    "local-agent": (("browser-use", "jsonschema"), "the executor browser_use of `serve`"),
    "fleet": (("procrastinate", "psycopg"), "ledgers and servers that share PostgreSQL"),
    "s3": (("obstore",), "files of `serve` on object storage"),
    "mcp": (("mcp",), "the command `mcp`, tools for language models"),
    "otel": (("opentelemetry-api",), "spans of OpenTelemetry"),
}
_OPTIONS = {"api_key": "--api-key", "base_url": "--base-url", "timeout": "--attempt-timeout"}


@attrs.frozen
class _Check:
    name: str
    detail: str
    code: ExitCode = ExitCode.FINISHED
    is_missing: bool = False  # an optional part is not installed
    is_taken: bool = False  # another program uses the port

    @property
    def is_good(self) -> bool:
        """Whether nothing failed."""
        return self.code is ExitCode.FINISHED


@command(
    "doctor",
    option(
        "--database URL",
        f"also check a database that several servers share: its address, or {WAYS} of it",
    ),
    examples=("doctor", "doctor --base-url http://127.0.0.1:8765/api/v1 --json"),
)
async def doctor(console: Console, server: ServerOptions, database: str | None) -> int:
    """Check the configuration, the connection and the key."""
    # The first failure decides the exit code.
    checks: list[_Check] = []
    async for check in _checks(server, database, console):
        checks.append(check)
        _print_check(check, console)
    if not console.shows_text:
        records = [
            {
                "name": each.name,
                "ok": each.is_good,
                "missing": each.is_missing,
                "taken": each.is_taken,
                "detail": each.detail,
            }
            for each in checks
        ]
        console.result({"ok": all(each.is_good for each in checks), "checks": records})
    return next((each.code for each in checks if not each.is_good), ExitCode.FINISHED)


async def _checks(
    server: ServerOptions, database: str | None, console: Console
) -> AsyncIterator[_Check]:
    for check in _machine():
        yield check
    async for check in _agents():
        yield check
    yield await _port()
    async for check in _database(database):
        yield check
    file = _config_file()
    yield file
    if not file.is_good:
        return
    try:
        async with connect(server, console, needs_key=False) as connection:
            async for check in _service(connection):
                yield check
    except BrowserUseError as error:
        yield _Check("configuration", str(error), exit_code_of(error))


def _machine() -> Iterator[_Check]:
    """The parts of this machine; the SDK itself needs only the first."""
    installed = f"browser-use-async {__version__}, aiohttp {version('aiohttp')}"
    yield _Check("installation", f"{installed}, Python {platform.python_version()}")
    for extra, (packages, purpose) in _EXTRAS.items():
        yield _extra(extra, packages, purpose)
    yield _browser()
    film = shutil.which("ffmpeg")
    yield _Check("ffmpeg", film or "not found; `serve` keeps no films", is_missing=film is None)


def _extra(extra: str, packages: Sequence[str], purpose: str) -> _Check:
    found: list[str] = []
    missing: list[str] = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if not missing:
        return _Check(f"extra {extra}", ", ".join(found))
    # The missing ones, if some are installed.
    which = f" ({', '.join(missing)} missing)" if found else ""
    detail = f"for {purpose}{which}: pip install 'browser-use-async[{extra}]'"
    return _Check(f"extra {extra}", detail, is_missing=True)


def _browser() -> _Check:
    # Imported here: other commands need no server.
    from browser_use_async.server.executors.browser import locate  # noqa: PLC0415

    try:
        program = locate.require_browser()
        warning = locate.missing_playwright() or locate.version_warning(program)
        return _Check("browser", warning or program, is_missing=warning is not None)
    except ConfigurationError as error:
        return _Check("browser", f"{error}. `serve` reads pages without one", is_missing=True)


async def _agents() -> AsyncIterator[_Check]:
    """The agent and its model, where variables name them."""
    # Imported here: other commands need no server.
    from browser_use_async.server import AgentSettings  # noqa: PLC0415

    try:
        settings = AgentSettings()
    except ConfigurationError as error:
        yield _Check("agent", str(error), exit_code_of(error))
        return
    if settings.python is not None:
        yield await _agent(os.fspath(settings.python))
    if settings.llm_base_url is not None:
        yield await _model(settings)


async def _agent(python: str) -> _Check:
    """Whether the Python of BROWSER_USE_AGENT_PYTHON starts and has the agent."""
    # Imported here: other commands need no server.
    from browser_use_async.server.executors.agent.process import usable_python  # noqa: PLC0415

    try:
        found = await asyncio.to_thread(usable_python, python)
    except ConfigurationError as error:
        return _Check("agent", f"BROWSER_USE_AGENT_PYTHON: {error}", exit_code_of(error))
    return _Check("agent", f"{found} has browser-use")


async def _model(settings: "AgentSettings") -> _Check:
    """Whether the model of OPENAI_BASE_URL answers a question, which costs a few tokens."""
    # Imported here: other commands need no server.
    from browser_use_async.server.executors.model import Model, NoModelError  # noqa: PLC0415

    began = time.monotonic()
    try:
        model = Model.of(settings)
        name = await model.name_for(_MODEL)
        answer = await model.ask(name, "You answer with one word.", "Say yes.")
    except (NoModelError, ConfigurationError) as error:
        return _Check("model", str(error).removesuffix("."), ExitCode.UNREACHABLE)
    took = f"{name} answered in {time.monotonic() - began:.1f} s"
    cost = f"{answer.prompt_tokens} tokens asked and {answer.answer_tokens} answered"
    return _Check("model", f"{took}; that cost {cost}")


async def _port() -> _Check:
    # Imported here: other commands need no server.
    from browser_use_async.server.setting_kinds import setting_of  # noqa: PLC0415
    from browser_use_async.server.settings.listen_address import ListenSettings  # noqa: PLC0415

    port: int = setting_of(ListenSettings, "port").served
    with socket.socket() as probe:
        # As the server does: a port is free if its last server has just ended.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            is_serve = await _answers_as_serve(port)
            holder = "`serve`, which answers there" if is_serve else "what is no `serve` with http"
            detail = f"{port} is taken by {holder}; another one: serve --port N"
            return _Check("port", detail, is_taken=True)
    return _Check("port", f"{port} is free for `serve`")


async def _answers_as_serve(port: int) -> bool:
    """Whether a server of this package has the port."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with closing(writer):
                writer.write(b"GET /api/v1/ping HTTP/1.0\r\n\r\n")
                return b"\r\nServer: browser-use-async\r\n" in await reader.read(_ANSWER_BYTES)
    return False


async def _database(place: str | None) -> AsyncIterator[_Check]:
    """The checks of a shared database, up to the first one that fails."""
    if place is None:
        return
    try:
        address = given_secret(place, "--database").strip()
        from browser_use_async.server.storage.shared_database import examine_database  # noqa: PLC0415

        async for name, detail in examine_database(address):
            yield _Check(name, detail)
    except ConfigurationError as error:
        yield _Check("database", str(error), exit_code_of(error))


def _config_file() -> _Check:
    """Whether the file of `login` can be used, if there is one."""
    try:
        file = ConfigFile.read()
    except ConfigurationError as error:
        return _Check("config file", str(error), exit_code_of(error))
    if file is not None:
        return _Check("config file", str(file.path))
    place = config_path() or "this user has no home"
    detail = f"{place}; `browser-use-async login` writes it"
    return _Check("config file", detail, is_missing=True)


async def _service(connection: Connection) -> AsyncIterator[_Check]:
    """The checks of the configuration and the service, up to the first one that fails."""
    configuration, session = connection.configuration, connection.session
    is_local = connection.site_url is not None
    described = _described(configuration, is_local=is_local)
    if configuration.base_url == DEFAULT_BASE_URL:
        described += f"; {DEFAULT_IS_GONE}"
    yield _Check("configuration", described)
    has_key = configuration.api_key is not None
    if not has_key:
        yield _Check("API key", str(configuration.missing_key(REMEDY)), ExitCode.USAGE)
    name = "server"
    try:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await session.ping()
        yield _Check(name, f"answers a ping in {(loop.time() - began) * 1000:.0f} ms")
        if not has_key:
            return
        name = "API key"
        await check_key(connection)
        yield _Check(name, "accepted")
        name = "balance"
        balance = await session.account.get_balance()
    except BrowserUseError as error:
        yield _Check(name, str(error), exit_code_of(error))
        return
    if balance.cents > 0:
        yield _Check(name, f"{format_cents(balance.cents)} left")
    else:
        remedy = "add credits, or use a key with a larger budget"
        yield _Check(name, f"nothing is left, so new tasks are rejected; {remedy}", ExitCode.API)


def _described(configuration: Configuration, *, is_local: bool) -> str:
    """Each value except the key, with its source."""
    shown = {
        "base_url": f"base URL {configuration.base_url}",
        "timeout": f"{configuration.timeout:g} s for a request",
        "api_key": "a key" if configuration.api_key is not None else None,
    }
    found: list[str] = []
    for name, text in shown.items():
        place = configuration.places.get(name, "the default")
        if place == name:  # an argument of the session
            place = "--local" if is_local and name != "timeout" else _OPTIONS[name]
        elif place.startswith(f"{name} in "):
            place = "the config file"
        found += [] if text is None else [f"{text} ({place})"]
    return ", ".join(found)


def _print_check(check: _Check, console: Console) -> None:
    verdict = ("ok       ", Style.GOOD) if check.is_good else ("failed   ", Style.BAD)
    if check.is_missing:
        verdict = ("missing  ", Style.WAITING)
    elif check.is_taken:
        verdict = ("taken    ", Style.WAITING)
    console.labelled([verdict, f"{check.name:<19}"], check.detail)
