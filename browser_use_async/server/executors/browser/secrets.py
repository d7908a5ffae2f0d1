"""Secrets in pictures: hidden while the page is shown, and painted over in screenshots.

A screenshot is painted over after it has been taken, so that no page can undo it. Painted over are
each field into which a secret was typed, and each text that contains one, in the browser's layout.
The layout also has text of separate elements, capitals, generated content and shadow roots. Text
that a page draws as a picture is not found.
"""

import asyncio
import contextlib
import io
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
from playwright.async_api import ElementHandle, Frame, Page
from playwright.async_api import Error as PlaywrightError

from browser_use_async.server.executors.browser.launch import BrowserError
from browser_use_async.server.executors.browser.page import TaskPage, script
from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.loops import BackgroundTasks
from browser_use_async.server.secrets.one_time_codes import is_seed, latest_codes

_WORLD = "browser-use-async-mask"
_MARGIN = 2.0
_SECONDS = 5.0
_GREY = (128, 128, 128)

Box = tuple[float, float, float, float]
"""Left, top, right and bottom edge in CSS pixels of the window."""


class SecretMask:
    """Removes the secrets of a task from the pictures of its pages."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._values = SecretRedactor(secrets).values
        self._plain = [_plain(value) for value in self._values if _plain(value)]
        self._seeds = [value for value in self._values if is_seed(value)]
        self._fields: list[ElementHandle] = []
        self._work = BackgroundTasks("types secrets into a page")

    async def install(self, page: Page) -> None:
        """Hide secrets in the live view of a page from now on."""
        if self._values:
            await self._install(page)
            # Frames of other sites have their own processes.
            page.on("framenavigated", self._follow)

    def note_field(self, element: ElementHandle) -> None:
        """Paint over a field from now on, because a secret is typed into it."""
        self._fields.append(element)

    async def screenshot(self, page: TaskPage) -> bytes:
        """Take a screenshot of a page, and paint the secrets over."""
        if not self._values and not self._fields:
            return await page.screenshot()
        # An element that moves meanwhile is painted over at both places, before and after.
        boxes = await self._boxes(page)
        picture = await page.screenshot()
        boxes += await self._boxes(page)
        return await asyncio.to_thread(_painted_over, picture, boxes) if boxes else picture

    async def _install(self, target: Page | Frame) -> None:
        source = f"{script('mask')}({json.dumps(self._values)})"
        # In an isolated world: the page's scripts must not read the values of secrets.
        parameters = {"source": source, "worldName": _WORLD, "runImmediately": True}
        page = target if isinstance(target, Page) else target.page
        # Fails if it is gone, and for frames of the page's own process, which have the script.
        with contextlib.suppress(PlaywrightError):
            session = await page.context.new_cdp_session(target)
            await session.send("Page.enable")
            await session.send("Page.addScriptToEvaluateOnNewDocument", parameters)

    def _follow(self, frame: Frame) -> None:
        if frame.parent_frame is not None:
            self._work.start(self._install(frame))

    async def _boxes(self, page: TaskPage) -> list[Box]:
        boxes: list[Box] = []
        for element in self._fields:
            with contextlib.suppress(BrowserError):
                box = await page.run(element.bounding_box(), "a field", _SECONDS)
                if box is not None:
                    left, top = box["x"], box["y"]
                    boxes.append((left, top, left + box["width"], top + box["height"]))
        boxes += await self._texts(page, page.page, 0.0, 0.0)
        for frame in page.page.frames[1:]:
            with contextlib.suppress(BrowserError):
                element = await page.run(frame.frame_element(), "a frame", _SECONDS)
                place = await page.run(element.bounding_box(), "a frame", _SECONDS)
                if place is not None:
                    boxes += await self._texts(page, frame, place["x"], place["y"])
        return boxes

    async def _texts(self, page: TaskPage, where: Any, left: float, top: float) -> list[Box]:
        session = await page.run(page.page.context.new_cdp_session(where), "a session")
        try:
            taking = session.send("DOMSnapshot.captureSnapshot", {"computedStyles": []})
            snapshot = await page.run(taking, "a snapshot")
        finally:
            page.in_background(session.detach)  # a page that hangs must not delay its caller
        codes = [code for seed in self._seeds for code in latest_codes(seed)]
        found = _Snapshot(snapshot).boxes([*self._plain, *codes])
        return [(x + left, y + top, right + left, end + top) for x, y, right, end in found]


@attrs.frozen
class _Snapshot:
    """The browser's layout of a page and of the frames in its process."""

    answer: Mapping[str, Any]

    def boxes(self, secrets: Sequence[str]) -> list[Box]:
        """Return the boxes in which one of the secrets can be read."""
        return list(self._in_document(0, 0.0, 0.0, secrets))

    def _in_document(
        self, number: int, left: float, top: float, secrets: Sequence[str]
    ) -> Iterator[Box]:
        document = self.answer["documents"][number]
        layout, nodes = document["layout"], document["nodes"]
        left -= document.get("scrollOffsetX", 0.0)
        top -= document.get("scrollOffsetY", 0.0)

        def box(index: int) -> Box:
            x, y, width, height = layout["bounds"][index]
            return x + left, y + top, x + width + left, y + height + top

        place_of = {node: index for index, node in enumerate(layout["nodeIndex"])}
        for index in self._repeating(layout["text"], secrets):
            yield box(index)
        for name in ("inputValue", "textValue"):
            values = nodes.get(name, {"index": [], "value": []})
            for node, value in zip(values["index"], values["value"], strict=True):
                if node in place_of and self._repeats(value, secrets):
                    yield box(place_of[node])
        for node, attributes in enumerate(nodes["attributes"]):
            if node in place_of and any(self._repeats(each, secrets) for each in attributes[1::2]):
                yield box(place_of[node])
        inner = nodes.get("contentDocumentIndex", {"index": [], "value": []})
        for node, document_number in zip(inner["index"], inner["value"], strict=True):
            if node in place_of:
                x, y, _, _ = box(place_of[node])
                yield from self._in_document(document_number, x, y, secrets)

    def _repeating(self, texts: Sequence[int], secrets: Sequence[str]) -> set[int]:
        """Return the indexes of texts that contain a secret, alone or together with others."""
        parts, owners = [], []
        for index, text in enumerate(texts):
            plain = _plain(self._string(text))
            parts.append(plain)
            owners += [index] * len(plain)
        whole, found = "".join(parts), set[int]()
        for secret in secrets:
            start = whole.find(secret)
            while start >= 0:
                found.update(owners[start : start + len(secret)])
                start = whole.find(secret, start + 1)
        return found

    def _repeats(self, text: int, secrets: Sequence[str]) -> bool:
        plain = _plain(self._string(text))
        return any(secret in plain for secret in secrets)

    def _string(self, index: int) -> str:
        return str(self.answer["strings"][index]) if index >= 0 else ""


def _plain(text: str) -> str:
    """Return a text without case, blanks and invisible characters, which readers ignore."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(
        each for each in folded if not each.isspace() and unicodedata.category(each) != "Cf"
    )


def _painted_over(picture: bytes, boxes: Sequence[Box]) -> bytes:
    from PIL import Image, ImageDraw  # noqa: PLC0415 - only for tasks with secrets

    with Image.open(io.BytesIO(picture)) as image:
        painted = image.convert("RGB")
    draw = ImageDraw.Draw(painted)
    for left, top, right, bottom in boxes:
        if right > left and bottom > top:
            edges = (left - _MARGIN, top - _MARGIN, right + _MARGIN, bottom + _MARGIN)
            draw.rectangle(edges, fill=_GREY)
    written = io.BytesIO()
    painted.save(written, "PNG")
    return written.getvalue()
