"""Where downloads go: a directory, or one file. Blocks, and is meant to run in a thread."""

import os
import stat
from pathlib import Path

from browser_use_async.errors import FileTransferError
from browser_use_async.files.names import refuse_unsafe

__all__ = ["refuse_taken", "target_at"]


def target_at(destination: str | os.PathLike[str], file_name: str, task_id: str) -> Path:
    """The path of one file, checked. Makes nothing yet.

    Raises:
        UnsafeFileNameError: It would get a name that is not safe.
        FileTransferError: Something that is not a plain file has the path.
        OSError: The path cannot be looked at.
    """
    text = os.fspath(destination)
    target = Path(text)
    if text.endswith(os.sep) or target.is_dir():
        refuse_unsafe(file_name, task_id=task_id)
        target /= file_name
    refuse_taken(target, task_id)
    return target


def refuse_taken(target: Path, task_id: str) -> None:
    """Refuse a path at which something other than a plain file is.

    Raises:
        FileTransferError: It is a symbolic link, a directory, a device or the like.
        OSError: The path cannot be looked at.
    """
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise FileTransferError(
            f"{target} exists and is no plain file; remove it or choose another path",
            task_id=task_id,
        )
