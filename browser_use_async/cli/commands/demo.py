"""The executor of the demo: it reads the site slowly, or plays scenarios where nothing can read."""

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
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.choice import choose_executor
from browser_use_async.server.executors.protocol import Control, Executor
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor, ScriptedStep
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from browser_use_async.server.static_site import StaticSite, example_site_directory

_STEP_SECONDS = 0.6
# What the scenarios say of the example site.
_TITLE = "Tern & Tide Bicycles"
_SERVICE, _BICYCLES = ("Service plans", "pricing.html"), ("Bicycles", "products.html")


def demo_executor(site_url: str, console: Console, *, is_own_site: bool) -> Executor:
    """The one that reads the site; without what it needs, one that plays the same tasks."""
    try:
        executor = choose_executor("reader")
    except ConfigurationError as error:
        if is_own_site:  # there is no recording of these pages
            raise
        console.info("Here the tasks are played, and no page is read. ", str(error))
        console.info()
        executor = _played_demo(site_url)
    return _SlowExecutor(executor)


class _SlowExecutor(Executor):
    """Wraps an executor and pauses after each step, so that the demo can be followed."""

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


def _played_demo(site_url: str) -> ScriptedExecutor:
    """The executor that plays what the reader would find on the example site."""
    opened = ScriptedStep(f"played: open {site_url}", url=site_url, text=_TITLE)
    answered = ScriptedStep("Compose the answer", url=site_url, text=_TITLE)
    links = [{"text": text, "url": f"{site_url}{name}"} for text, name in (_SERVICE, _BICYCLES)]
    titles = "\n".join(f"{each['text']} | {_TITLE} ({each['url']})" for each in links)
    both = [ScriptedStep(f"played: open {each['url']}", url=each["url"]) for each in links]
    refused = f"played: {site_url} is outside the allowed domains of this task"
    return ScriptedExecutor(
        {
            "tell me its title": Scenario([opened, answered], output=_TITLE),
            "extract its title": Scenario(
                [opened, answered],
                output={"title": _TITLE, "description": "A harbour workshop.", "links": links},
            ),
            "tell me their titles": Scenario([*both, answered], output=titles),
            "list its links": Scenario([], outcome="failed", reason=refused),
            "click the link": Scenario(
                [opened, both[0], answered], output=f"{_SERVICE[0]} | {_TITLE}"
            ),
        }
    )


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
class Context:
    """The context of a demo task."""

    session: BrowserUseSession  # the session that all tasks share
    site_url: str  # the site's first page
    # Waits for the front page that the structured task reads
    front_page: Callable[[], Awaitable[FrontPage]]
    # Starts to show a task on the terminal; every demo task calls it with its handle
    show: Callable[[TaskHandle], None]
    info: Callable[[str], None]  # writes a line among the steps of this task


@attrs.frozen
class DemoTask:
    """One task of the demo."""

    name: str  # one word, the prefix of its lines
    about: str  # what it shows
    run: Callable[[Context], Awaitable[object]]  # runs it and returns its result


async def _question(context: Context) -> str | None:
    """A question in words, an answer in words."""
    task = await context.session.run_and_wait(
        f"Open {context.site_url} and tell me its title", on_created=context.show
    )
    return task.output


async def _read_into_a_dataclass(context: Context) -> FrontPage:
    """The task gets the JSON schema of a dataclass, and an instance comes back."""
    task = await context.session.run_and_wait(
        f"Open {context.site_url} and extract its title, its description and its links",
        output_type=FrontPage,
        on_created=context.show,
    )
    return task.parsed


async def _pause_and_resume(context: Context) -> str | None:
    """Submit now, wait later; in between, the handle pauses and resumes the task."""
    links = _inner_links(await context.front_page(), context.site_url)
    pages = " and ".join(link.url for link in links)
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


async def _fail(context: Context) -> str:
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


async def _follow_a_link(context: Context) -> str | None:
    """A task made from the result of another one."""
    link = _inner_links(await context.front_page(), context.site_url)[0]
    task = await context.session.run_and_wait(
        f'Open {context.site_url}, click the link "{link.text}" and tell me the title of the page',
        on_created=context.show,
    )
    return task.output


def _inner_links(page: FrontPage, site_url: str) -> Sequence[Link]:
    """The first links of a page that lead to other pages of its site."""
    found: dict[str, Link] = {}
    for link in page.links:
        url = urlsplit(link.url)
        # A link back to the front page shows nothing new.
        is_front_page = PurePosixPath(url.path).stem in {"", "index"}
        if url.netloc == urlsplit(site_url).netloc and link.text and not is_front_page:
            found.setdefault(url.path, link)
    if not found:
        raise UnexpectedError(f"{site_url} has no link to another page of its own")
    return list(found.values())[:_PAGES]


FRONT_PAGE = DemoTask(
    "dataclass", "the answer as an instance of a dataclass", _read_into_a_dataclass
)
DEMO_TASKS = (
    DemoTask("question", "a question in words", _question),
    FRONT_PAGE,
    DemoTask("pause", "paused for a moment, then resumed", _pause_and_resume),
    DemoTask("failure", "sent to a domain that it may not visit, so it must fail", _fail),
    DemoTask("link", "follows a link that another task has found", _follow_a_link),
)


_COLUMN = max(len(part.name) for part in DEMO_TASKS) + 2


@attrs.frozen
class DemoResult:
    """The result of one demo task."""

    part: DemoTask
    seconds: float  # its duration
    result: object = None  # what it returned
    problem: str | None = None  # what went wrong, or None


async def run_demo_tasks(
    session: BrowserUseSession, site_url: str, console: Console
) -> list[DemoResult]:
    """Run all demo tasks concurrently, and show their steps."""
    works: dict[str, asyncio.Task[DemoResult]] = {}

    async def front_page() -> FrontPage:
        # Shielded: a task that stops waiting must not cancel the one that it waits for.
        outcome = await asyncio.shield(works[FRONT_PAGE.name])
        if not isinstance(outcome.result, FrontPage):
            raise UnexpectedError(f"it needs the result of {FRONT_PAGE.name!r}, and there is none")
        return outcome.result

    def context(progress: TaskProgress, prefix: Span) -> Context:
        def info(text: str) -> None:
            console.info(prefix, text)

        return Context(session, site_url, front_page, progress.follow, info)

    async def run_one(part: DemoTask, prefix: Span) -> DemoResult:
        began = asyncio.get_running_loop().time()
        problem, result = None, None
        try:
            async with TaskProgress(console, prefix=(prefix,), spinning=False) as progress:
                result = await part.run(context(progress, prefix))
        except (BrowserUseError, UnexpectedError) as error:
            problem = f"{type(error).__name__}: {error}"
        seconds = asyncio.get_running_loop().time() - began
        verdict: Span = ("as expected", Style.GOOD) if problem is None else ("failed", Style.BAD)
        console.info(prefix, verdict, f" after {seconds:.1f} s")
        return DemoResult(part, seconds, result, problem)

    with console.status("five tasks are under way, over one session"):
        async with asyncio.TaskGroup() as group:
            for part, colour in zip(DEMO_TASKS, _COLOURS, strict=True):
                prefix = (part.name.ljust(_COLUMN), colour)
                works[part.name] = group.create_task(
                    run_one(part, prefix), name=f"browser-use: waits for the demo {part.name}"
                )
    return [work.result() for work in works.values()]


def print_summary(
    outcomes: Sequence[DemoResult], requests: "Counter[str]", cents: Decimal, console: Console
) -> None:
    """Print the results and the cost."""
    console.info()
    console.info(("Results", Style.STRONG))
    for outcome in outcomes:
        good = outcome.problem is None
        verdict: Span = ("ok      ", Style.GOOD) if good else ("failed  ", Style.BAD)
        prefix: list[Span] = [(outcome.part.name.ljust(_COLUMN), Style.STRONG), verdict]
        seconds = f"{outcome.seconds:4.1f} s  "
        lines = format_result(outcome.result) if good else [str(outcome.problem)]
        console.labelled([*prefix, (seconds, Style.FAINT)], lines[0])
        indent = " " * (_COLUMN + len(verdict[0]) + len(seconds))
        for line in lines[1:]:
            console.labelled([indent], line)
    console.info()
    costs = ", ".join(f"{count} {name}" for name, count in requests.most_common())
    console.labelled(
        [("Cost  ", Style.STRONG)], f"{requests.total()} requests to the server: {costs}"
    )
    price = f"{format_cents(cents)} by the published prices of the hosted service; here, nothing"
    console.labelled(["      "], price)


def format_result(result: object) -> list[str]:
    """The result of a demo task as lines of text."""
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
        executor = demo_executor(site_url, console, is_own_site=site is not None)
        server = await stack.enter_async_context(LocalServer(executor=executor))
        session = await stack.enter_async_context(
            BrowserUseSession(
                server.api_key,
                base_url=server.base_url,
                # The server is on this machine, so short polling intervals cost nothing.
                poll=PollPolicy(interval=0.1, latency_target=0.2),
            )
        )
        _print_introduction(server, site_url, console)
        before = await session.account.get_balance()
        outcomes = await run_demo_tasks(session, site_url, console)
        after = await session.account.get_balance()
        print_summary(outcomes, server.requests, before.cents - after.cents, console)
        code = _print_conclusion(outcomes, server, console)
        if keep:
            await _serve_until_cancelled(server, console)
    return code


def _print_introduction(server: LocalServer, site_url: str, console: Console) -> None:
    console.info("server   ", (server.base_url, Style.LINK), f"  ({server.executor.name})")
    console.info("website  ", (site_url, Style.LINK))
    console.info()
    for part in DEMO_TASKS:
        console.info((f"{part.name:<11}", Style.STRONG), part.about)
    console.info()


def _print_conclusion(
    outcomes: list[DemoResult], server: LocalServer, console: Console
) -> ExitCode:
    is_good = all(outcome.problem is None for outcome in outcomes)
    console.info()
    console.info(("Where to look next", Style.STRONG))
    for about, place in _NEXT:
        console.info(f"  {about:<22}", (place, Style.STRONG))
    if not console.shows_text:
        parts = [_report(outcome) for outcome in outcomes]
        console.result({"ok": is_good, "parts": parts, "requests": dict(server.requests)})
    return ExitCode.FINISHED if is_good else ExitCode.TASK_FAILED


def _report(outcome: DemoResult) -> dict[str, object]:
    is_good = outcome.problem is None
    return {
        "name": outcome.part.name,
        "ok": is_good,
        "seconds": round(outcome.seconds, 2),
        "result": " ".join(format_result(outcome.result)) if is_good else outcome.problem,
    }


async def _serve_until_cancelled(server: LocalServer, console: Console) -> None:
    console.info()
    console.info("The live pages stay at ", (f"{server.url}/", Style.LINK), "; Ctrl-C ends it")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return
