"""Write a PNG: eight bits for each dot, which index a palette."""

import struct
import zlib
from collections.abc import Sequence

Colour = tuple[int, int, int]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED = 3  # the colour type of a picture with a palette
_FASTEST = 1  # drawn pictures are mostly one colour, so that more effort gains nothing


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def encode_png(width: int, pixels: bytes | bytearray, palette: Sequence[Colour]) -> bytes:
    """The bytes of a PNG file.

    Args:
        width: The width in dots.
        pixels: Row after row, one byte for each dot: its place in the palette.
        palette: Red, green and blue of each colour, 0 to 255.
    """
    height = len(pixels) // width
    header = struct.pack(">IIBBBBB", width, height, 8, _INDEXED, 0, 0, 0)
    packer = zlib.compressobj(_FASTEST)
    packed = bytearray()
    for start in range(0, len(pixels), width):
        packed += packer.compress(b"\0" + pixels[start : start + width])
    packed += packer.flush()
    colours = bytes(part for colour in palette for part in colour)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", colours),
            _chunk(b"IDAT", bytes(packed)),
            _chunk(b"IEND", b""),
        )
    )
