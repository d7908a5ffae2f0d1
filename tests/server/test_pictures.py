"""The picture of steps that bring none."""

from browser_use_async.server.storage.pictures import WHITE_PAGE
from tests.server.pngs import read_png


def test_the_picture_is_a_white_page():
    """A PNG file whose chunks and checksums are right, and which is small."""
    image = read_png(WHITE_PAGE)

    assert image.getcolors() == [(1280 * 960, (255, 255, 255))]
    assert len(WHITE_PAGE) < 1000
