"""`demo`: five tasks over the SDK against the bundled server, without a key and a network."""

import argparse
import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from browser_use_async import BrowserUseSession, PollPolicy
from browser_use_async.cli.console import Console, Style
from browser_use_async.cli.demonstration.parts import PARTS
from browser_use_async.cli.demonstration.stage import Outcome, perform, shown, summarize
from browser_use_async.cli.demonstration.unhurried import Unhurried
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.choice import choose_executor
from browser_use_async.server.static_site import StaticSite, example_site_directory

__all__ = ["configure", "execute"]

_STEP_SECONDS = 0.6

_NEXT = (
    ("one task from here", 'browser-use-async run --local "Open {site}"'),
    ("programs of your own", "browser-use-async serve"),
    ("the live pages", "browser-use-async demo --keep"),
    ("the same in code", "README.md and examples/quickstart.py"),
    ("everything else", "browser-use-async --help"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--keep", action="store_true", help="keep the server open afterwards, until Ctrl-C"
    )
    parser.add_argument(
        "--site", type=Path, metavar="FOLDER", help="pages of your own instead of the example site"
    )


async def execute(options: argparse.Namespace, console: Console) -> int:
    """Show the demo."""
    folder: Path = options.site or example_site_directory()
    if not (folder / "index.html").is_file():
        raise ConfigurationError(f"{folder} has no index.html; --site takes a folder of pages")
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(StaticSite(folder))
        reader = Unhurried(choose_executor("reader"), _STEP_SECONDS)
        server = await stack.enter_async_context(LocalServer(executor=reader))
        session = await stack.enter_async_context(
            BrowserUseSession(
                server.api_key,
                base_url=server.base_url,
                # The server is on this machine, so that looking often costs nobody anything.
                poll=PollPolicy(interval=0.1, latency_target=0.2),
            )
        )
        site_url = f"{site.url}/"
        _introduce(server, site_url, console)
        before = await session.account.get_balance()
        outcomes = await perform(session, site_url, console)
        after = await session.account.get_balance()
        summarize(outcomes, server.requests, before.cents - after.cents, console)
        code = _conclude(outcomes, server, console)
        if options.keep:
            await _keep(server, console)
    return code


def _introduce(server: LocalServer, site_url: str, console: Console) -> None:
    console.say("server   ", (server.base_url, Style.LINK), f"  ({server.executor.name})")
    console.say("website  ", (site_url, Style.LINK))
    console.say()
    for part in PARTS:
        console.say((f"{part.name:<11}", Style.STRONG), part.about)
    console.say()


def _conclude(outcomes: list[Outcome], server: LocalServer, console: Console) -> ExitCode:
    is_good = all(outcome.problem is None for outcome in outcomes)
    console.say()
    console.say(("Where to look next", Style.STRONG))
    for about, place in _NEXT:
        console.say(f"  {about:<22}", (place, Style.STRONG))
    if not console.results_are_read_by_people:
        parts = [_report(outcome) for outcome in outcomes]
        console.emit({"ok": is_good, "parts": parts, "requests": dict(server.requests)})
    return ExitCode.FINISHED if is_good else ExitCode.TASK_FAILED


def _report(outcome: Outcome) -> dict[str, object]:
    is_good = outcome.problem is None
    return {
        "name": outcome.part.name,
        "ok": is_good,
        "seconds": round(outcome.seconds, 2),
        "result": " ".join(shown(outcome.result)) if is_good else outcome.problem,
    }


async def _keep(server: LocalServer, console: Console) -> None:
    console.say()
    console.say("The live pages stay at ", (f"{server.url}/", Style.LINK), "; Ctrl-C ends it")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return
