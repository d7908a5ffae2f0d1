"""The browser process: started through Playwright, as a user of its own, and ended with its files.

Playwright starts the program itself and speaks to it over a pipe, so that no port is open to other
users of the machine. What Playwright has no option for, the user and the profile's folder, is in a
small script that stands in the browser's folder and is started in the browser's place.
"""

import asyncio
import contextlib
import re
from collections.abc import Sequence
from typing import Self

from playwright.async_api import Browser, Playwright
from playwright.async_api import Error as PlaywrightError

from browser_use_async import system
from browser_use_async.server.egress.policy import CLOSED_PORTS
from browser_use_async.server.executors.browser.browser_folder import (
    USER,
    BrowserFolder,
    BrowserProgram,
)

_START_SECONDS = 30.0
_END_SECONDS = 3.0
_LOOK_SECONDS = 0.05
_CRASH_SECONDS = 10.0  # until an event reports the crash of a page
_EXIT_CODE = re.compile(r"exitCode=(\d+)")
_FLAGS = (
    "--no-pings",
    "--disable-client-side-phishing-detection",
    "--disable-crash-reporter",
    "--disable-domain-reliability",
    "--disable-gpu",
    "--disable-quic",
    # Background requests of Chromium itself go to a closed port.
    "--component-updater=url-source=http://127.0.0.1:9/",
    "--gaia-url=http://127.0.0.1:9/",
    # Looked up by the system and not by the rules below, seconds after the start.
    "--gcm-checkin-url=http://127.0.0.1:9/",
    "--gcm-registration-url=http://127.0.0.1:9/",
    "--gcm-mcs-endpoint=127.0.0.1:9",
    # Nothing leaves the browser except through the proxy of a task: no names are looked up, no
    # datagrams are sent, and requests of no task go to a closed port.
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)


class BrowserNotStartedError(Exception):
    """The browser could not be started. The text is a clause for a person."""


class BrowserError(Exception):
    """A browser or page does not carry out a command. The text is a clause for a person."""


class CommandFailedError(BrowserError):
    """The browser refused the command."""


class NoAnswerError(BrowserError):
    """The browser, or the page, did not answer in time."""


class PageLostError(BrowserError):
    """The page has been closed, or has crashed."""


class PageLimitError(BrowserError):
    """The page has exceeded a limit, and is closed."""


class BrowserLostError(BrowserError):
    """The browser has ended."""


class BrowserProcess:
    """A running browser."""

    def __init__(self, browser: Browser, folder: BrowserFolder) -> None:
        self.browser = browser
        self.folder = folder
        self.pid = folder.pid  # the first of its group
        self._port = 0
        self._excess = "", 0.0

    @classmethod
    async def start(
        cls, playwright: Playwright, program: BrowserProgram, flags: Sequence[str] = ()
    ) -> Self:
        """Start a browser; the later one of two equal flags counts."""
        # Not in a thread, since a task that is stopped meanwhile would leave the folder behind.
        folder = BrowserFolder.make(program.user)
        try:
            return cls(await _launch(playwright, program, folder, flags), folder)
        except BaseException as error:
            system.kill_group(folder.pid)
            words = folder.last_words
            folder.remove()
            if isinstance(error, PlaywrightError | TimeoutError):
                raise BrowserNotStartedError(_why_not(program, error, words)) from error
            raise

    async def address(self) -> str:
        """Return the WebSocket address for commands, if it was started with a port.

        No page, search or webhook reaches that port until the browser ends.
        """
        file = self.folder.path / "profile" / "DevToolsActivePort"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while self.browser.is_connected():
                    with contextlib.suppress(OSError, ValueError):
                        port, path = file.read_text().split()
                        self._port = int(port)
                        CLOSED_PORTS.add(self._port)
                        return f"ws://127.0.0.1:{self._port}{path}"
                    await asyncio.sleep(_LOOK_SECONDS)
        raise BrowserNotStartedError("it opened no port for an agent")

    def note_excess(self, reason: str) -> None:
        """Record why a page is about to crash."""
        self._excess = reason, asyncio.get_running_loop().time()

    def take_excess(self) -> str:
        """Return why a page was just ended; empty if it crashed by itself."""
        reason, noted_at = self._excess
        self._excess = "", 0.0
        is_new = asyncio.get_running_loop().time() - noted_at < _CRASH_SECONDS
        return reason if is_new else ""

    async def end(self) -> None:
        """End it with all of its processes, and delete its folder."""
        ending = asyncio.create_task(self._end(), name="browser-use: ends a browser process")
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            # Also when the server closes while a task cleans up: nothing may be left behind.
            await ending
            raise

    async def _end(self) -> None:
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await self.browser.close()
        # Its children, too, which may hang.
        system.kill_group(self.pid)
        CLOSED_PORTS.discard(self._port)
        await asyncio.to_thread(self.folder.remove)


async def _launch(
    playwright: Playwright, program: BrowserProgram, folder: BrowserFolder, flags: Sequence[str]
) -> Browser:
    closed = folder.closed_parent()
    if closed is not None:
        raise BrowserNotStartedError(
            f"it runs as {USER}, which cannot enter {closed}; name another folder for temporary "
            "files with TMPDIR"
        )
    return await playwright.chromium.launch(
        executable_path=folder.write_launcher(program, flags),
        args=list(_FLAGS),
        # Without it, a page that navigates in a loop blocks all other pages of the browser.
        ignore_default_args=["--disable-ipc-flooding-protection"],
        chromium_sandbox=program.sandbox,
        downloads_path=folder.path / "tmp",
        # Else Playwright makes a folder, which stays behind when the server is killed.
        artifacts_dir=folder.path / "tmp",
        env=dict(folder.environment),
        handle_sigint=False,
        handle_sigterm=False,
        handle_sighup=False,
        timeout=_START_SECONDS * 1000,
    )


def _why_not(program: BrowserProgram, error: BaseException, words: str) -> str:
    if "No usable sandbox" in words:
        return (
            "this machine lets it have no sandbox; allow unprivileged user namespaces "
            "(in a container: a seccomp profile that does), or do without the sandbox: --no-sandbox"
        )
    code = _EXIT_CODE.search(str(error))
    if code is not None:
        return f"it ended with code {code[1]}: {words or 'it said nothing'}"
    if isinstance(error, TimeoutError) or "Timeout" in str(error):
        return f"it was not ready within {_START_SECONDS:g} s"
    return f"{program.path} cannot be started: {str(error).splitlines()[0]}"
