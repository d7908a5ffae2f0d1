"""Where a window has come to after a deed: another page, another window, a download, an error."""

import asyncio
import contextlib
from http import HTTPStatus

from browser_use_async.server.executors.chromium.connection import PageLostError
from browser_use_async.server.executors.chromium.context import TaskBrowser
from browser_use_async.server.executors.chromium.tab import Document, Tab
from browser_use_async.server.executors.pace import DeadEndError
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


class Arrivals:
    """Finds out what came of deeds.

    Args:
        browser: The task's browser.
    """

    def __init__(self, browser: TaskBrowser) -> None:
        self._browser = browser

    def before(self, tab: Tab) -> Document:
        """Remember where a window is before a deed.

        Args:
            tab: The window.
        """
        self._browser.downloads.expect()
        return tab.document

    async def after(self, tab: Tab, before: Document) -> Page | None:
        """Wait for what comes of a deed.

        Args:
            tab: The window in which it was done.
            before: What `before` gave.

        Returns:
            What was downloaded, if that came of it.

        Raises:
            DeadEndError: A download failed.
            PageNotOpenedError: It leads to a page that cannot be opened.
            DevToolsError: The page or the browser is gone or hangs.
        """
        try:
            await tab.settle()
        except PageLostError:
            if await self._browser.current() is tab:
                raise  # it has crashed; one that has closed itself is not current any more
        now = await self._browser.current()
        if now is not tab:
            await _begin(now)
            await now.settle()
            return await self.at(now)
        return await self.at(tab, before)

    async def at(self, tab: Tab, before: Document | None = None) -> Page | None:
        """Look at where a window has come to.

        Args:
            tab: The window.
            before: What it showed before; a document that has not changed is good.

        Returns:
            What was downloaded, if it has come to a file.

        Raises:
            DeadEndError: A download failed.
            PageNotOpenedError: The page could not be opened.
            DevToolsError: The page or the browser is gone or hangs.
        """
        downloads = self._browser.downloads
        # A page is given up for a file, and told of that before or after the file.
        is_given_up = tab.document is not before and tab.is_given_up
        if downloads.is_expected or (is_given_up and await downloads.begun()):
            await downloads.finish()
            self.check_downloads()
            return await self._downloaded()
        if tab.document is not before and tab.document.url.startswith(("http:", "https:")):
            _check(tab.document, self._browser.gateway.problem(tab.document.url))
        return None

    def check_downloads(self) -> None:
        """Make sure that what was to be downloaded has arrived.

        Raises:
            DeadEndError: It has not.
        """
        problems, self._browser.downloads.problems = self._browser.downloads.problems, []
        if problems:
            raise DeadEndError(f"{problems[0]}.")

    async def _downloaded(self) -> Page:
        latest = self._browser.downloads.latest
        name, url = latest if latest is not None else ("", "")
        content = self._browser.downloads.files[name]
        try:
            return await read_document(url, type_of_file(name), content)
        except UnreadableDocumentError:
            return Page(url, name, text=f"{name}, {len(content):,} bytes")


async def _begin(tab: Tab) -> None:
    """Wait until a new window asks for its page, which it does right away if it ever does."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_BEGIN_SECONDS):
            await tab.asked.wait()


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
