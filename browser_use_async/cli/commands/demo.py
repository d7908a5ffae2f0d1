"""`demo`: five tasks over the SDK against the bundled server, without a key and a network.

It knows no page of the site that it is shown with.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, cast
from urllib.parse import urlsplit

import attrs

from browser_use_async import BrowserUseSession, PollPolicy, TaskHandle
from browser_use_async.cli.console import Console, Span, Style
from browser_use_async.cli.exit_codes import ExitCode
from browser_use_async.cli.progress import Progress
from browser_use_async.errors import BrowserUseError, ConfigurationError, TaskFailedError
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.choice import choose_executor
from browser_use_async.server.executors.protocol import (
    Assignment,
    Control,
    Executor,
    Failed,
    Finished,
    Step,
)
from browser_use_async.server.static_site import StaticSite, example_site_directory

__all__ = [
    "FRONT_PAGE",
    "PARTS",
    "FrontPage",
    "Guide",
    "Link",
    "Outcome",
    "Part",
    "UnexpectedError",
    "Unhurried",
    "configure",
    "execute",
    "perform",
    "shown",
    "summarize",
]

_PAUSE_SECONDS = 1.0
_PAGES = 3


@dataclass
class Link:
    """A link of a page."""

    text: str
    url: str


@dataclass
class FrontPage:
    """The first page of a web site."""

    title: str
    links: list[Link]
    description: str | None = None


class UnexpectedError(Exception):
    """A part of the demo went otherwise than it should. Its text says how."""


@attrs.frozen
class Guide:
    """What a part of the demo has at hand."""

    session: BrowserUseSession  # the session that all parts share
    site_url: str  # the site's first page
    # What the structured part has read there, once it has
    front_page: Callable[[], Awaitable[FrontPage]]
    # Shows a task on the terminal from now on; every part calls it with its handle
    show: Callable[[TaskHandle], None]
    say: Callable[[str], None]  # writes a line among the steps of this part


@attrs.frozen
class Part:
    """One task of the demo."""

    name: str  # one word, which stands in front of its lines
    about: str  # what it shows
    run: Callable[[Guide], Awaitable[object]]  # carries it out and gives its result


async def _ask(guide: Guide) -> str | None:
    """A question in words, an answer in words."""
    task = await guide.session.run_and_wait(
        f"Open {guide.site_url} and tell me its title", on_created=guide.show
    )
    return task.output


async def _read_into_a_dataclass(guide: Guide) -> FrontPage:
    """The JSON schema of a dataclass goes with the task, and an instance comes back."""
    task = await guide.session.run_and_wait(
        f"Open {guide.site_url} and extract its title, its description and its links",
        output_type=FrontPage,
        on_created=guide.show,
    )
    return task.parsed


async def _pause_and_resume(guide: Guide) -> str | None:
    """Submit now, wait later: in between, the handle steers the task."""
    links = _inner_links(await guide.front_page(), guide.site_url)
    pages = " and ".join(link.url for link in links)
    handle = await guide.session.submit(f"Open {pages} and tell me their titles")
    guide.show(handle)
    await anext(handle.stream_steps(), None)  # the first step was taken: it is under way
    await handle.pause()
    before = await guide.session.tasks.get(handle.id)
    await asyncio.sleep(_PAUSE_SECONDS)
    after = await guide.session.tasks.get(handle.id)
    if after.status != "paused" or len(after.steps) != len(before.steps):
        raise UnexpectedError(f"it went on while it was paused, and is {after.status}")
    guide.say(f"no step was taken for {_PAUSE_SECONDS:g} s; now it goes on")
    await handle.resume()
    return (await handle.wait()).output


async def _fail(guide: Guide) -> str:
    """A task that must not go where it is sent; the error carries the whole task."""
    try:
        await guide.session.run_and_wait(
            f"Open {guide.site_url} and tell me its title",
            allowed_domains=["somewhere-else.example"],
            on_created=guide.show,
        )
    except TaskFailedError as error:
        return f"{type(error).__name__}: {error}"
    raise UnexpectedError("it visited a domain that it was not allowed to")


async def _follow_a_link(guide: Guide) -> str | None:
    """A task made from the result of another one."""
    link = _inner_links(await guide.front_page(), guide.site_url)[0]
    task = await guide.session.run_and_wait(
        f'Open {guide.site_url}, click the link "{link.text}" and tell me the title of the page',
        on_created=guide.show,
    )
    return task.output


def _inner_links(page: FrontPage, site_url: str) -> Sequence[Link]:
    """The first links of a page that lead to other pages of its site."""
    found: dict[str, Link] = {}
    for link in page.links:
        url = urlsplit(link.url)
        is_front_page = PurePosixPath(url.path).stem in {"", "index"}
        if url.netloc == urlsplit(site_url).netloc and link.text and not is_front_page:
            found.setdefault(url.path, link)
    if not found:
        raise UnexpectedError(f"{site_url} has no link to another page of its own")
    return list(found.values())[:_PAGES]


FRONT_PAGE = Part("dataclass", "the answer as an instance of a dataclass", _read_into_a_dataclass)
PARTS = (
    Part("question", "a question in words", _ask),
    FRONT_PAGE,
    Part("pause", "paused for a moment, then resumed", _pause_and_resume),
    Part("failure", "sent to a domain that it may not visit, so it must fail", _fail),
    Part("link", "follows a link that another task has found", _follow_a_link),
)


class Unhurried:
    """Does what another executor does, with a pause after each step."""

    def __init__(self, executor: Executor, seconds: float) -> None:
        self._executor = executor
        self._seconds = seconds
        self.name = executor.name

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Carry out one task."""
        items = cast("Any", self._executor.run(assignment, control))
        async with aclosing(items):
            async for item in items:
                yield item
                await asyncio.sleep(self._seconds)

    async def aclose(self) -> None:
        """Release what the other executor holds."""
        await self._executor.aclose()


_COLOURS = (Style.CYAN, Style.GOOD, Style.WAITING, Style.MAGENTA, Style.BLUE)
_COLUMN = max(len(part.name) for part in PARTS) + 2


@attrs.frozen
class Outcome:
    """How one part went."""

    part: Part
    seconds: float  # how long it took
    result: object = None  # what it gave
    problem: str | None = None  # what went otherwise than it should, or None


async def perform(session: BrowserUseSession, site_url: str, console: Console) -> list[Outcome]:
    """Run all parts at once, and show their steps as they come."""
    works: dict[str, asyncio.Task[Outcome]] = {}

    async def front_page() -> FrontPage:
        outcome = await asyncio.shield(works[FRONT_PAGE.name])
        if not isinstance(outcome.result, FrontPage):
            raise UnexpectedError(f"it needs the result of {FRONT_PAGE.name!r}, and there is none")
        return outcome.result

    def guide(progress: Progress, prefix: Span) -> Guide:
        def say(text: str) -> None:
            console.say(prefix, text)

        return Guide(session, site_url, front_page, progress.follow, say)

    async def play(part: Part, prefix: Span) -> Outcome:
        began = asyncio.get_running_loop().time()
        problem, result = None, None
        try:
            async with Progress(console, prefix=(prefix,), spinning=False) as progress:
                result = await part.run(guide(progress, prefix))
        except (BrowserUseError, UnexpectedError) as error:
            problem = f"{type(error).__name__}: {error}"
        seconds = asyncio.get_running_loop().time() - began
        verdict: Span = ("as expected", Style.GOOD) if problem is None else ("failed", Style.BAD)
        console.say(prefix, verdict, f" after {seconds:.1f} s")
        return Outcome(part, seconds, result, problem)

    with console.working("five tasks are under way, over one session"):
        async with asyncio.TaskGroup() as group:
            for part, colour in zip(PARTS, _COLOURS, strict=True):
                prefix = (part.name.ljust(_COLUMN), colour)
                works[part.name] = group.create_task(play(part, prefix))
    return [work.result() for work in works.values()]


def summarize(
    outcomes: Sequence[Outcome], requests: "Counter[str]", cents: Decimal, console: Console
) -> None:
    """Tell how the parts went, and what they cost."""
    console.say()
    console.say(("Results", Style.STRONG))
    for outcome in outcomes:
        good = outcome.problem is None
        verdict: Span = ("ok      ", Style.GOOD) if good else ("failed  ", Style.BAD)
        prefix: list[Span] = [(outcome.part.name.ljust(_COLUMN), Style.STRONG), verdict]
        seconds = f"{outcome.seconds:4.1f} s  "
        lines = shown(outcome.result) if good else [str(outcome.problem)]
        console.item([*prefix, (seconds, Style.FAINT)], lines[0])
        indent = " " * (_COLUMN + len(verdict[0]) + len(seconds))
        for line in lines[1:]:
            console.item([indent], line)
    console.say()
    costs = ", ".join(f"{count} {name}" for name, count in requests.most_common())
    console.item([("Cost  ", Style.STRONG)], f"{requests.total()} requests to the server: {costs}")
    price = f"${cents / 100:.2f} by the published prices of the hosted service; here, nothing"
    console.item(["      "], price)


def shown(result: object) -> list[str]:
    """The result of a part in lines for a person."""
    if not isinstance(result, FrontPage):
        return str(result).splitlines() or ["(nothing)"]
    others = len(result.links) - 1
    return [
        f"{type(result).__name__}(title={result.title!r},",
        f"description={result.description!r},",
        f"links=[{result.links[0]!r}, and {others} more])",
    ]


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
