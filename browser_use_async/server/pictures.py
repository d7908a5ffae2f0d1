"""The picture of a step, for steps that bring none: what it says, drawn on a page.

Pillow draws it, which the extra `server` brings. Without it the picture is a white page.
"""

import io
import struct
import unicodedata
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

# The most dots on a side of a drawn picture, so that no request can cost gigabytes.
LONGEST_SIDE = 4096

_WHITE, _BLACK, _BLUE, _GREY = range(4)
_PALETTE = bytes((255, 255, 255, 28, 32, 40, 32, 74, 135, 96, 104, 118))
_MARGIN = 24
_LINE_HEIGHT = 1.5
_LONGEST_LINE = 400  # characters, which no picture is wide enough for
_FASTEST = 1  # drawn pictures have mostly one colour, so more effort would gain nothing
# Pillow's font has ASCII and quotation marks.
_LOOKALIKES = {ord("\u2022"): "*", ord("\u00df"): "ss"}


def draw_step(step: int, goal: str, url: str, text: str, viewport: tuple[int, int]) -> bytes:
    """The PNG file of a step: the number in a bar, below it the URL, the goal and the page's text.

    The goal of a failed task's last step is why it failed.
    """
    width, height = (min(side, LONGEST_SIDE) for side in viewport)
    if find_spec("PIL") is None:
        return _white_page(width, height)
    # An optional dependency, loaded when a picture is requested.
    from PIL import Image, ImageDraw  # noqa: PLC0415

    image = Image.new("P", (width, height), _WHITE)
    image.putpalette(_PALETTE)
    canvas = ImageDraw.Draw(image)
    large, small = (28, 16) if width >= 640 else (16, 10)
    bar = large + 2 * _MARGIN
    canvas.rectangle((0, 0, width, bar), fill=_BLUE)
    _paragraph(canvas, _MARGIN, f"Step {step}", large, _WHITE)
    below = _paragraph(canvas, bar + _MARGIN, url, small, _GREY)
    below = _paragraph(canvas, below, goal, small + 4, _BLUE)
    _paragraph(canvas, below, text, small, _BLACK)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=_FASTEST)
    return file.getvalue()


def _paragraph(canvas: "ImageDraw", top: int, text: str, size: int, ink: int) -> int:
    """Write wrapped lines until the lower edge; the row where the next paragraph may begin."""
    width, height = canvas.im.size
    step = round(size * _LINE_HEIGHT)
    room = max(0, (height - top) // step)
    # Only visible text is measured, since a page may have megabytes.
    for line in _plain(text[: room * _LONGEST_LINE]).splitlines()[:room]:
        for part in _wrapped(line, size, width - 2 * _MARGIN):
            if top + step > height:
                return top
            canvas.text((_MARGIN, top), part, fill=ink, font=_font(size))
            top += step
    return top + step // 2


def _wrapped(line: str, size: int, width: int) -> Iterator[str]:
    """The parts of a line that fit into a width, ended at spaces where there are any."""
    rest = " ".join(line.split())
    while True:
        ends = list(accumulate(_advance(each, size) for each in rest[:_LONGEST_LINE]))
        fitting = bisect_right(ends, width)
        if fitting == len(rest):
            yield rest
            return
        end = rest.rfind(" ", 0, fitting + 1)
        end = end if end > 0 else max(fitting, 1)
        yield rest[:end]
        rest = rest[end:].lstrip()


# By character, because measuring a whole line lays it out each time.
@lru_cache(maxsize=4096)
def _advance(character: str, size: int) -> float:
    """How many dots wide a character is in pictures without shades."""
    return _font(size).getlength(character, mode="1")


@lru_cache(maxsize=8)
def _font(size: int) -> "FreeTypeFont":
    """The font that Pillow brings."""
    from PIL.ImageFont import FreeTypeFont, load_default  # noqa: PLC0415 - optional

    font = load_default(size)
    assert isinstance(font, FreeTypeFont)  # every Pillow from the registry draws such fonts
    return font


def _plain(text: str) -> str:
    """The text in characters of the font: without accents, compatible characters decomposed."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_LOOKALIKES))
    return "".join(each for each in decomposed if not unicodedata.combining(each))


def _white_page(width: int, height: int) -> bytes:
    """A PNG file of one bit for each dot."""
    rows = (b"\0" + b"\xff" * -(-width // 8)) * height
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, _FASTEST)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
