"""The browser as one task has it: windows, cookies, files and connections of its own."""

import asyncio
import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from browser_use_async.server.egress.proxy import Gateway
from browser_use_async.server.executors.chromium.browser import Browser
from browser_use_async.server.executors.chromium.connection import (
    DevToolsError,
    NoAnswerError,
    PageLostError,
    Session,
)
from browser_use_async.server.executors.chromium.downloads import Downloads
from browser_use_async.server.executors.chromium.screencast import Screencast
from browser_use_async.server.executors.chromium.tab import Tab
from browser_use_async.server.executors.chromium.tab_settings import TabSettings, mask_script
from browser_use_async.server.executors.protocol import Assignment
from browser_use_async.server.jobs.redaction import SecretRedactor

_COOKIE_FIELDS = ("name", "value", "domain", "path", "expires", "httpOnly", "secure", "sameSite")


class TaskBrowser:
    """One task's own context in the shared browser.

    Args:
        browser: The shared browser.
        gateway: The way out, which is open already.
        assignment: The task.

    Attributes:
        gateway: The way out.
        downloads: What has been downloaded.
        screencast: What a person sees who watches.
    """

    def __init__(self, browser: Browser, gateway: Gateway, assignment: Assignment) -> None:
        self._browser = browser
        self._assignment = assignment
        self._context_id = ""
        self._folder = browser.process.folder / "tasks" / assignment.task_id
        self._tabs: dict[str, Tab] = {}
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._offered: list[Path] = []
        self._settings = TabSettings(
            viewport=assignment.viewport,
            mask=mask_script(SecretRedactor(assignment.secrets).values),
            choose_files=self._choose_files,
        )
        self.gateway = gateway
        self.downloads = Downloads(self._folder / "downloads")
        self.screencast = Screencast(assignment.viewport)

    async def open(self) -> None:
        """Make the context and its first window.

        Raises:
            DevToolsError: The browser does not do so.
        """
        await asyncio.to_thread(self._make_folders)
        self._context_id = await self._browser.admit(self, self.gateway.port)
        commands = self._browser.commands
        await commands.send(
            "Browser.setDownloadBehavior",
            behavior="allowAndName",
            browserContextId=self._context_id,
            downloadPath=str(self._folder / "downloads"),
            eventsEnabled=True,
        )
        await self._bring_cookies(self._assignment.cookies)
        await commands.send(
            "Target.createTarget", url="about:blank", browserContextId=self._context_id
        )
        await self.current()

    async def aclose(self) -> None:
        """Close the context, and delete its files."""
        self.screencast.end()
        for work in self._preparing.values():
            work.cancel()
        await asyncio.gather(*self._preparing.values(), return_exceptions=True)
        try:
            if self._context_id:
                await self._browser.dismiss(self._context_id)
        finally:
            for tab in self._tabs.values():  # of whose end nobody tells any more
                tab.lose("the page has been closed")
            self._tabs.clear()
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def current(self) -> Tab:
        """The window that was opened last and is open, ready to be used.

        Raises:
            PageLostError: There is none.
            DevToolsError: It cannot be set up.
        """
        while self._tabs:
            session_id, tab = list(self._tabs.items())[-1]
            try:
                await asyncio.shield(self._preparing[session_id])
            except DevToolsError:
                if session_id in self._tabs:
                    raise
            if session_id in self._tabs:  # it may have closed itself meanwhile
                return tab
        raise PageLostError("the page has been closed")

    @property
    def folder(self) -> Path:
        """Where the files of the task are."""
        return self._folder

    @property
    def window_count(self) -> int:
        """How many windows are open."""
        return len(self._tabs)

    async def cookies(self) -> list[dict[str, Any]]:
        """All cookies of the context.

        Raises:
            DevToolsError: The browser does not tell.
        """
        answer = await self._browser.commands.send(
            "Storage.getCookies", browserContextId=self._context_id
        )
        return [
            {name: cookie[name] for name in _COOKIE_FIELDS if name in cookie}
            for cookie in answer["cookies"]
        ]

    def file(self, name: str) -> str | None:
        """The path of a file that came with the task, or None if none has this name.

        Args:
            name: Its name.
        """
        return next((str(path) for path in self._offered if path.name == name), None)

    # --- what the browser tells -----------------------------------------------------------

    def window_opened(self, session: Session, target_id: str, *, waits: bool) -> None:
        """Take over a window; it is the current one from now on.

        Args:
            session: Commands for it.
            target_id: Its id.
            waits: Whether it waits to be set up.
        """
        tab = Tab(session, target_id, self._settings)
        self._tabs[session.id] = tab
        loop = asyncio.get_running_loop()
        self._preparing[session.id] = loop.create_task(self._prepare(tab, waits=waits))

    def window_closed(self, session_id: str) -> None:
        """Let go of a window.

        Args:
            session_id: The session with which it was taken over.
        """
        tab = self._tabs.pop(session_id, None)
        if tab is not None:
            tab.lose("the page has been closed")
            if self._tabs:
                self.screencast.follow(list(self._tabs.values())[-1])

    def download_begun(self, event: Mapping[str, Any]) -> bool:
        """Note that a download begins, if one of the windows has begun it.

        Args:
            event: What the browser says about it.

        Returns:
            Whether it is one of this task's.
        """
        is_ours = any(event["frameId"] in tab.frames for tab in self._tabs.values())
        if is_ours:
            self.downloads.begin(event)
        return is_ours

    def download_moved(self, event: Mapping[str, Any]) -> None:
        """Note how far a download is.

        Args:
            event: What the browser says about it.
        """
        if self.downloads.progress(event):
            self._browser.commands.post(
                "Browser.cancelDownload", guid=event["guid"], browserContextId=self._context_id
            )

    async def _prepare(self, tab: Tab, *, waits: bool) -> None:
        try:
            await tab.prepare(waits=waits)
        except NoAnswerError as error:
            raise PageLostError(f"a new page could not be set up: {error}") from error
        self.screencast.follow(tab)

    # --- cookies and files ----------------------------------------------------------------

    async def _bring_cookies(self, cookies: Sequence[Mapping[str, Any]]) -> None:
        for cookie in cookies:
            kept = {name: cookie[name] for name in _COOKIE_FIELDS if cookie.get(name) is not None}
            # One that the browser does not take must not keep the others out.
            with contextlib.suppress(DevToolsError):
                await self._browser.commands.send(
                    "Storage.setCookies", cookies=[kept], browserContextId=self._context_id
                )

    def _make_folders(self) -> None:
        (self._folder / "downloads").mkdir(parents=True)
        uploads = self._folder / "uploads"
        uploads.mkdir()
        for name, content in self._assignment.files.items():
            path = uploads / Path(name).name
            path.write_bytes(content)
            self._offered.append(path)

    def _choose_files(self, several: bool) -> list[str]:
        chosen = [str(path) for path in self._offered]
        return chosen if several else chosen[:1]
