"""A task's browser context: pages, cookies, files and connections of its own."""

import asyncio
import contextlib
import itertools
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from playwright.async_api import Browser, BrowserContext, Dialog, Page, Request, Response
from playwright.async_api import Error as PlaywrightError

from browser_use_async.server.egress.proxy import Gateway
from browser_use_async.server.executors.browser import launch
from browser_use_async.server.executors.browser.downloads import Downloads
from browser_use_async.server.executors.browser.page import ANSWER_SECONDS, TaskPage
from browser_use_async.server.executors.browser.secrets import SecretMask
from browser_use_async.server.records import Assignment

AnswerT = TypeVar("AnswerT")

_COOKIE_FIELDS = ("name", "value", "domain", "path", "expires", "httpOnly", "secure", "sameSite")
_CLOSE_SECONDS = 5.0
_MOST_PAGES = 20
_MOST_EARLY = 100
# Limits of the load that a context may cause, at once and in a second, since it delays all other
# pages of the browser. Counted for all windows together, so that more windows do not allow more.
_MOST_LOAD, _LOAD_IN_SECOND = 2000.0, 100.0
_WINDOW_LOAD = 20
_MOST_CLOSED = 300  # windows that close under one question: as many as a minute of them allows
_TRACE_BYTES = 100 * 1024**2
_numbers = itertools.count(1)


class TaskContext:
    """One task's own context in the browser of its owner."""

    def __init__(
        self,
        process: launch.BrowserProcess,
        gateway: Gateway,
        viewport: tuple[int, int],
    ) -> None:
        self._process = process
        self._viewport = viewport
        self._context: BrowserContext | None = None
        self._pages: dict[Page, TaskPage] = {}
        self._preparing: dict[Page, asyncio.Task[None]] = {}
        self._early: list[tuple[Request, str, Request | Response]] = []
        self._failure = ""
        self._load, self._load_at = 0.0, 0.0
        self._closing: asyncio.Task[None] | None = None
        self._is_traced = False
        # Whether a message box is answered with OK; without an answer the page would hang
        self.agrees: Callable[[Dialog], bool] = lambda _: True
        number = next(_numbers)
        self._downloads_folder = process.folder.for_browser(f"tasks/{number}-downloads")
        # The server's own files of the task.
        self.folder = process.folder.for_server(f"tasks/{number}")
        self.gateway = gateway
        self.downloads = Downloads(self._downloads_folder)
        self.secrets = SecretMask({})

    @property
    def browser(self) -> Browser:
        """The browser that it is in."""
        return self._process.browser

    @property
    def playwright_context(self) -> BrowserContext:
        """Playwright's context."""
        if self._context is None:
            raise launch.PageLostError("the page has been closed")
        return self._context

    @contextlib.asynccontextmanager
    async def _limit(self, seconds: float) -> AsyncGenerator[None]:
        """Limit the time of setting up a page, and report why it fails."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise launch.NoAnswerError("a new page was not opened in time") from None
        except PlaywrightError as error:
            if not self.browser.is_connected():
                raise launch.BrowserLostError("the browser has ended unexpectedly") from error
            raise launch.PageLostError(
                f"a new page could not be set up: {error.message}"
            ) from error

    async def open(self, seconds: float = ANSWER_SECONDS) -> None:
        """Make the context and its first page, which depend only on the size of the task."""
        async with self._limit(seconds):
            width, height = self._viewport
            context = await self.browser.new_context(
                accept_downloads=True,
                viewport={"width": width, "height": height},
                # Nothing bypasses the proxy, also not for this machine's addresses.
                proxy={
                    "server": f"http://127.0.0.1:{self.gateway.port}",
                    "bypass": "<-loopback>",
                },
            )
            self._context = context
            context.on("page", self._page_opened)
            context.on("dialog", self._dialog_opened)
            context.on("request", self._request_sent)
            context.on("response", lambda it: self._pass_on(it.request, "response_received", it))
            for event in ("requestfinished", "requestfailed"):
                context.on(event, lambda it: self._pass_on(it, "request_ended", it))
            await context.new_page()
            page = await self.current()
            target = await page.send("Target.getTargetInfo", what="a question for the context")
            context_id = target["targetInfo"]["browserContextId"]
            await self.downloads.follow(self.browser, context_id)

    async def begin(self, assignment: Assignment, *, trace: bool) -> None:
        """Apply the settings of a task; it is traced unless it has secrets."""
        async with self._limit(ANSWER_SECONDS):
            context = self.playwright_context
            for cookie in assignment.cookies:
                kept = {
                    name: cookie[name] for name in _COOKIE_FIELDS if cookie.get(name) is not None
                }
                # One by one, so that a refused cookie does not prevent the others.
                with contextlib.suppress(PlaywrightError):
                    await context.add_cookies([cast("Any", kept)])
            if trace and not assignment.secrets:  # a trace contains what is typed and shown
                await context.tracing.start(screenshots=True, snapshots=True)
                self._is_traced = True
            if assignment.secrets:
                self.secrets = SecretMask(assignment.secrets)
                for page in self._pages:
                    self._preparing[page] = _start(self.secrets.install(page))
            await self.current()

    async def aclose(self) -> None:
        """Close the context and its proxy, and delete its files."""
        for work in self._preparing.values():
            work.cancel()
        await asyncio.gather(*self._preparing.values(), return_exceptions=True)
        for page in self._pages.values():
            page.mark_lost("the page has been closed")
        self._pages.clear()
        # It goes on even if its caller is cancelled: the page may delay others until it is closed.
        self._closing = _start(self._close())
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await asyncio.shield(self._closing)
        except TimeoutError:
            raise launch.NoAnswerError("a context was not closed in time") from None
        finally:
            await self.gateway.aclose()
            for folder in (self.folder, self._downloads_folder):
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _close(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            with contextlib.suppress(PlaywrightError):  # gone with the browser
                await context.close()
        with contextlib.suppress(PlaywrightError):
            await self.downloads.aclose()

    async def current(self) -> TaskPage:
        """Return the newest open page, ready to be used."""
        self.check_bounds()
        while self._pages:
            page, task_page = list(self._pages.items())[-1]
            preparing = asyncio.shield(self._preparing[page])
            await task_page.run(preparing, "setting up a page")
            if page in self._pages:  # it may have closed itself meanwhile
                return task_page
        if not self.browser.is_connected():
            raise launch.BrowserLostError("the browser has ended unexpectedly")
        raise launch.PageLostError("the page has been closed")

    async def ask(self, question: Callable[[TaskPage], Awaitable[AnswerT]]) -> AnswerT:
        """The answer of the current page; if it closes itself, that of the next current page."""
        for _ in range(_MOST_CLOSED):
            page = await self.current()
            try:
                return await question(page)
            except launch.PageLostError:
                if not page.page.is_closed():  # else there may be another window
                    raise
        raise launch.PageLimitError("its windows close before they can be looked at")

    def check_bounds(self) -> None:
        """Raise an error if its pages have exceeded a limit."""
        if self._failure:
            raise launch.PageLimitError(self._failure)

    async def cookies(self) -> list[dict[str, Any]]:
        """All cookies of the context."""
        page = await self.current()
        cookies = await page.run(self.playwright_context.cookies(), "a question for cookies")
        kept: list[dict[str, Any]] = []
        for cookie in cookies:
            fields = cast("Mapping[str, Any]", cookie)
            kept.append({name: fields[name] for name in _COOKIE_FIELDS if name in fields})
        return kept

    async def trace(self) -> bytes | None:
        """The Playwright trace, or None if there is none or it is too large."""
        if not self._is_traced or self._context is None:
            return None
        self._is_traced = False
        path = self.folder / "trace.zip"
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._context.tracing.stop(path=path)
        return await asyncio.to_thread(_read, path)

    def _page_opened(self, page: Page) -> None:
        page.on("crash", self._page_crashed)  # before the page itself says so, and not why
        opened = TaskPage(page, self._add_load)
        self._add_load(_WINDOW_LOAD)
        if len(self._pages) >= _MOST_PAGES:
            self._fail(f"its pages have opened more than {_MOST_PAGES} windows")
        if self._failure:
            return
        self._pages[page] = opened
        self._replay(opened)
        page.on("close", self._page_closed)
        self._preparing[page] = _start(self.secrets.install(page))

    def _add_load(self, amount: int) -> None:
        now = asyncio.get_running_loop().time()
        left = self._load - (now - self._load_at) * _LOAD_IN_SECOND
        self._load, self._load_at = max(left, 0.0) + amount, now
        if self._load > _MOST_LOAD and not self._failure:
            self._fail("its scripts made more requests, frames, windows and workers than pages may")
            for page in self._pages.values():
                page.crash()

    def _fail(self, reason: str) -> None:
        self._failure = self._failure or reason
        for page in self._pages.values():
            page.mark_lost(self._failure, launch.PageLimitError)

    def _request_sent(self, request: Request) -> None:
        self._add_load(1)
        self._pass_on(request, "request_sent", request)

    def _pass_on(self, request: Request, method: str, event: Request | Response) -> None:
        page = _page_of(request)
        if page in self._pages:
            getattr(self._pages[page], method)(event)
        elif request.is_navigation_request():
            # A window begins to load before it is announced.
            self._early = [*self._early[-_MOST_EARLY:], (request, method, event)]

    def _replay(self, opened: TaskPage) -> None:
        early, self._early = self._early, []
        for request, method, event in early:
            page = _page_of(request)
            if page is opened.page:
                getattr(opened, method)(event)
            elif page is None:
                self._early.append((request, method, event))
        if opened.page.url not in {"", "about:blank"}:
            opened.note_shown()

    def _dialog_opened(self, dialog: Dialog) -> None:
        page = self._pages.get(dialog.page) if dialog.page is not None else None
        if page is None:  # of a window that is about to be announced
            page = next(reversed(self._pages.values()), None)
        if page is not None:
            page.dialog_opened(dialog, agrees=self.agrees(dialog))

    def _page_closed(self, page: Page) -> None:
        self._pages.pop(page, None)

    def _page_crashed(self, _page: Page) -> None:
        if reason := self._process.take_excess():
            self._fail(reason)


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(
        work, name="browser-use: prepares or closes a browser context"
    )


def _page_of(request: Request) -> Page | None:
    try:
        return request.frame.page
    except PlaywrightError:
        return None  # a service worker's, or one of a window that is not announced yet


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= _TRACE_BYTES else None
    except OSError:
        return None
