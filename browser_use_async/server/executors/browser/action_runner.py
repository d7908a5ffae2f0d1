"""The actions of a plan on the pages of a task, and their results."""

import asyncio
import contextlib
import mimetypes

import attrs
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import FilePayload

from browser_use_async.server.executors.browser import elements, launch
from browser_use_async.server.executors.browser.context import TaskContext
from browser_use_async.server.executors.browser.elements import Element
from browser_use_async.server.executors.browser.locators import (
    SELECTORS,
    ElementNotFoundError,
    locate,
)
from browser_use_async.server.executors.browser.page import Document, TaskPage
from browser_use_async.server.executors.browser.page_description import snapshot_of
from browser_use_async.server.executors.instructions import actions
from browser_use_async.server.executors.protocol import CannotContinueError, Control
from browser_use_async.server.html.document import (
    MARKUP,
    UnreadableDocumentError,
    read_document,
    type_of_file,
)
from browser_use_async.server.html.page import Page
from browser_use_async.server.html.page_tree import PageNode
from browser_use_async.server.html.reading import page_of
from browser_use_async.server.html.visit import PageNotOpenedError, in_words
from browser_use_async.server.records import Assignment
from browser_use_async.server.secrets.one_time_codes import typed_text

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

# Downloads the target of a link, even if the browser would show it.
_SAVE = "element => element.closest('a[href]:not([download])')?.setAttribute('download', '')"
_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_CHOOSER_SECONDS = 3.0


async def _begin(page: TaskPage) -> None:
    """Wait until a new window requests its page, which happens at once or never."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_BEGIN_SECONDS):
            await page.asked.wait()


def _check(document: Document, problem: str | None) -> None:
    url = document.url
    # The proxy's own answers look like the site's, so its notes come first.
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
        raise PageNotOpenedError(f"{url} answered {in_words(document.status)}.", url)


@attrs.define(eq=False)
class ActionRunner:
    """Carries out actions on the current page of a task, and finds their results."""

    _context: TaskContext
    _assignment: Assignment
    _control: Control
    clicks_covered: bool = True  # whether to click on covered elements

    async def perform(  # noqa: C901, PLR0912 - one case for each action
        self, action: actions.Action, element: Element | None = None
    ) -> Page | None:
        """Carry out an action, with an element or the one that its words name.

        Returns what was downloaded, if anything.
        """
        page = await self._context.current()
        match action:
            case actions.OpenAddress(url):
                self._context.downloads.expect()
                await page.open(url)
                return await self._result(page)
            case actions.Click(phrase):
                return await self._click(page, element or await locate(page, "clickables", phrase))
            case actions.PressKey(key):
                return await self._press(page, key)
            case actions.Submit():
                return await self._submit(page)
            case actions.Download(phrase):
                await self._download(page, element or await locate(page, "clickables", phrase))
                return None
            case actions.WaitFor(text):
                await self._wait_for(text)
                return None
            case actions.Wait(seconds):
                await self._wait(seconds)
                return None
            case actions.Fill(field):
                await self._fill(page, action, element or await locate(page, "fields", field))
            case actions.Tick(phrase, on):
                element = element or await locate(page, "fields", phrase)
                await elements.check(page, element, on=on)
            case actions.Upload():
                await self._upload(page, action, element)
            case actions.Scroll(to):
                await page.ask("scroll", to)
            case actions.GoBack():
                await self._go_back(page)
            case _:
                raise TypeError(f"{action!r} is not done on a page")
        await page.wait_for_rest()
        return None

    async def element_of(self, action: actions.Action) -> Element | None:
        """The element that the words of an action name; None if it names none."""
        page = await self._context.current()
        match action:
            case actions.Click(phrase) | actions.Download(phrase):
                return await locate(page, "clickables", phrase)
            case actions.Fill(words) | actions.Tick(words):
                return await locate(page, "fields", words)
            case actions.Upload(_, words) if page.chooser is None or words:
                return await self._upload_field(page, words)
            case _:
                return None

    async def _click(self, page: TaskPage, element: Element) -> Page | None:
        before = self._before(page)
        await elements.click(page, element, covered=self.clicks_covered)
        return await self._after(page, before)

    async def _download(self, page: TaskPage, element: Element) -> None:
        await page.run(element.handle.evaluate(_SAVE), "a question to the page")
        self._context.downloads.expect()
        await elements.click(page, element, covered=self.clicks_covered)
        if not await self._context.downloads.begun():
            refused = self._context.gateway.notes.take_refusals()
            why = f": {refused[0]}" if refused else ""
            raise CannotContinueError(
                f"No download came of “{element.name}” on {page.document.url}{why}."
            )
        await self._context.downloads.finish()
        self._check_downloads()

    async def _fill(self, page: TaskPage, action: actions.Fill, element: Element) -> None:
        if element.type == "file" and action.value in self._assignment.files:
            await elements.give_file(page, element, self._file(action.value))
        else:
            value = action.value
            if action.secret:
                self._context.secrets.note_field(element.handle)
                # Only now: a one-time code is valid for half a minute.
                value = typed_text(action.secret, self._assignment.secrets[action.secret])
            await elements.fill(page, element, value, action.shown)

    async def _upload(self, page: TaskPage, action: actions.Upload, given: Element | None) -> None:
        # Only this gives files to pages; a page that opens a chooser by itself gets none.
        file = self._file(action.file)
        if page.chooser is not None and not action.field:
            await self._answer_chooser(page, file)
        else:
            element = given or await self._upload_field(page, action.field)
            if element.type == "file":
                await elements.give_file(page, element, file)
            else:
                await self._upload_by_button(page, element, file)

    async def _press(self, page: TaskPage, key: str) -> Page | None:
        before = self._before(page)
        # A key may close or hang the page, which the next call to the page notices.
        try:
            await page.run(page.page.keyboard.press("Space" if key == " " else key), "a key")
        except (launch.CommandFailedError, launch.NoAnswerError):
            page.check()
        return await self._after(page, before)

    async def _submit(self, page: TaskPage) -> Page | None:
        before = self._before(page)
        if not await page.ask("submit"):
            raise CannotContinueError(f"{page.document.url} has no form to submit.")
        return await self._after(page, before)

    async def _wait_for(self, text: str) -> None:
        wanted = " ".join(text.casefold().split())
        now = asyncio.get_running_loop().time
        deadline = now() + _WAIT_SECONDS
        while now() < deadline:
            paused_at = now()
            await self._control.checkpoint()
            deadline += now() - paused_at
            page = await self._context.current()
            if wanted in " ".join((await self.text()).casefold().split()):
                await page.wait_for_rest()
                return
            await asyncio.sleep(_LOOK_SECONDS)
        url = (await self._context.current()).document.url
        raise CannotContinueError(f"“{text}” did not appear on {url} within {_WAIT_SECONDS:g} s.")

    async def _wait(self, seconds: float) -> None:
        now = asyncio.get_running_loop().time
        deadline = now() + seconds

        async def rest(page: TaskPage) -> None:
            left = max(deadline - now(), 0.0)
            await page.run(asyncio.sleep(left), "waiting", left + 1)

        await self._context.ask(rest)

    async def _go_back(self, page: TaskPage) -> None:
        history = await page.send("Page.getNavigationHistory", what="the history")
        place = history["currentIndex"] - 1
        # The first entry is the empty page of a new window.
        if place < 0 or history["entries"][place]["url"] == "about:blank":
            raise CannotContinueError(f"There is no page before {page.document.url}.")
        await page.run(page.page.go_back(wait_until="commit"), "going back")

    async def screenshot(self) -> bytes:
        """A picture of the page, without secrets."""
        return await self._context.ask(self._context.secrets.screenshot)

    async def outlined_screenshot(self) -> bytes:
        """The same, on which the elements are outlined."""

        async def seen(page: TaskPage) -> bytes:
            await page.ask_frames("draw", ", ".join(SELECTORS.values()))
            picture = await self._context.secrets.screenshot(page)
            # Not after a failure or a cancellation: a hanging page would delay the task's end.
            await page.ask_frames("erase")
            return picture

        return await self._context.ask(seen)

    async def text(self) -> str:
        """All text of the page and of its frames."""
        return "\n".join(await self._context.ask(lambda page: page.ask_frames("text")))

    async def read(self) -> Page:
        """The current content of the page."""
        seen = await self._context.ask(snapshot_of)
        if seen.kind in MARKUP:
            return await asyncio.to_thread(page_of, seen.url, PageNode.of(seen.tree))
        try:  # a text that the browser shows as it is
            body = (await self.text()).encode("utf-8", "replace")
            return await read_document(seen.url, f"{seen.kind}; charset=utf-8", body)
        except UnreadableDocumentError as error:
            raise PageNotOpenedError(f"{seen.url} could not be read: {error}.", seen.url) from error

    # --- results of actions -----------------------------------------------------------------

    def _before(self, page: TaskPage) -> Document:
        """Record the state of a page before an action, for `_after`."""
        self._context.downloads.expect()
        return page.document

    async def _after(self, page: TaskPage, before: Document) -> Page | None:
        """Wait for the result of an action; returns a download, if that is the result."""
        try:
            await page.wait_for_rest()
        except launch.PageLostError:
            if await self._context.current() is page:
                raise  # it has crashed; a page that has closed itself is no longer current
        now = await self._context.current()
        if now is not page:
            await _begin(now)
            await now.wait_for_rest()
            return await self._result(now)
        return await self._result(page, before)

    async def _result(self, page: TaskPage, before: Document | None = None) -> Page | None:
        """The download, if a page became one; an unchanged document is accepted."""
        downloads = self._context.downloads
        # A page is aborted for a file, which is reported before or after the file.
        is_given_up = page.document is not before and page.is_given_up
        if downloads.is_expected or (is_given_up and await downloads.begun()):
            await downloads.finish()
            self._check_downloads()
            return await self._downloaded()
        if page.document is not before and page.document.url.startswith(("http:", "https:")):
            _check(page.document, self._context.gateway.notes.problem(page.document.url))
        return None

    def _check_downloads(self) -> None:
        """Make sure that the expected download has arrived."""
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

    # --- files ------------------------------------------------------------------------------

    def _file(self, name: str) -> FilePayload:
        # Its content, not its path: the browser cannot read the server's files.
        mime_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return {"name": name, "mimeType": mime_type, "buffer": self._assignment.files[name]}

    async def _upload_field(self, page: TaskPage, phrase: str) -> Element:
        try:
            return await locate(page, "fields", phrase)
        except ElementNotFoundError:
            if phrase:
                with contextlib.suppress(ElementNotFoundError):
                    return await locate(page, "clickables", phrase, patience=False)
            raise

    async def _upload_by_button(self, page: TaskPage, element: Element, file: FilePayload) -> None:
        try:
            async with page.page.expect_file_chooser(timeout=_CHOOSER_SECONDS * 1000):
                await elements.click(page, element)
        except PlaywrightError as error:
            page.check()
            raise CannotContinueError(f"The field “{element.name}” takes no files.") from error
        await self._answer_chooser(page, file)

    async def _answer_chooser(self, page: TaskPage, file: FilePayload) -> None:
        chooser, page.chooser = page.chooser, None
        if chooser is not None:
            await page.run(chooser.set_files(file), "an upload")
