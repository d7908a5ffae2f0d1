"""A rectangle of dots on which text can be written."""

from browser_use_async.server.pictures.font import GLYPH_HEIGHT, GLYPH_WIDTH, glyph


class Canvas:
    """Dots in rows, one byte each: the place of its colour in a palette.

    Args:
        width: The width in dots.
        height: The height in dots.
        paper: The colour that it has all over at first.
    """

    def __init__(self, width: int, height: int, paper: int) -> None:
        self.width = width
        self.height = height
        self.pixels = bytearray([paper]) * (width * height)

    def band(self, top: int, height: int, colour: int) -> None:
        """Fill a stripe from edge to edge.

        Args:
            top: The first row.
            height: How many rows; those below the lower edge are left out.
            colour: The colour.
        """
        rows = max(0, min(height, self.height - top))
        start = top * self.width
        self.pixels[start : start + rows * self.width] = bytes([colour]) * (rows * self.width)

    def text(self, left: int, top: int, text: str, *, size: int, ink: int, paper: int) -> None:
        """Write one line; what does not fit is cut off.

        Args:
            left: The first column.
            top: The first row.
            text: The text.
            size: How many dots wide and high a dot of the font becomes.
            ink: The colour of the letters.
            paper: The colour between them.
        """
        room = max(0, self.width - left)
        shown = text[: room // ((GLYPH_WIDTH + 1) * size) + 1]
        for row in range(GLYPH_HEIGHT):
            dots = _dots(shown, row, size, ink, paper)[:room]
            for line in range(top + row * size, min(top + (row + 1) * size, self.height)):
                start = line * self.width + left
                self.pixels[start : start + len(dots)] = dots

    def columns(self, left: int, size: int) -> int:
        """How many characters fit between `left` and the same margin on the right.

        Args:
            left: The first column.
            size: How many dots wide a dot of the font becomes.
        """
        return max(1, (self.width - 2 * left) // ((GLYPH_WIDTH + 1) * size))


def _dots(text: str, row: int, size: int, ink: int, paper: int) -> bytes:
    """One of the font's rows through a whole line of text, as wide as it is to appear."""
    drawn = ".".join(glyph(character)[row] for character in text)
    wide = "".join(dot * size for dot in drawn)
    return wide.encode("ascii").translate(bytes.maketrans(b".#", bytes((paper, ink))))
