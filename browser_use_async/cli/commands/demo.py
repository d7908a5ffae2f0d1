"""`demo`: five tasks with the SDK and the bundled server, without a key and a network.

The tasks are written for any site, not for the pages of the example site.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any, cast
from urllib.parse import urlsplit

import attrs
import click

from browser_use_async import BrowserUseSession, PollPolicy, TaskHandle
from browser_use_async.cli.command import command
from browser_use_async.cli.console import Console
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.options import option
from browser_use_async.cli.progress import TaskProgress
from browser_use_async.cli.screen import Span, Style
from browser_use_async.errors import BrowserUseError, ConfigurationError, TaskFailedError
from browser_use_async.prices import format_cents
from browser_use_async.server import ChromiumSettings, LocalServer
from browser_use_async.server.executors.choice import choose_executor, has_browser, without_model
from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from browser_use_async.server.records import Assignment, Failed, Finished, Step

_PAUSE_SECONDS = 1.0
_PAGES = 3

_COLOURS = (Style.CYAN, Style.GOOD, Style.WAITING, Style.MAGENTA, Style.BLUE)
_NEXT = (
    ("a task of yours", 'browser-use-async run --local "Open https://example.com"'),
    ("a search", 'browser-use-async search "opening hours" --local'),
    ("programs of your own", "browser-use-async serve --example-site"),
    ("the live pages", "browser-use-async demo --keep"),
    ("this machine", "browser-use-async doctor --local"),
    ("everything else", "browser-use-async --help"),
)


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


# The name is printed with the text of a failed task.
class UnexpectedError(Exception):
    """A demo task did not go as expected; the text says how."""


@attrs.frozen
class _Context:
    """The context of a demo task."""

    session: BrowserUseSession  # the session that all tasks share
    site_url: str  # the site's first page
    front_page: "asyncio.Future[FrontPage]"  # what the structured task reads
    # Starts to show a task on the terminal; every demo task calls it with its handle
    show: Callable[[TaskHandle], None]
    info: Callable[[str], None]  # writes a line among the steps of this task

    async def inner_links(self) -> list[Link]:
        """The first links of the front page that lead to other pages of its site."""
        found: dict[str, Link] = {}
        # Shielded: a task that stops waiting must not cancel the wait of another.
        for link in (await asyncio.shield(self.front_page)).links:
            url = urlsplit(link.url)
            # A link back to the front page shows nothing new.
            is_front_page = PurePosixPath(url.path).stem in {"", "index"}
            if url.netloc == urlsplit(self.site_url).netloc and link.text and not is_front_page:
                found.setdefault(url.path, link)
        if not found:
            raise UnexpectedError(f"{self.site_url} has no link to another page of its own")
        return list(found.values())[:_PAGES]


async def _question(context: _Context) -> str | None:
    task = await context.session.run_and_wait(
        f"Open {context.site_url} and tell me its title", on_created=context.show
    )
    return task.output


async def _read_into_a_dataclass(context: _Context) -> FrontPage:
    """The task gets the JSON schema of a dataclass, and an instance comes back."""
    try:
        task = await context.session.run_and_wait(
            f"Open {context.site_url} and extract its title, its description and its links",
            output_type=FrontPage,
            on_created=context.show,
        )
    except BrowserUseError:
        missing = UnexpectedError("it needs the result of 'dataclass', and there is none")
        context.front_page.set_exception(missing)
        raise
    context.front_page.set_result(task.parsed)
    return task.parsed


async def _pause_and_resume(context: _Context) -> str | None:
    """Submit now, wait later; in between, the handle pauses and resumes the task."""
    pages = " and ".join(link.url for link in await context.inner_links())
    handle = await context.session.submit(f"Open {pages} and tell me their titles")
    context.show(handle)
    await anext(handle.stream_steps(), None)  # wait until the task has taken its first step
    await handle.pause()
    before = await context.session.tasks.get(handle.id)
    await asyncio.sleep(_PAUSE_SECONDS)
    after = await context.session.tasks.get(handle.id)
    if after.status != "paused" or len(after.steps) != len(before.steps):
        raise UnexpectedError(f"it went on while it was paused, and is {after.status}")
    context.info(f"no step was taken for {_PAUSE_SECONDS:g} s; now it goes on")
    await handle.resume()
    return (await handle.wait()).output


async def _fail(context: _Context) -> str:
    """A task that may not open its page; the error has the task."""
    try:
        await context.session.run_and_wait(
            f"Open {context.site_url} and list its links",
            allowed_domains=["somewhere-else.example"],
            on_created=context.show,
        )
    except TaskFailedError as error:
        return f"{type(error).__name__}: {error}"
    raise UnexpectedError("it visited a domain that it was not allowed to")


async def _follow_a_link(context: _Context) -> str | None:
    """A task made from the result of another one."""
    link = (await context.inner_links())[0]
    task = await context.session.run_and_wait(
        f'Open {context.site_url}, click the link "{link.text}" and tell me the title of the page',
        on_created=context.show,
    )
    return task.output


@attrs.frozen
class _Part:
    name: str  # one word, the prefix of its lines
    about: str  # what it shows
    run: Callable[[_Context], Awaitable[object]]  # runs it and returns its result


_PARTS = (
    _Part("question", "a question in words", _question),
    _Part("dataclass", "the answer as an instance of a dataclass", _read_into_a_dataclass),
    _Part("pause", "paused for a moment, then resumed", _pause_and_resume),
    _Part("failure", "sent to a domain that it may not visit, so it must fail", _fail),
    _Part("link", "follows a link that another task has found", _follow_a_link),
)
_COLUMN = max(len(part.name) for part in _PARTS) + 2


@attrs.frozen
class _Outcome:
    name: str
    is_good: bool
    seconds: float
    lines: list[str]  # its result, or what went wrong


async def _run_all(session: BrowserUseSession, site_url: str, console: Console) -> list[_Outcome]:
    """Run all parts concurrently, and show their steps."""
    loop = asyncio.get_running_loop()
    front_page: asyncio.Future[FrontPage] = loop.create_future()

    async def run(part: _Part, prefix: Span) -> _Outcome:
        def info(text: str) -> None:
            console.info(prefix, text)

        began, is_good = loop.time(), True
        try:
            async with TaskProgress(console, prefix=(prefix,), spinning=False) as progress:
                context = _Context(session, site_url, front_page, progress.follow, info)
                lines = _lines(await part.run(context))
        except (BrowserUseError, UnexpectedError) as error:
            lines, is_good = [f"{type(error).__name__}: {error}"], False
        seconds = loop.time() - began
        verdict: Span = ("as expected", Style.GOOD) if is_good else ("failed", Style.BAD)
        console.info(prefix, verdict, f" after {seconds:.1f} s")
        return _Outcome(part.name, is_good, seconds, lines)

    with console.status("five tasks are under way, over one session"):
        async with asyncio.TaskGroup() as group:
            works = [
                group.create_task(
                    run(part, (part.name.ljust(_COLUMN), colour)),
                    name=f"browser-use: waits for the demo {part.name}",
                )
                for part, colour in zip(_PARTS, _COLOURS, strict=True)
            ]
    return [work.result() for work in works]


def _lines(result: object) -> list[str]:
    if not isinstance(result, FrontPage):
        return str(result).splitlines() or ["(nothing)"]
    others = len(result.links) - 1
    return [
        f"{type(result).__name__}(title={result.title!r},",
        f"description={result.description!r},",
        f"links=[{result.links[0]!r}, and {others} more])",
    ]


@command(
    "demo",
    option("--keep", "keep the server open afterwards, until Ctrl-C"),
    option(
        "--site FOLDER",
        "a folder with your own pages, instead of the example site",
        type=click.Path(path_type=Path),
    ),
    connects=False,
    examples=("demo", "demo --keep"),
)
async def demo(console: Console, keep: bool, site: Path | None) -> ExitCode:
    """Show what the package does, without a key and without a network."""
    folder = site or example_site_directory()
    if not (folder / "index.html").is_file():
        raise ConfigurationError(f"{folder} has no index.html; --site takes a folder of pages")
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(StaticSite(folder))
        site_url = f"{served.url}/"
        chromium = ChromiumSettings(allow_private_addresses=[site_url])
        executor = await _executor(chromium, console)
        stack.push_async_callback(executor.aclose)
        server = await stack.enter_async_context(LocalServer(executor=executor))
        session = await stack.enter_async_context(
            BrowserUseSession(
                server.api_key,
                base_url=server.base_url,
                # The server is on this machine, so short polling intervals cost nothing.
                poll=PollPolicy(interval=0.1, latency_target=0.2),
            )
        )
        _introduce(server, site_url, console)
        before = await session.account.get_balance()
        outcomes = await _run_all(session, site_url, console)
        after = await session.account.get_balance()
        _summarize(outcomes, server, before.cents - after.cents, console)
        if keep:
            console.info()
            url = f"{server.url}/"
            console.info("The live pages stay at ", (url, Style.LINK), "; Ctrl-C ends it")
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
    is_good = all(outcome.is_good for outcome in outcomes)
    return ExitCode.FINISHED if is_good else ExitCode.TASK_FAILED


def _introduce(server: LocalServer, site_url: str, console: Console) -> None:
    console.info("server   ", (server.base_url, Style.LINK), f"  ({server.executor.name})")
    console.info("website  ", (site_url, Style.LINK))
    console.info()
    for part in _PARTS:
        console.info((f"{part.name:<11}", Style.STRONG), part.about)
    console.info()


def _summarize(
    outcomes: Sequence[_Outcome], server: LocalServer, cents: Decimal, console: Console
) -> None:
    """Print the results, the cost, and where to look next."""
    console.info()
    console.info(("Results", Style.STRONG))
    for each in outcomes:
        verdict: Span = ("ok      ", Style.GOOD) if each.is_good else ("failed  ", Style.BAD)
        seconds = f"{each.seconds:4.1f} s  "
        prefix = [(each.name.ljust(_COLUMN), Style.STRONG), verdict, (seconds, Style.FAINT)]
        console.labelled(prefix, each.lines[0])
        indent = " " * (_COLUMN + len(verdict[0]) + len(seconds))
        for line in each.lines[1:]:
            console.labelled([indent], line)
    console.info()
    requests = server.requests
    costs = ", ".join(f"{count} {name}" for name, count in requests.most_common())
    console.labelled(
        [("Cost  ", Style.STRONG)], f"{requests.total()} requests to the server: {costs}"
    )
    price = f"{format_cents(cents)} by the published prices of the hosted service; here, nothing"
    console.labelled(["      "], price)
    console.info()
    console.info(("Where to look next", Style.STRONG))
    for about, place in _NEXT:
        console.info(f"  {about:<22}", (place, Style.STRONG))
    if not console.shows_text:
        parts = [
            {
                "name": each.name,
                "ok": each.is_good,
                "seconds": round(each.seconds, 2),
                "result": " ".join(each.lines),
            }
            for each in outcomes
        ]
        is_good = all(each.is_good for each in outcomes)
        console.result({"ok": is_good, "parts": parts, "requests": dict(requests)})


# --- the executor ------------------------------------------------------------------------------


async def _executor(chromium: ChromiumSettings, console: Console) -> Executor:
    """The executor of a server without a model. A browser that does not start is left out."""
    if has_browser(without_model(chromium)):
        # Imported here: both need Playwright.
        from browser_use_async.server.executors.browser.executor import ChromiumExecutor  # noqa: PLC0415
        from browser_use_async.server.executors.browser.launch import BrowserNotStartedError  # noqa: PLC0415

        executor = ChromiumExecutor(chromium)
        try:
            await executor.pool.start()
        except BrowserNotStartedError as error:
            await executor.aclose()
            console.info(
                ("note: ", Style.WAITING),
                f"the pages are read without a browser, because it did not start: {error}",
            )
        else:
            return executor
    return _SlowExecutor(choose_executor("plain", chromium))


_STEP_SECONDS = 0.6


class _SlowExecutor(Executor):
    """Wraps an executor and pauses after each step, so that people can follow it."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.name = executor.name

    async def run(
        self, assignment: Assignment, control: Control
    ) -> AsyncIterator[Step | Finished | Failed]:
        """Run one task."""
        items = cast("Any", self._executor.run(assignment, control))
        # Closed when the task is stopped between two steps, so that the executor cleans up at once.
        async with aclosing(items):
            async for item in items:
                yield item
                await asyncio.sleep(_STEP_SECONDS)

    async def aclose(self) -> None:
        """Close the wrapped executor."""
        await self._executor.aclose()
