"""Drawn screenshots: real PNG files on which the text can be read."""

import string

import pytest

from browser_use_async.server.pictures import Drawing
from browser_use_async.server.pictures.canvas import Canvas
from browser_use_async.server.pictures.font import GLYPH_HEIGHT, GLYPH_WIDTH, glyph, plain
from browser_use_async.server.pictures.png import encode_png
from browser_use_async.server.pictures.screenshot import LONGEST_SIDE
from tests.server.pngs import read_png


def _seen(rows: list[bytes], left: int, top: int, size: int, length: int) -> str:
    """What somebody reads who compares dots with the font: the line that begins there."""
    ink_of = {glyph(character): character for character in string.printable[:95]}
    paper = rows[top - 1][left]
    text = ""
    for column in range(left, left + length * (GLYPH_WIDTH + 1) * size, (GLYPH_WIDTH + 1) * size):
        drawn = tuple(
            "".join(
                "." if rows[top + row * size][column + dot * size] == paper else "#"
                for dot in range(GLYPH_WIDTH)
            )
            for row in range(GLYPH_HEIGHT)
        )
        text += ink_of[drawn]
    return text


def test_the_font_has_every_printable_character_once():
    """Each is five by seven dots and unlike every other."""
    drawn = [glyph(character) for character in string.printable[:95]]

    assert len(set(drawn)) == 95
    assert {len(rows) for rows in drawn} == {GLYPH_HEIGHT}
    assert {len(row) for rows in drawn for row in rows} == {GLYPH_WIDTH}
    assert {dot for rows in drawn for row in rows for dot in row} == {".", "#"}


def test_other_characters_become_plain_or_a_box():
    """Accents go, quotation marks become simple ones, and what remains is a box."""
    assert (
        plain("\u201cCr\u00e8me br\u00fbl\u00e9e\u201d \u2013 gro\u00df")
        == '"Creme brulee" - gross'
    )
    assert glyph("\u6f22") not in {glyph(character) for character in string.printable[:95]}


def test_a_png_can_be_decoded():
    """Signature, chunks, checksums, and the dots as they were."""
    data = encode_png(3, bytes([0, 1, 0, 1, 1, 1]), [(0, 0, 0), (255, 0, 0)])

    assert read_png(data) == (3, 2, [bytes([0, 1, 0]), bytes([1, 1, 1])])


def test_the_text_of_a_screenshot_can_be_read():
    """Number, URL, goal and the page's text, from top to bottom."""
    drawing = Drawing(
        7, "Find the price", "https://example.com/shop", "Blue chair\nRed table", (1280, 960)
    )
    width, height, rows = read_png(drawing.png())

    assert (width, height) == (1280, 960)
    assert _seen(rows, 24, 24, 4, 6) == "Step 7"
    assert _seen(rows, 24, 100, 2, 24) == "https://example.com/shop"
    assert _seen(rows, 24, 130, 3, 14) == "Find the price"
    assert _seen(rows, 24, 167, 2, 10) == "Blue chair"
    assert _seen(rows, 24, 189, 2, 9) == "Red table"


def test_long_lines_are_wrapped_at_words():
    """No word runs over the right edge."""
    _, _, rows = read_png(Drawing(1, "", "", "alpha beta gamma delta", (160, 200)).png())

    assert {row[-20:] for row in rows[80:]} == {rows[-1][-20:]}


@pytest.mark.parametrize("viewport", [(1, 1), (40, 3), (200, 40), (1920, 1080)])
def test_every_viewport_has_its_picture(viewport: tuple[int, int]):
    """Also where no text has room."""
    text = "word " * 1000 + "\n" * 50
    width, height, _ = read_png(Drawing(1, text, text, text, viewport).png())

    assert (width, height) == viewport


def test_a_huge_viewport_is_bounded():
    """No request can ask for gigabytes."""
    width, height, _ = read_png(Drawing(1, "", "", "", (10**9, 5)).png())

    assert (width, height) == (LONGEST_SIDE, 5)


def test_a_canvas_cuts_off_what_does_not_fit():
    """To the right and below."""
    canvas = Canvas(8, 4, 0)
    canvas.text(2, 1, "EEE", size=2, ink=1, paper=0)
    canvas.band(3, 100, 2)

    assert len(canvas.pixels) == 32
    assert canvas.pixels[24:] == bytes([2]) * 8
    assert canvas.pixels[8:16] == bytes([0, 0, 1, 1, 1, 1, 1, 1])
