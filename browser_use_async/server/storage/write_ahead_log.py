"""Finds what SQLite does not report: commits in its log that cannot be read any more."""

# SQLite takes the first frame whose checksum is wrong for the end of the log, because a process
# that dies while it writes leaves such a one. See https://sqlite.org/fileformat2.html#walformat.

import struct
from pathlib import Path

_HEADER, _FRAME = 32, 24  # bytes
_BIG_ENDIAN = 0x377F0683  # begins a log whose checksums are those of big-endian numbers
_LITTLE_ENDIAN = 0x377F0682


def lacks_commits(log: Path, read: int) -> bool:
    """Whether the log of a database that was not closed has lost commits.

    A log that was cut off looks like one that ends there, and a bad last commit like one that was
    being written. SQLite could read some frames of it.
    """
    with log.open("rb") as file:
        header = file.read(_HEADER)
        if not _is_header(header):
            return True
        page_size, salts = int.from_bytes(header[8:12], "big"), header[16:24]
        file.seek(_HEADER + read * (_FRAME + page_size))
        has_commit = False
        while len(frame := file.read(_FRAME)) == _FRAME:
            # Others are left over from before the log began anew.
            if frame[8:16] == salts:
                if has_commit:
                    return True  # nothing is written behind a commit that is not whole
                has_commit = frame[4:8] != bytes(4)
            file.seek(page_size, 1)
    return False


def _is_header(header: bytes) -> bool:
    """Whether a log begins with an undamaged header."""
    if len(header) < _HEADER:
        return False
    magic = int.from_bytes(header[:4], "big")
    if magic not in {_BIG_ENDIAN, _LITTLE_ENDIAN}:
        return False
    order = ">" if magic == _BIG_ENDIAN else "<"
    words = struct.unpack(f"{order}6I", header[:24])
    one = other = 0
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + other) & 0xFFFFFFFF
        other = (other + second + one) & 0xFFFFFFFF
    return header[24:] == struct.pack(">2I", one, other)
