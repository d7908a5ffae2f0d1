"""One page of a task: navigation, waiting for rest, and commands."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import attrs
from playwright.async_api import CDPSession, Dialog, FileChooser, Frame, Page, Request, Response
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeoutError

from browser_use_async.server.executors.browser import launch
from browser_use_async.server.loops import BackgroundTasks

ANSWER_SECONDS = 15.0
"""How long a page may take for an ordinary command before it counts as hung."""

_LOAD_SECONDS = 30.0
FRAME_SECONDS = 2.0
"""How long a frame in it may take before it is left out."""

_NOTICE_SECONDS = 0.05
_QUIET_SECONDS = 0.1
_MOST_QUIET_SECONDS = 3.0
_LOOK_SECONDS = 0.02
_MOST_FRAMES = 40
_MOST_DIALOGS = 50
_FRAME_LOAD, _WORKER_LOAD = 5, 20  # a request is 1
_DIALOG_CHARACTERS = 300
MOST_URL_CHARACTERS = 1000
"""The maximum length of a kept address, in characters."""

ResultT = TypeVar("ResultT")


@attrs.frozen
class Document:
    """The document of a page, shown or requested."""

    url: str
    status: int = 0  # of HTTP; 0 if no answer came
    error: str = ""  # Chromium's name for what went wrong, such as `net::ERR_ABORTED`


class TaskPage:
    """One page; its methods raise `BrowserError` if the page does not carry them out."""

    def __init__(self, page: Page, add_load: Callable[[int], None] = lambda _: None) -> None:
        self.page = page
        self._add_load = add_load  # called with the load that it causes
        self.document = Document("about:blank")
        self.dialogs: list[str] = []  # the texts of its message boxes
        self.chooser: FileChooser | None = None  # the latest one without an answer
        self.asked = asyncio.Event()  # for a document
        self._dialog_count = 0
        self._loading = False
        self._inflight: set[Request] = set()
        self._document_request: Request | None = None
        self._is_shown = True
        self._session: CDPSession | None = None
        self._lost: asyncio.Future[tuple[type[launch.BrowserError], str]]
        self._lost = asyncio.get_running_loop().create_future()
        self._work = BackgroundTasks("handles an event of a page")
        page.on("framenavigated", self._frame_navigated)
        page.on("frameattached", lambda _: self._add_load(_FRAME_LOAD))
        page.on("worker", lambda _: self._add_load(_WORKER_LOAD))
        page.on("load", self._loaded)
        page.on("filechooser", self._files_asked_for)
        page.on("crash", lambda _: self.mark_lost("the page has crashed"))
        page.on("close", lambda _: self.mark_lost("the page has been closed"))

    async def open(self, url: str) -> None:
        """Open an address and wait until the page has come to rest."""
        self.document = Document(url[:MOST_URL_CHARACTERS])
        try:
            going = self.page.goto(url, wait_until="commit", timeout=_LOAD_SECONDS * 1000)
            await self.run(going, f"opening {self.document.url}", _LOAD_SECONDS + 1)
        except launch.CommandFailedError as error:
            # The request itself reports an address that became a download.
            if not self.document.error:
                code = str(error).partition("net::")[2].partition(" ")[0]
                self.document = attrs.evolve(self.document, error=f"net::{code or 'ERR_ABORTED'}")
        await self._rest()

    async def wait_for_rest(self) -> None:
        """Wait for the result of an action: the page is loaded, and its scripts are at rest."""
        await asyncio.sleep(_NOTICE_SECONDS)  # until requests of the action have begun
        await self._rest()

    async def _rest(self) -> None:
        now = asyncio.get_running_loop().time
        deadline = now() + _LOAD_SECONDS
        loaded_since = quiet_since = now()
        while now() < deadline:
            self.check()
            if self._loading or self._document_request in self._inflight:
                loaded_since = quiet_since = now()
            elif self._inflight:
                quiet_since = now()
            is_quiet = now() - quiet_since >= _QUIET_SECONDS
            if is_quiet or now() - loaded_since >= _MOST_QUIET_SECONDS:
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise launch.NoAnswerError(f"it was still loading after {_LOAD_SECONDS:g} s")

    async def run(
        self, awaitable: Awaitable[ResultT], what: str, seconds: float = ANSWER_SECONDS
    ) -> ResultT:
        """Wait for Playwright, at most as long as a page may take or exists."""
        work = asyncio.ensure_future(awaitable)
        try:
            async with asyncio.timeout(seconds):
                waited: set[asyncio.Future[Any]] = {work, self._lost}
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise launch.NoAnswerError(f"{what} was not answered within {seconds:g} s") from None
        finally:
            if not work.done():
                work.cancel()
        if not work.done():
            raise self._loss()
        try:
            return work.result()
        except PlaywrightTimeoutError as error:
            raise launch.NoAnswerError(f"{what} was not answered within {seconds:g} s") from error
        except PlaywrightError as error:
            if self._is_lost():
                raise self._loss() from error
            raise launch.CommandFailedError(
                f"{what} failed: {str(error).splitlines()[0]}"
            ) from error

    async def ask(self, function: str, *arguments: Any) -> Any:
        """Call one of the functions of `page.js` in the main frame, and return what it returns."""
        for _ in range(2):
            with contextlib.suppress(launch.CommandFailedError):
                return await self._ask(self.page.main_frame, function, *arguments)
            await self.wait_for_rest()  # the page navigated meanwhile
        return await self._ask(self.page.main_frame, function, *arguments)

    async def ask_frames(self, function: str, *arguments: Any) -> list[Any]:
        """The same in each visible frame, the main one first."""
        answers = []
        async for frame in self.frames():
            if frame is self.page.main_frame:
                answers.append(await self.ask(function, *arguments))
                continue
            with contextlib.suppress(launch.CommandFailedError, launch.NoAnswerError):
                answers.append(await self._ask(frame, function, *arguments, seconds=FRAME_SECONDS))
        return answers

    async def screenshot(self) -> bytes:
        """A PNG of its visible part, of the viewport's size."""
        # Playwright's own method compresses more, which takes longer than the rest of a step.
        parameters = {"format": "png", "optimizeForSpeed": True}
        answer = await self.send("Page.captureScreenshot", parameters, what="a screenshot")
        return base64.b64decode(answer["data"])

    async def send(
        self, command: str, parameters: dict[str, Any] | None = None, *, what: str
    ) -> dict[str, Any]:
        """Send a command of the DevTools protocol."""
        if self._session is None:
            opening = self.page.context.new_cdp_session(self.page)
            self._session = await self.run(opening, "a session")
        answer: dict[str, Any] = await self.run(self._session.send(command, parameters), what)
        return answer

    @property
    def is_given_up(self) -> bool:
        """Whether the requested document is not shown: it is a file, or nothing."""
        return not self._is_shown and self.document.error in {"", "net::ERR_ABORTED"}

    def check(self) -> None:
        """Raise an error if it is closed."""
        if self._is_lost():
            raise self._loss()

    def mark_lost(
        self, reason: str, error: type[launch.BrowserError] = launch.PageLostError
    ) -> None:
        """Record that it is closed, which ends all waits for it."""
        if not self._lost.done():
            self._lost.set_result((error, reason))

    def crash(self) -> None:
        """End it at once, since closing a busy page takes long and delays all others."""
        self.in_background(self._crash)

    async def _crash(self) -> None:
        session = self._session or await self.page.context.new_cdp_session(self.page)
        with contextlib.suppress(TimeoutError):  # a crashed page does not answer
            async with asyncio.timeout(FRAME_SECONDS):
                await session.send("Page.crash")

    def _loss(self) -> launch.BrowserError:
        if not self._is_connected():
            return launch.BrowserLostError("the browser has ended unexpectedly")
        if not self._lost.done():
            return launch.PageLostError("it has been closed")
        error, reason = self._lost.result()
        return error(reason)

    def _is_lost(self) -> bool:
        return self._lost.done() or self.page.is_closed() or not self._is_connected()

    def _is_connected(self) -> bool:
        browser = self.page.context.browser
        return browser is None or browser.is_connected()

    async def _ask(
        self, frame: Frame, function: str, *arguments: Any, seconds: float = ANSWER_SECONDS
    ) -> Any:
        self.check()
        call = f"({script('page')}).{function}({', '.join(map(json.dumps, arguments))})"
        return await self.run(frame.evaluate(call), "a question to the page", seconds)

    async def frames(self) -> AsyncIterator[Frame]:
        """The visible frames, the main one first."""
        yield self.page.main_frame
        for frame in self.page.frames[1:_MOST_FRAMES]:
            with contextlib.suppress(launch.CommandFailedError, launch.NoAnswerError):
                element = await self.run(frame.frame_element(), "a frame", FRAME_SECONDS)
                if await self.run(element.is_visible(), "a frame", FRAME_SECONDS):
                    yield frame

    # --- events of the page ---------------------------------------------------------------

    def note_shown(self) -> None:
        """Record that it already shows its document, as a window does that opens itself."""
        self._is_shown = True
        self.in_background(self._note_loaded)

    async def _note_loaded(self) -> None:
        await self.page.wait_for_load_state("load")
        self._loading = False

    def request_sent(self, request: Request) -> None:
        """Record a request of the page."""
        if request.is_navigation_request():
            if request.frame is not self.page.main_frame:
                return  # of a frame that may move to another process, whose end no event reports
            self.asked.set()
            self._document_request, self._is_shown, self._loading = request, False, True
            self._inflight.clear()
            self.document = Document(request.url[:MOST_URL_CHARACTERS])
        if request.url.startswith(("http:", "https:")):
            self._inflight.add(request)

    def response_received(self, response: Response) -> None:
        """Record the answer to a request."""
        if response.request is self._document_request:
            self.document = Document(response.url[:MOST_URL_CHARACTERS], response.status)

    def request_ended(self, request: Request) -> None:
        """Record the end of a request, with success or not."""
        self._inflight.discard(request)
        if request is self._document_request and request.failure:
            self._loading = False
            self.document = attrs.evolve(self.document, error=request.failure)

    def _frame_navigated(self, frame: Frame) -> None:
        if frame is self.page.main_frame and not self._is_shown:
            self._is_shown = self._loading = True

    def _loaded(self, _: Page) -> None:
        if self._is_shown:  # else it is of the previous document
            self._loading = False

    def dialog_opened(self, dialog: Dialog, *, agrees: bool) -> None:
        """Record the text of a message box, and answer it with OK or Cancel."""
        self._dialog_count += 1
        if self._dialog_count > _MOST_DIALOGS:
            what = f"it showed more than {_MOST_DIALOGS} message boxes"
            self.mark_lost(what, launch.PageLimitError)
        if dialog.message:
            self.dialogs.append(dialog.message[:_DIALOG_CHARACTERS])
        self.in_background(dialog.accept if agrees else dialog.dismiss)

    def _files_asked_for(self, chooser: FileChooser) -> None:
        # Only a step that uploads a file answers it.
        self.chooser = chooser

    def in_background(self, function: Callable[[], Awaitable[None]]) -> None:
        """Do something that may fail if the page is closed."""

        async def work() -> None:
            with contextlib.suppress(PlaywrightError):  # the page is closed
                await function()

        self._work.start(work())


@cache
def script(name: str) -> str:
    """Return the text of a script in the folder `scripts`."""
    folder = files("browser_use_async.server.executors.browser")
    return folder.joinpath("scripts", f"{name}.js").read_text(encoding="utf-8").strip()
