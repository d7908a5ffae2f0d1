"""The folder of one browser: everything that it writes, and what is left of dead servers."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self

PREFIX = "browser-use-async-chromium-"
_LOCK, _PID = "server.lock", "browser.pid"


class BrowserFolder:
    """A temporary folder that is gone at the end.

    A lock in it tells the servers that start later whether this one is alive: the system takes
    it away when the process dies, however it dies.

    Args:
        path: The folder.
        lock: The open file that is locked.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def make(cls) -> Self:
        """A new, empty folder."""
        # Under another name until it is locked, or somebody could take it for a dead one's.
        new = Path(tempfile.mkdtemp(prefix=f".{PREFIX}"))
        lock = os.open(new / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = new.rename(new.with_name(new.name.removeprefix(".")))
        return cls(path, lock)

    def note_process(self, pid: int) -> None:
        """Write down which process belongs to the folder.

        Args:
            pid: The browser's process, the first of its group.
        """
        (self.path / _PID).write_text(str(pid))

    def remove(self) -> None:
        """Delete it."""
        _delete(self.path)
        lock, self._lock = self._lock, -1
        if lock >= 0:  # the number may be another file's by the second time
            os.close(lock)


def clean_up_after_the_dead() -> int:
    """Delete the folders of servers that died without doing so, and end their browsers.

    Returns:
        How many there were.
    """
    folders = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    return sum(_clean_up(folder) for folder in folders if _is_ours(folder))


def _is_ours(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False  # gone meanwhile
    return folder.is_dir() and not folder.is_symlink() and status.st_uid == os.geteuid()


def _clean_up(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _end_browser(folder)
        _delete(folder)
    except OSError:
        return False  # its server is alive
    finally:
        os.close(lock)
    return True


def _end_browser(folder: Path) -> None:
    try:
        pid = int((folder / _PID).read_text())
    except (OSError, ValueError):
        return
    # The number may belong to another program by now.
    if str(folder) in _command_line(pid):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _command_line(pid: int) -> str:
    asked = subprocess.run(  # noqa: S603 - a number
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        check=False,
        capture_output=True,
        text=True,
    )
    return asked.stdout


def _delete(path: Path) -> None:
    # Processes that are just dying may still write; the second look finds what they wrote.
    for _ in range(3):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
