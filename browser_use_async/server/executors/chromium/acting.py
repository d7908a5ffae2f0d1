"""A person's hands and eyes: what can be done in the current window of a task's browser."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from browser_use_async.server.executors.chromium.arriving import Arrivals
from browser_use_async.server.executors.chromium.context import TaskBrowser
from browser_use_async.server.executors.chromium.deeds import (
    Click,
    Download,
    Fill,
    GoBack,
    PressKey,
    Scroll,
    Submit,
    Tick,
    Upload,
    Wait,
    WaitFor,
)
from browser_use_async.server.executors.chromium.elements import (
    Element,
    ElementNotFoundError,
    check,
    click,
    fill,
    find,
    offer_files,
    press,
)
from browser_use_async.server.executors.chromium.tab import Tab
from browser_use_async.server.executors.pace import DeadEndError
from browser_use_async.server.executors.protocol import Control
from browser_use_async.server.executors.reader.plan import FollowLink, OpenAddress
from browser_use_async.server.html.document import UnreadableDocumentError, read_document
from browser_use_async.server.html.page import Page
from browser_use_async.server.html.visit import PageNotOpenedError

_WAIT_SECONDS = 30.0
_LOOK_SECONDS = 0.2


class Actor:
    """Acts in the current window.

    Args:
        browser: The task's browser.
        control: Tells whether the task is paused.
    """

    def __init__(self, browser: TaskBrowser, control: Control) -> None:
        self._browser = browser
        self._control = control
        self._arrivals = Arrivals(browser)

    def hands(self) -> Mapping[type[Any], Callable[[Any], Awaitable[Page | None]]]:
        """What does each kind of deed; it returns what was downloaded, if that came of it."""
        return {
            OpenAddress: self.open,
            FollowLink: self.click,
            Click: self.click,
            Download: self.download,
            Fill: self.fill,
            Tick: self.tick,
            Upload: self.upload,
            PressKey: self.press,
            Submit: self.submit,
            WaitFor: self.wait_for,
            Wait: self.wait,
            Scroll: self.scroll,
            GoBack: self.go_back,
        }

    async def open(self, deed: OpenAddress) -> Page | None:
        """Open an address.

        Args:
            deed: Which address.

        Returns:
            What was downloaded, if the address stands for a file.

        Raises:
            PageNotOpenedError: It cannot be opened.
            DevToolsError: The page or the browser is gone or hangs.
        """
        tab = await self._browser.current()
        self._browser.downloads.expect()
        await tab.open(deed.url)
        return await self._arrivals.at(tab)

    async def click(self, deed: Click | FollowLink) -> Page | None:
        """Click something, and wait for what comes of it.

        Args:
            deed: What to click.

        Returns:
            What was downloaded, if that came of it.

        Raises:
            ElementNotFoundError: There is no such thing.
            PageNotOpenedError: It leads to a page that cannot be opened.
            DevToolsError: The page or the browser is gone or hangs.
        """
        tab = await self._browser.current()
        element = await find(tab, "clickables", deed.phrase)
        before = self._arrivals.before(tab)
        await click(tab, element)
        return await self._arrivals.after(tab, before)

    async def has(self, phrase: str) -> bool:
        """Whether there is something to click of these words.

        Args:
            phrase: The words.

        Raises:
            DevToolsError: The page is gone or hangs.
        """
        try:
            tab = await self._browser.current()
            await find(tab, "clickables", phrase, patience=False)
        except ElementNotFoundError:
            return False
        return True

    async def download(self, deed: Download) -> None:
        """Follow a link and keep what it leads to, even if the browser would show it.

        Args:
            deed: Which link.

        Raises:
            DeadEndError: No download comes of it.
            ElementNotFoundError: There is no such link.
            DevToolsError: The page or the browser is gone or hangs.
        """
        tab = await self._browser.current()
        element = await find(tab, "clickables", deed.phrase)
        await tab.ask("save", element.index)
        self._browser.downloads.expect()
        await click(tab, element)
        if not await self._browser.downloads.begun():
            refused = self._browser.gateway.take_refusals()
            why = f": {refused[0]}" if refused else ""
            raise DeadEndError(f"No download came of “{element.name}” on {tab.document.url}{why}.")
        await self._browser.downloads.finish()
        self._arrivals.check_downloads()

    async def fill(self, deed: Fill) -> None:
        """Give a field a value.

        Args:
            deed: Which field, and which value.

        Raises:
            ElementNotFoundError: There is no such field.
            NotFillableError: It does not take the value.
            DevToolsError: The page is gone or hangs.
        """
        tab = await self._browser.current()
        element = await find(tab, "fields", deed.field)
        path = self._browser.file(deed.value) if element.type == "file" else None
        if path is not None:
            await offer_files(tab, element, [path])
        else:
            await fill(tab, element, deed.value, deed.shown)
        await tab.settle()

    async def tick(self, deed: Tick) -> None:
        """Tick a box, or take the tick away.

        Args:
            deed: Which box, and how.

        Raises:
            ElementNotFoundError: There is no such box.
            DevToolsError: The page is gone or hangs.
        """
        tab = await self._browser.current()
        await check(tab, await find(tab, "fields", deed.phrase), on=deed.on)
        await tab.settle()

    async def upload(self, deed: Upload) -> None:
        """Give a file to a field, the first that takes files unless one is named.

        Args:
            deed: Which file, and which field.

        Raises:
            ElementNotFoundError: There is no such field.
            NotFillableError: It takes no files.
            DevToolsError: The page is gone or hangs.
        """
        tab = await self._browser.current()
        element = await find(tab, "fields", deed.field) if deed.field else await _file_field(tab)
        path = self._browser.file(deed.file)
        await offer_files(tab, element, [path] if path is not None else [])
        await tab.settle()

    async def press(self, deed: PressKey) -> Page | None:
        """Press and release a key, and wait for what comes of it.

        Args:
            deed: Which key.

        Returns:
            What was downloaded, if that came of it.

        Raises:
            PageNotOpenedError: It leads to a page that cannot be opened.
            DevToolsError: The page or the browser is gone or hangs.
        """
        tab = await self._browser.current()
        before = self._arrivals.before(tab)
        code = "Space" if deed.key == " " else deed.key
        await press(tab, deed.key, code)
        return await self._arrivals.after(tab, before)

    async def submit(self, _: Submit) -> Page | None:
        """Send the form that was filled in last, or the only one.

        Returns:
            What was downloaded, if that came of it.

        Raises:
            DeadEndError: There is no form.
            PageNotOpenedError: It leads to a page that cannot be opened.
            DevToolsError: The page or the browser is gone or hangs.
        """
        tab = await self._browser.current()
        before = self._arrivals.before(tab)
        if not await tab.ask("submit"):
            raise DeadEndError(f"{tab.document.url} has no form to submit.")
        return await self._arrivals.after(tab, before)

    async def wait_for(self, deed: WaitFor) -> None:
        """Wait until a text is to be read; case and spaces do not matter.

        Args:
            deed: Which text.

        Raises:
            DeadEndError: It did not come.
            DevToolsError: The page is gone or hangs.
        """
        wanted = " ".join(deed.text.casefold().split())
        now = asyncio.get_running_loop().time
        deadline = now() + _WAIT_SECONDS
        while now() < deadline:
            paused_at = now()
            await self._control.checkpoint()
            deadline += now() - paused_at
            tab = await self._browser.current()
            if wanted in " ".join(str(await tab.ask("text")).casefold().split()):
                await tab.settle()
                return
            await asyncio.sleep(_LOOK_SECONDS)
        url = (await self._browser.current()).document.url
        raise DeadEndError(f"“{deed.text}” did not appear on {url} within {_WAIT_SECONDS:g} s.")

    async def wait(self, deed: Wait) -> None:
        """Wait some time.

        Args:
            deed: How long.
        """
        await asyncio.sleep(deed.seconds)

    async def scroll(self, deed: Scroll) -> None:
        """Scroll the page.

        Args:
            deed: Where to.

        Raises:
            DevToolsError: The page is gone or hangs.
        """
        tab = await self._browser.current()
        await tab.ask("scroll", deed.to)
        await tab.settle()

    async def go_back(self, _: GoBack) -> None:
        """Go to the page before.

        Raises:
            DeadEndError: There is none.
            PageNotOpenedError: It cannot be opened again.
            DevToolsError: The page is gone or hangs.
        """
        tab = await self._browser.current()
        history = await tab.session.send("Page.getNavigationHistory")
        place = history["currentIndex"] - 1
        # The first entry is the empty page of a new window.
        if place < 0 or history["entries"][place]["url"] == "about:blank":
            raise DeadEndError(f"There is no page before {tab.document.url}.")
        entry = history["entries"][place]
        await tab.session.send("Page.navigateToHistoryEntry", entryId=entry["id"])
        await tab.settle()

    async def picture(self, *, outlined: bool) -> bytes:
        """A picture of the page.

        Args:
            outlined: Whether what can be clicked and filled in is outlined.

        Raises:
            DevToolsError: The page is gone or hangs.
        """
        tab = await self._browser.current()
        if not outlined:
            return await tab.picture()
        await tab.ask("draw")
        try:
            return await tab.picture()
        finally:
            await tab.ask("erase")

    async def read(self) -> Page:
        """What is to be read on the page, as it is now.

        Raises:
            PageNotOpenedError: It cannot be read.
            DevToolsError: The page is gone or hangs.
        """
        tab = await self._browser.current()
        read = await tab.ask("read")
        try:
            body = str(read["text"]).encode("utf-8", "replace")
            return await read_document(read["url"], f"{read['kind']}; charset=utf-8", body)
        except UnreadableDocumentError as error:
            url = tab.document.url
            raise PageNotOpenedError(f"{url} could not be read: {error}.", url) from error


async def _file_field(tab: Tab) -> Element:
    found = await tab.ask("fields")
    for place, one in enumerate(found):
        if one["type"] == "file":
            return Element(place, one["text"] or "file", one["tag"], "file")
    raise ElementNotFoundError(f"{tab.document.url} has no field for files.")
