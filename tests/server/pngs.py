"""A PNG reader for tests, which trusts nothing: chunks, checksums and sizes are checked."""

import struct
import zlib

__all__ = ["read_png"]


def read_png(data: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and rows of palette places."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: list[tuple[bytes, bytes]] = []
    place = 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, place + 8 + length)
        assert checksum == zlib.crc32(kind + body), kind
        chunks.append((kind, body))
        place += length + 12
    assert place == len(data)
    assert [kind for kind, _ in chunks] == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    width, height, *form = struct.unpack(">IIBBBBB", chunks[0][1])
    assert form == [8, 3, 0, 0, 0]
    pixels = zlib.decompress(chunks[2][1])
    assert len(pixels) == (width + 1) * height
    rows = [pixels[start : start + width + 1] for start in range(0, len(pixels), width + 1)]
    assert {row[0] for row in rows} == {0}
    assert max(map(max, rows)) < len(chunks[1][1]) // 3
    return width, height, [row[1:] for row in rows]
