"""Names and paths of downloaded files. A name comes from a server, and servers can be hostile."""

import os
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from browser_use_async.errors import FileTransferError, UnsafeFileNameError

MAX_NAME_BYTES = 255  # of UTF-8; the longest name that common file systems accept

# Line and paragraph separators, control characters and lone surrogates; the bidirectional
# controls, which make `gpj.exe` look like `exe.jpg`, are listed.
_BAD_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDIRECTIONAL = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_SEPARATORS = frozenset("/\\:")
_DEVICES = frozenset(
    (
        # Windows treats the superscripts as digits.
        "con prn aux nul conin$ conout$ " + " ".join(f"com{n} lpt{n}" for n in "0123456789¹²³")
    ).split()
)


def problem_with(name: str) -> str | None:
    """Why this file name is not safe on this or another system, or None."""
    if name in {"", ".", ".."}:
        return "it is no file name"
    if any(map(_is_bad, name)):
        return "it contains a separator, or a character that cannot be seen"
    if len(name.encode()) > MAX_NAME_BYTES:
        return f"it is longer than {MAX_NAME_BYTES} bytes"
    if name != name.strip() or name.endswith("."):
        return "it begins or ends with a space, or ends with a full stop"
    if name[0] in "-~":
        return "it begins like an option or a home directory"
    if _is_device(name):
        return "it is the name of a device on Windows"
    return None


def check_name(name: str, *, task_id: str | None = None) -> None:
    """Refuse a name that leads out of its directory, or that a file system does not accept."""
    problem = problem_with(name)
    if problem is not None:
        raise UnsafeFileNameError(
            f"the file name {name[:100]!r} is not safe, because {problem}; name the file yourself",
            task_id=task_id,
        )


def safe_name(text: str, fallback: str) -> str:
    """The safe name that is closest to a text."""
    normal = unicodedata.normalize("NFC", text)
    shown = "".join("_" if _is_bad(character) else character for character in normal)
    name = truncate(MAX_NAME_BYTES, shown.strip(" .")).strip(" .")
    if name[:1] in {"-", "~"}:
        name = "_" + name[1:]
    if _is_device(name):
        name = "_" + name
    return name if problem_with(name) is None else fallback


def unique_names(names: Iterable[str]) -> list[str]:
    """The names, numbered if a file system would not distinguish two of them."""
    taken: set[str] = set()
    result: list[str] = []
    for name in names:
        candidate, number = name, 1
        while _folded(candidate) in taken:
            number += 1
            candidate = _numbered(name, number)
        taken.add(_folded(candidate))
        result.append(candidate)
    return result


def truncate(size: int, name: str) -> str:
    """A name of at most so many bytes, with its suffix if that has a usual length."""
    content = name.encode()
    if len(content) <= size:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = (dot + suffix).encode() if stem and len(suffix) <= 10 else b""
    # "ignore", because the cut can split a character.
    return content[: size - len(ending)].decode("utf-8", "ignore") + ending.decode()


def target_path(
    destination: str | os.PathLike[str], file_name: str, task_id: str, *, overwrite: bool
) -> Path:
    """The path for one file, checked; nothing is created."""
    text = os.fspath(destination)
    target = Path(text)
    # Any other path is that of the file itself.
    if text.endswith(os.sep) or target.is_dir():
        check_name(file_name, task_id=task_id)
        target /= file_name
    check_replaceable(target, task_id, overwrite=overwrite)
    return target


def check_replaceable(target: Path, task_id: str, *, overwrite: bool) -> None:
    """Refuse a path that exists, unless it is a regular file that may be replaced."""
    # `lstat`, so that a symbolic link is refused and not silently replaced.
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise FileTransferError(
            f"{target} exists and is no plain file; remove it or choose another path",
            task_id=task_id,
        )
    if not overwrite:
        # The name comes from the service, and could be that of any file in the directory.
        raise FileTransferError(
            f"{target} is there already; it is replaced only with overwrite=True, on the command "
            "line --force",
            task_id=task_id,
        )


def _numbered(name: str, number: int) -> str:
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    ending = f"-{number}{dot}{suffix}"
    return truncate(MAX_NAME_BYTES - len(ending.encode()), stem) + ending


def _folded(name: str) -> str:
    # Twice, because case folding can leave a text that is not normalized.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _is_bad(character: str) -> bool:
    return (
        character in _SEPARATORS
        or character in _BIDIRECTIONAL
        or unicodedata.category(character) in _BAD_CATEGORIES
    )


def _is_device(name: str) -> bool:
    # Windows ignores the suffix and spaces before it: `nul.txt` is the device.
    return name.partition(".")[0].rstrip().casefold() in _DEVICES
