"""A browser for tests that use pages as people do, with mouse, keyboard and screen.

    from tests.browser.driver import Browser

    async def test_the_page(browser: Browser, tmp_path: Path) -> None:
        page = await browser.open("http://127.0.0.1:8765/", width=360, height=640)
        await page.click("#refresh")
        await page.until("document.title === 'Done'")
        await page.take_picture(tmp_path / "page.png")
        assert page.complaints == []

`tests/support/chromium.py` has the fixtures.
"""

import asyncio
import base64
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from playwright.async_api import Playwright, async_playwright

from browser_use_async.server.executors.browser.browser_folder import BrowserProgram
from browser_use_async.server.executors.browser.launch import BrowserProcess
from tests.support.devtools import Connection, Session
from tests.support.patience import PATIENCE

__all__ = ["Browser", "Page", "new_browser", "resident_browser"]

ResultT = TypeVar("ResultT")

_TICK = 0.02

_KEY_CODES = {
    "Enter": 13, "Tab": 9, "Escape": 27, "Backspace": 8, "ArrowRight": 39, "ArrowDown": 40,
    "End": 35, "Home": 36,
}  # fmt: skip
_NAMED_KEYS = {**dict.fromkeys(_KEY_CODES, ""), "Enter": "\r"}

_MIDDLE = """(() => {
  const found = document.querySelector(%s);
  if (!found || !found.checkVisibility()) return null;
  found.scrollIntoView({block: "center", inline: "center"});
  const box = found.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""


class Page:
    """One open page.

    Attributes:
        complaints: Errors of its scripts, what its policy forbade, and what it could not load.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.complaints: list[str] = []
        session.on("Runtime.exceptionThrown", self._note_exception)
        session.on("Log.entryAdded", self._note_entry)

    def _note_exception(self, event: Mapping[str, Any]) -> None:
        details = event["exceptionDetails"]
        self.complaints.append(str(details.get("exception", details).get("description", details)))

    def _note_entry(self, event: Mapping[str, Any]) -> None:
        if event["entry"]["level"] == "error":
            self.complaints.append(f"{event['entry']['text']} {event['entry'].get('url', '')}")

    async def send(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """A command of the DevTools protocol.

        Args:
            method: Its name.
            parameters: Its parameters.
        """
        return await self._session.send(method, **parameters)

    async def look(self, width: int, height: int, *, dark: bool = False, phone: bool = False):
        """Show the page in another size, in the dark, or on a telephone.

        Args:
            width: In CSS pixels.
            height: The same.
            dark: Whether the person prefers dark pages.
            phone: Whether it is touched rather than clicked.
        """
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        await self.send("Emulation.setTouchEmulationEnabled", enabled=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def go(self, url: str) -> None:
        """Open an address and wait until the page is loaded.

        Args:
            url: The address.
        """
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is awaited.

        Args:
            script: JavaScript.
        """
        result = await self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, condition: str) -> Any:
        """Wait until an expression is true; its value.

        Args:
            condition: JavaScript.
        """
        value = None
        try:
            async with asyncio.timeout(PATIENCE):
                # The page changes by itself; there is no event to wait for.
                while not (value := await self.run(condition)):  # noqa: ASYNC110
                    await asyncio.sleep(_TICK)
        except TimeoutError:
            text = await self.run("document.body.innerText")
            raise AssertionError(f"never true: {condition}\nthe page says: {text}") from None
        return value

    async def text(self, selector: str = "body") -> str:
        """What a person reads in an element.

        Args:
            selector: Which one, in CSS.
        """
        return str(await self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def middle(self, selector: str) -> tuple[float, float]:
        """Where the middle of a visible element is.

        Args:
            selector: Which one, in CSS.
        """
        x, y = await self.until(_MIDDLE % json.dumps(selector))
        return float(x), float(y)

    async def mouse(self, kind: str, x: float, y: float, **fields: Any) -> None:
        """Move or press a real mouse.

        Args:
            kind: `mouseMoved`, `mousePressed`, `mouseReleased` or `mouseWheel`.
            x: Where, in CSS pixels.
            y: The same.
            fields: Further parameters of `Input.dispatchMouseEvent`.
        """
        await self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **fields)

    async def click(self, selector: str) -> None:
        """Click the middle of an element, which has to be visible.

        Args:
            selector: Which one, in CSS.
        """
        await self.click_at(*await self.middle(selector))

    async def click_at(self, x: float, y: float) -> None:
        """Click somewhere.

        Args:
            x: Where, in CSS pixels.
            y: The same.
        """
        await self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            await self.mouse(kind, x, y, button="left", clickCount=1)

    async def tap(self, x: float, y: float) -> None:
        """Touch somewhere with one finger.

        Args:
            x: Where, in CSS pixels.
            y: The same.
        """
        await self.send(
            "Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}]
        )
        await self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    async def press(self, key: str, modifiers: int = 0) -> None:
        """Press and release a key.

        Args:
            key: A letter, or a key's name in the DOM.
            modifiers: 1 Alt, 2 Control, 4 Meta, 8 Shift.
        """
        text = _NAMED_KEYS.get(key, "" if modifiers & 6 else key)
        code = key if key in _NAMED_KEYS else f"Key{key.upper()}"
        number = _KEY_CODES.get(key, ord(key.upper()[0]))
        fields = {"key": key, "code": code, "modifiers": modifiers}
        down = {"text": text} if text else {}
        for kind, more in (("keyDown", down), ("keyUp", {})):
            await self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                windowsVirtualKeyCode=number,
                **fields,
                **more,
            )

    async def type(self, text: str) -> None:
        """Press key after key.

        Args:
            text: Letters and digits.
        """
        for each in text:
            await self.press(each)

    async def take_picture(self, path: Path, *, whole: bool = False) -> Path:
        """A screenshot.

        Args:
            path: The PNG to write.
            whole: Whether the part below the window is included.
        """
        result = await self.send(
            "Page.captureScreenshot", format="png", captureBeyondViewport=whole
        )
        await asyncio.to_thread(path.write_bytes, base64.b64decode(result["data"]))
        return path


class Browser:
    """A headless browser on this machine, which reaches this machine only."""

    def __init__(self, connection: Connection, context: str) -> None:
        self._connection = connection
        self._root = connection.session()
        self._context = context

    async def open(
        self,
        url: str,
        *,
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        phone: bool = False,
    ) -> Page:
        """Open a page in a tab of its own.

        Args:
            url: The address.
            width: Of the window, in CSS pixels.
            height: The same.
            dark: Whether the person prefers dark pages.
            phone: Whether it is a telephone.
        """
        target = await self._root.send(
            "Target.createTarget", url="about:blank", browserContextId=self._context
        )
        attached = await self._root.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = Page(self._connection.session(attached["sessionId"]))
        for domain in ("Page", "Runtime", "Log"):
            await page.send(f"{domain}.enable")
        await page.look(width, height, dark=dark, phone=phone)
        await page.go(url)
        return page


class _Resident:
    """An event loop in a thread, in which one browser runs as long as the tests."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="browser", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Run a coroutine there, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """End the loop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _started(playwright: Playwright, program: str) -> BrowserProcess:
    how = BrowserProgram.of(program, sandbox=True)
    return await BrowserProcess.start(playwright, how, ["--remote-debugging-port=0"])


@contextlib.contextmanager
def resident_browser(program: str) -> Iterator[str]:
    """Start a browser that lives as long as the block, whatever loops the tests have.

    Args:
        program: Its program.

    Yields:
        The address for commands to it.
    """
    resident = _Resident()
    try:
        playwright = resident.run(async_playwright().start())
        process = resident.run(_started(playwright, program))
        yield resident.run(process.address())
        resident.run(process.end())
        resident.run(playwright.stop())
    finally:
        resident.close()


@contextlib.asynccontextmanager
async def new_browser(address: str) -> AsyncIterator[Browser]:
    """A browser without history: no cookies, no storage, no pages of other tests.

    Args:
        address: That of the process.
    """
    connection = await Connection.open(address)
    root = connection.session()
    try:
        # The process has a proxy without a target; each context has its own.
        made = await root.send("Target.createBrowserContext", proxyServer="direct://")
        yield Browser(connection, made["browserContextId"])
        await root.send("Target.disposeBrowserContext", browserContextId=made["browserContextId"])
    finally:
        await connection.aclose()
