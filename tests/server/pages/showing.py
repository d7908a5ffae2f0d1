"""An executor with an imitated browser: the test draws its pictures."""

import asyncio
import io
from collections.abc import AsyncIterator

from PIL import Image, ImageDraw

from browser_use_async.server.executors.protocol import Control
from browser_use_async.server.executors.view import Frame, Input
from browser_use_async.server.records import Assignment
from tests.server.steering import FromQueue

__all__ = ["PAGE", "Showing", "drawn"]

PAGE = (640, 480)
"""Width and height of the page."""


def drawn(number: int) -> Frame:
    """A picture with a number on it."""
    image, file = Image.new("P", PAGE, 0), io.BytesIO()
    image.putpalette(bytes((255, 255, 255, 32, 74, 135)))
    ImageDraw.Draw(image).text((24, 24), f"Frame {number}", fill=1, font_size=28)
    image.save(file, "PNG")
    return Frame(file.getvalue(), "image/png", *PAGE)


class Showing(FromQueue):
    """Shows the frames of the test, and records the input of a person.

    Attributes:
        inputs: The input of a person, in order.
        shown: How many frames each watcher has taken.
        refuses: Whether inputs fail.
    """

    name = "showing"

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[Input] = []
        self.shown = 0
        self.refuses = False
        self._frame: Frame | None = None
        self._changed = asyncio.Condition()
        self._has_browser = False

    async def show(self, frame: Frame) -> None:
        """Show another frame; the first one starts the browser."""
        async with self._changed:
            self._has_browser = True
            self._frame = frame
            self._changed.notify_all()

    async def end_browser(self) -> None:
        """End the browser."""
        async with self._changed:
            self._has_browser = False
            self._changed.notify_all()

    def view(self, task_id: str) -> "Showing | None":
        """The one browser, if it has been started."""
        return self if self._has_browser else None

    async def frames(self) -> AsyncIterator[Frame]:
        """Each frame when it is shown, except those that come while the consumer is busy."""
        given: Frame | None = None
        while True:
            async with self._changed:
                while self._has_browser and self._frame is given:
                    await self._changed.wait()
                if not self._has_browser or self._frame is None:
                    return
                given = self._frame
            self.shown += 1
            yield given

    async def put(self, event: Input) -> None:
        """Record it."""
        if self.refuses:
            raise RuntimeError("this browser is out of order")
        self.inputs.append(event)

    async def run(self, assignment: Assignment, control: Control):
        """Report item by item, and end the browser at the end."""
        try:
            async for item in super().run(assignment, control):
                yield item
        finally:
            await self.end_browser()
