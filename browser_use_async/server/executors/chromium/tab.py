"""One page of a task's browser: opening addresses, waiting for it to come to rest, asking it."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from browser_use_async.server.executors.chromium.connection import (
    CommandFailedError,
    DevToolsError,
    NoAnswerError,
    PageLostError,
    Session,
)
from browser_use_async.server.executors.chromium.tab_settings import WORLD, TabSettings, script

_LOAD_SECONDS = 30.0
_TAKE_SECONDS = 5.0
_NOTICE_SECONDS = 0.05
_QUIET_SECONDS = 0.1
_MOST_QUIET_SECONDS = 3.0
_LOOK_SECONDS = 0.02


@attrs.frozen
class Document:
    """The document that a page shows, or tried to.

    Attributes:
        url: Its address.
        status: The HTTP status; 0 if no answer came.
        error: Chromium's name for what went wrong, such as `net::ERR_ABORTED`.
    """

    url: str
    status: int = 0
    error: str = ""


class Tab:
    """One page, in a window or tab of its own.

    Args:
        session: Commands for it.
        target_id: What the browser calls it, which is also the id of its main frame.
        settings: What all pages of the task have in common.

    Attributes:
        document: What it shows.
        frames: The ids of its frames.
        dialogs: What it has said in message boxes, which are answered with OK.
        asked: Set as soon as it has asked for a document.
    """

    def __init__(self, session: Session, target_id: str, settings: TabSettings) -> None:
        self.session = session
        self.target_id = target_id
        self.document = Document("about:blank")
        self.frames = {target_id}
        self.dialogs: list[str] = []
        self.asked = asyncio.Event()
        self._settings = settings
        self._loading = False
        self._inflight: set[str] = set()
        self._document_request = ""
        self._asked_loader = self._shown_loader = ""  # the browser's ids for loading a document
        self._frame_sessions: list[str] = []
        self._lost = ""
        self._listen()

    def _listen(self) -> None:
        on = self.session.on
        on("Network.requestWillBeSent", self._request_sent)
        on("Network.responseReceived", self._response_received)
        on("Network.loadingFinished", self._request_ended)
        on("Network.loadingFailed", self._request_ended)
        on("Page.frameStartedLoading", lambda event: self._set_loading(event, loading=True))
        on("Page.frameStoppedLoading", lambda event: self._set_loading(event, loading=False))
        on("Page.frameNavigated", self._frame_navigated)
        on("Page.frameAttached", lambda event: self.frames.add(event["frameId"]))
        on("Page.javascriptDialogOpening", self._dialog_opened)
        on("Page.fileChooserOpened", self._files_asked_for)
        on("Inspector.targetCrashed", self._crashed)
        on("Target.attachedToTarget", self._frame_attached)

    async def prepare(self, *, waits: bool) -> None:
        """Set it up, and let it begin.

        Args:
            waits: Whether it waits for that.
        """
        width, height = self._settings.viewport
        commands = [
            self.session.send("Page.enable"),
            self.session.send("Inspector.enable"),
            # No bodies are asked for, so none need be held.
            self.session.send("Network.enable", maxTotalBufferSize=0, maxResourceBufferSize=0),
            self.session.send(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=height,
                deviceScaleFactor=1,
                mobile=False,
            ),
            self.session.send("Emulation.setFocusEmulationEnabled", enabled=True),
            self.session.send("Page.setInterceptFileChooserDialog", enabled=True),
        ]
        self.mask()
        if waits:
            commands.append(self.session.send("Runtime.runIfWaitingForDebugger"))
        await asyncio.gather(*commands)

    def mask(self) -> None:
        """Keep secrets out of its pictures from now on; part of setting it up."""
        self._mask(self.session)

    async def open(self, url: str) -> None:
        """Open an address and wait until the page has come to rest.

        Args:
            url: The address.

        Raises:
            DevToolsError: The page or the browser is gone or hangs.
        """
        self.document = Document(url)
        answer = await self.session.send("Page.navigate", url=url, seconds=_LOAD_SECONDS)
        error = answer.get("errorText", "")
        if error:
            self.document = attrs.evolve(self.document, error=error)
        await self.settle()

    async def settle(self) -> None:
        """Wait until the page has come to rest: loaded, and its scripts ask for nothing more.

        Raises:
            PageLostError: It is gone.
            BrowserLostError: The browser is.
            NoAnswerError: It is still loading after half a minute.
        """
        await asyncio.sleep(_NOTICE_SECONDS)
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
        raise NoAnswerError(f"it was still loading after {_LOAD_SECONDS:g} s")

    async def take(self, command: str, **parameters: Any) -> None:
        """Give the page an input, and wait until what it does at once about it is known.

        A busy machine may take its time for that, and a page that has not even begun to load the
        next one looks as one that stays. An input may also close the page, or hang it: whoever asks
        the page next finds out.

        Args:
            command: The input's command.
            parameters: Its parameters.
        """
        with contextlib.suppress(DevToolsError):
            await self.session.send(command, seconds=_TAKE_SECONDS, **parameters)
            # The page's own news come another way than that answer, but the same way as this one.
            await self.session.send("Runtime.evaluate", expression="0", seconds=_TAKE_SECONDS)

    async def ask(self, function: str, *arguments: Any) -> Any:
        """Call one of the functions of `page.js`.

        Args:
            function: Its name.
            arguments: What it takes.

        Returns:
            What it returns, by value.

        Raises:
            DevToolsError: The page is gone, hangs, or the function failed.
        """
        result = await self._evaluate(_call(function, arguments), by_value=True)
        return result.get("value")

    async def object(self, function: str, *arguments: Any) -> str:
        """Call one of the functions of `page.js` that returns an element.

        Args:
            function: Its name.
            arguments: What it takes.

        Returns:
            The browser's id for the element.

        Raises:
            DevToolsError: The page is gone, hangs, or the function failed.
        """
        result = await self._evaluate(_call(function, arguments), by_value=False)
        object_id: str = result["objectId"]
        return object_id

    async def picture(self, kind: Literal["png", "jpeg"] = "png") -> bytes:
        """What is to be seen of it, of the viewport's size.

        Args:
            kind: The kind of file.

        Raises:
            DevToolsError: The page is gone or hangs.
        """
        answer = await self.session.send("Page.captureScreenshot", format=kind)
        return base64.b64decode(answer["data"])

    @property
    def is_given_up(self) -> bool:
        """Whether the document that it asked for is not shown: it is a file, or nothing at all."""
        is_other = bool(self._asked_loader) and self._asked_loader != self._shown_loader
        return is_other and self.document.error in {"", "net::ERR_ABORTED"}

    def check(self) -> None:
        """Make sure that it is still there.

        Raises:
            PageLostError: It is gone.
            BrowserLostError: The browser is.
        """
        self.session.connection.check()
        if self._lost:
            raise PageLostError(self._lost)

    def lose(self, reason: str) -> None:
        """Whoever waits for it waits no longer.

        Args:
            reason: What happened to it, as a clause.
        """
        self._lost = reason
        for session_id in (self.session.id, *self._frame_sessions):
            self.session.connection.forget(session_id, PageLostError(reason))

    async def _evaluate(self, expression: str, *, by_value: bool) -> Mapping[str, Any]:
        for _ in range(2):
            with contextlib.suppress(CommandFailedError):
                return await self._evaluated(expression, by_value=by_value)
            # The page moved on in between.
            await self.settle()
        return await self._evaluated(expression, by_value=by_value)

    async def _evaluated(self, expression: str, *, by_value: bool) -> Mapping[str, Any]:
        self.check()
        world = await self.session.send(
            "Page.createIsolatedWorld", frameId=self.target_id, worldName=WORLD
        )
        answer = await self.session.send(
            "Runtime.evaluate",
            expression=expression,
            contextId=world["executionContextId"],
            returnByValue=by_value,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            words = details.get("exception", {}).get("description") or details.get("text", "")
            raise CommandFailedError(f"a question to the page failed: {str(words).splitlines()[0]}")
        result: Mapping[str, Any] = answer["result"]
        return result

    def _mask(self, session: Session) -> None:
        if self._settings.mask:
            session.post(
                "Page.addScriptToEvaluateOnNewDocument",
                source=self._settings.mask,
                worldName=f"{WORLD}-mask",
                runImmediately=True,
            )
            # Frames of other sites live in processes of their own.
            session.post(
                "Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True
            )

    # --- what the page does ---------------------------------------------------------------

    def _request_sent(self, event: Mapping[str, Any]) -> None:
        is_document = event.get("type") == "Document"
        if is_document and event.get("frameId") != self.target_id:
            return  # of a frame that may go on in another process, so that its end is not told
        if is_document:
            self.asked.set()
            self._document_request = event["requestId"]
            self._asked_loader = str(event.get("loaderId", ""))
            self.document = Document(event["request"]["url"])
        if event["request"]["url"].startswith(("http:", "https:")):
            self._inflight.add(event["requestId"])

    def _response_received(self, event: Mapping[str, Any]) -> None:
        if event["requestId"] == self._document_request:
            response = event["response"]
            self.document = Document(response["url"], response["status"])

    def _request_ended(self, event: Mapping[str, Any]) -> None:
        self._inflight.discard(event["requestId"])
        if event["requestId"] == self._document_request and event.get("errorText"):
            self.document = attrs.evolve(self.document, error=event["errorText"])

    def _frame_navigated(self, event: Mapping[str, Any]) -> None:
        if event["frame"]["id"] == self.target_id:
            self._shown_loader = str(event["frame"]["loaderId"])

    def _set_loading(self, event: Mapping[str, Any], *, loading: bool) -> None:
        if event["frameId"] == self.target_id:
            self._loading = loading
            if loading:
                self._inflight.clear()

    def _dialog_opened(self, event: Mapping[str, Any]) -> None:
        if event.get("message"):
            self.dialogs.append(str(event["message"])[:300])
        self.session.post("Page.handleJavaScriptDialog", accept=True)

    def _files_asked_for(self, event: Mapping[str, Any]) -> None:
        chosen = self._settings.choose_files(event.get("mode") == "selectMultiple")
        if chosen and "backendNodeId" in event:
            node = event["backendNodeId"]
            self.session.post("DOM.setFileInputFiles", files=chosen, backendNodeId=node)

    def _crashed(self, _: Mapping[str, Any]) -> None:
        self.lose("the page has crashed")

    def _frame_attached(self, event: Mapping[str, Any]) -> None:
        inner = self.session.connection.session(event["sessionId"])
        self._frame_sessions.append(inner.id)
        if event["targetInfo"]["type"] == "iframe":
            self.frames.add(event["targetInfo"]["targetId"])
            inner.on("Target.attachedToTarget", self._frame_attached)
            inner.post("Page.enable")
            self._mask(inner)
        inner.post("Runtime.runIfWaitingForDebugger")


def _call(function: str, arguments: tuple[Any, ...]) -> str:
    return f"({script('page')}).{function}({', '.join(map(json.dumps, arguments))})"
