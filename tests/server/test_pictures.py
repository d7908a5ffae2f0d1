"""Drawn screenshots: real PNG files with readable text."""

import sys

import pytest
from PIL import Image, ImageDraw

from browser_use_async.server.pictures import LONGEST_SIDE, draw_step
from tests.server.pngs import read_png

WHITE, BLACK, BLUE, GREY = (255, 255, 255), (28, 32, 40), (32, 74, 135), (96, 104, 118)
_LEFT = 24

Colour = tuple[int, int, int]


def _row_of(image: Image.Image, text: str, size: int, ink: Colour, paper: Colour = WHITE) -> int:
    """The row at which a line of text is in a picture, with nothing beside it."""
    line = Image.new("P", (image.width, size + size // 3), 0)
    line.putpalette(bytes((*paper, *ink)))
    ImageDraw.Draw(line).text((_LEFT, 0), text, fill=1, font_size=size)
    expected = line.convert("RGB").tobytes()
    rows, width = image.tobytes(), image.width * 3
    found = [
        top
        for top in range(image.height - line.height)
        if rows[top * width : top * width + len(expected)] == expected
    ]
    assert len(found) == 1, (text, found)
    return found[0]


def test_the_text_of_a_screenshot_can_be_read():
    """Number, URL, goal and the page's text, from top to bottom."""
    data = draw_step(
        7, "Find the price", "https://example.com/shop", "Blue chair\nRed table", (1280, 960)
    )
    image = read_png(data)
    rows = [
        _row_of(image, "Step 7", 28, WHITE, BLUE),
        _row_of(image, "https://example.com/shop", 16, GREY),
        _row_of(image, "Find the price", 20, BLUE),
        _row_of(image, "Blue chair", 16, BLACK),
        _row_of(image, "Red table", 16, BLACK),
    ]

    assert image.size == (1280, 960)
    assert rows == sorted(rows)


def test_other_characters_become_plain():
    """Accents are removed, and characters that the font lacks are replaced."""
    image = read_png(draw_step(1, "", "", "“Crème brûlée” \u2022 groß", (800, 400)))

    _row_of(image, "“Creme brulee” * gross", 16, BLACK)


def test_long_lines_are_wrapped_at_words():
    """No word passes the right edge, and one that is longer than a line is broken."""
    text = "alpha beta gamma delta " + "W" * 100
    image = read_png(draw_step(1, "", "", text, (160, 400)))
    edge = image.crop((140, 80, 160, 400))

    assert edge.getcolors() == [(edge.width * edge.height, WHITE)]
    assert _row_of(image, "alpha beta gamma", 10, BLACK) < _row_of(image, "delta", 10, BLACK)


@pytest.mark.parametrize("viewport", [(1, 1), (40, 3), (200, 40), (1920, 1080)])
def test_every_viewport_has_its_picture(viewport: tuple[int, int]):
    """This includes viewports without room for text."""
    text = "word " * 1000 + "\n" * 50

    assert read_png(draw_step(1, text, text, text, viewport)).size == viewport


def test_a_huge_viewport_is_bounded():
    """No request can cause a picture of gigabytes."""
    assert read_png(draw_step(1, "", "", "", (10**9, 5))).size == (LONGEST_SIDE, 5)


@pytest.mark.parametrize("viewport", [(1, 1), (40, 3), (1280, 960)])
def test_without_pillow_the_picture_is_a_white_page(
    viewport: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    """A PNG file of the right size."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    data = draw_step(7, "Find the price", "https://example.com/shop", "Blue chair", viewport)
    monkeypatch.undo()
    image = read_png(data)

    assert image.size == viewport
    assert image.getcolors() == [(viewport[0] * viewport[1], WHITE)]
