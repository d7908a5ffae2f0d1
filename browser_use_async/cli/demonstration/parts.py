"""The tasks of the demo. Each is written as a program of one's own would write it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import attrs

from browser_use_async import BrowserUseSession, TaskHandle
from browser_use_async.errors import TaskFailedError

__all__ = ["FRONT_PAGE", "PARTS", "FrontPage", "Guide", "Link", "Part", "UnexpectedError"]

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
