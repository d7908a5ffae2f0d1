"""The picture of all steps that bring none: a white page."""

import struct
import zlib

_WIDTH, _HEIGHT = 1280, 960  # the size of a page, unless a task names another one
_ROWS = (b"\0" + b"\xff" * (_WIDTH // 8)) * _HEIGHT  # one bit for each dot
_CHUNKS = (
    (b"IHDR", struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 1, 0, 0, 0, 0)),
    (b"IDAT", zlib.compress(_ROWS, 9)),
    (b"IEND", b""),
)
WHITE_PAGE = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    for kind, data in _CHUNKS
)
"""A PNG file."""
