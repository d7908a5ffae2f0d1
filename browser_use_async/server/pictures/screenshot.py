"""The picture of a step, for steps that bring none."""

import textwrap

import attrs

from browser_use_async.server.pictures.canvas import Canvas
from browser_use_async.server.pictures.font import GLYPH_HEIGHT, plain
from browser_use_async.server.pictures.png import Colour, encode_png

LONGEST_SIDE = 4096
"""The most dots that a drawn picture has on a side, so that no request can ask for gigabytes."""

_PALETTE: tuple[Colour, ...] = ((255, 255, 255), (28, 32, 40), (32, 74, 135), (96, 104, 118))
_WHITE, _BLACK, _BLUE, _GREY = range(4)
_MARGIN = 24
_LINE_GAP = 8


@attrs.frozen
class Drawing:
    """A screenshot that is drawn when somebody asks for it.

    Attributes:
        step: The step's number.
        goal: What the step set out to do, or why the task failed.
        url: The page.
        text: Lines of the page.
        viewport: Width and height in dots.
    """

    step: int
    goal: str
    url: str
    text: str
    viewport: tuple[int, int]

    def png(self) -> bytes:
        """The PNG file: the number in a bar, below it the URL, the goal and the page's text."""
        width, height = (min(side, LONGEST_SIDE) for side in self.viewport)
        canvas = Canvas(width, height, _WHITE)
        large, small = (4, 2) if width >= 640 else (2, 1)
        bar = GLYPH_HEIGHT * large + 2 * _MARGIN
        canvas.band(0, bar, _BLUE)
        title = f"Step {self.step}"
        canvas.text(_MARGIN, _MARGIN, title, size=large, ink=_WHITE, paper=_BLUE)
        below = _paragraph(canvas, bar + _MARGIN, self.url, small, _GREY)
        below = _paragraph(canvas, below, self.goal, small + 1, _BLUE)
        _paragraph(canvas, below, self.text, small, _BLACK)
        return encode_png(width, canvas.pixels, _PALETTE)


def _paragraph(canvas: Canvas, top: int, text: str, size: int, ink: int) -> int:
    """Write wrapped lines until the lower edge; the row where the next paragraph may begin."""
    height = GLYPH_HEIGHT * size + _LINE_GAP
    room = (canvas.height - top) // height
    columns = canvas.columns(_MARGIN, size)
    # No more text is wrapped than can be seen: a page may bring megabytes.
    for line in plain(text[: room * columns * 2] if room > 0 else "").splitlines()[:room]:
        for part in textwrap.wrap(line, columns) or [""]:
            if top + height > canvas.height:
                return top
            canvas.text(_MARGIN, top, part, size=size, ink=ink, paper=_WHITE)
            top += height
    return top + _LINE_GAP
