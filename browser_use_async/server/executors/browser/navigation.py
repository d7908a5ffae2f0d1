"""What came of an action: another page, another window, a download, an error."""

import asyncio
import contextlib
from http import HTTPStatus

from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.launch import PageLostError
from browser_use_async.server.executors.browser.page import Document, TaskPage
from browser_use_async.server.executors.step_limiter import CannotContinueError
from browser_use_async.server.html.document import (
    UnreadableDocumentError,
    read_document,
    type_of_file,
)
from browser_use_async.server.html.page import Page
from browser_use_async.server.html.visit import PageNotOpenedError

_BEGIN_SECONDS = 1.0
_ERRORS = {
    "ERR_CERT": "its certificate is not trusted",
    "ERR_SSL": "it does not speak proper TLS",
    "ERR_TOO_MANY_REDIRECTS": "it redirects in a circle",
    "ERR_UNSAFE_REDIRECT": "it redirects to what is no web page",
    "ERR_EMPTY_RESPONSE": "it answered nothing",
    "ERR_TIMED_OUT": "it did not answer in time",
    "ERR_CONNECTION": "the connection broke off before an answer came",
    "ERR_UNSAFE_PORT": "browsers open no pages at that port",
    "ERR_ABORTED": "it answered with nothing to show",
}


class Navigation:
    """Finds out what came of actions in the pages of a task."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context

    def before(self, page: TaskPage) -> Document:
        """Note where a page is before an action, for `after`."""
        self._context.downloads.expect()
        return page.document

    async def after(self, page: TaskPage, before: Document) -> Page | None:
        """Wait for what comes of an action; what was downloaded, if that is it."""
        try:
            await page.wait_for_rest()
        except PageLostError:
            if await self._context.current() is page:
                raise  # it has crashed; one that has closed itself is not current any more
        now = await self._context.current()
        if now is not page:
            await _begin(now)
            await now.wait_for_rest()
            return await self.result(now)
        return await self.result(page, before)

    async def result(self, page: TaskPage, before: Document | None = None) -> Page | None:
        """What was downloaded, if that is what a page has come to; a document as before is good."""
        downloads = self._context.downloads
        # A page is given up for a file, and told of that before or after the file.
        is_given_up = page.document is not before and page.is_given_up
        if downloads.is_expected or (is_given_up and await downloads.begun()):
            await downloads.finish()
            self.check_downloads()
            return await self._downloaded()
        if page.document is not before and page.document.url.startswith(("http:", "https:")):
            _check(page.document, self._context.gateway.problem(page.document.url))
        return None

    def check_downloads(self) -> None:
        """Make sure that what was to be downloaded has arrived."""
        problems = self._context.downloads.take_problems()
        if problems:
            raise CannotContinueError(f"{problems[0]}.")

    async def _downloaded(self) -> Page:
        latest = self._context.downloads.latest
        name, url = latest if latest is not None else ("", "")
        content = self._context.downloads.files[name]
        try:
            return await read_document(url, type_of_file(name), content)
        except UnreadableDocumentError:
            return Page(url, name, text=f"{name}, {len(content):,} bytes")


async def _begin(page: TaskPage) -> None:
    """Wait until a new window asks for its page, which it does right away if it ever does."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_BEGIN_SECONDS):
            await page.asked.wait()


def _check(document: Document, problem: str | None) -> None:
    url = document.url
    # The gateway's own answers look like the site's, so what it knows comes first.
    if problem is not None and (document.error or document.status in {0, 403, 502}):
        is_refused = "allowed domains" in problem
        raise PageNotOpenedError(
            problem if is_refused else f"{url} could not be opened: {problem}", url
        )
    if document.error:
        code = document.error.removeprefix("net::")
        words = next((text for start, text in _ERRORS.items() if code.startswith(start)), code)
        raise PageNotOpenedError(f"{url} could not be opened: {words}.", url)
    if document.status >= 400:
        raise PageNotOpenedError(f"{url} answered {_status(document.status)}.", url)


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
