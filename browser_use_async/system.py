"""Differences between operating systems: files, locks, users, processes and signals."""

# The rest of the package is the same for all of them. This module has the replacement for what a
# system lacks of POSIX; features that cannot work without POSIX ask `missing_posix`.

import asyncio
import contextlib
import errno
import os
import signal
import socket
import ssl
import stat
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TextIO, TypeVar

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ResultT = TypeVar("ResultT")

# Whether files can be locked, opened ones renamed, and processes ended in groups.
IS_POSIX = fcntl is not None

NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
# Without it, opening a FIFO waits for its other end.
NO_WAIT: int = getattr(os, "O_NONBLOCK", 0)
# Without it, Windows writes ends of lines of its own.
BINARY: int = getattr(os, "O_BINARY", 0)
# What is read as a small file: keys and settings are far smaller.
_MOST_BYTES = 64 * 1024
# The exit code of a program whose reader has gone.
BROKEN_PIPE = 128 + int(getattr(signal, "SIGPIPE", 13))


def missing_posix(subject: str) -> str | None:
    """Why something that needs POSIX cannot be used on this system, or None where it can."""
    if IS_POSIX:
        return None
    return (
        f"{subject} needs a POSIX system, such as Linux or macOS; this one ({sys.platform}) lacks "
        "locks on files, groups of processes and limits on them"
    )


# --- files ------------------------------------------------------------------------------------


def try_lock(descriptor: int) -> bool:
    """Lock a file until it is closed or the process ends; False if another process has the lock."""
    # Without POSIX nothing is locked: callers use distinct file names.
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def is_own(status: os.stat_result) -> bool:
    """Whether a file belongs to this user; true on systems without users."""
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def is_root() -> bool:
    """Whether this process runs as root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def user_ids(name: str) -> tuple[int, int] | None:
    """The ids of a user and of the user's group, or None if there is no such user."""
    try:
        import pwd  # noqa: PLC0415 - for servers of root only

        entry = pwd.getpwnam(name)
    except (ImportError, KeyError):
        return None
    return entry.pw_uid, entry.pw_gid


def link(path: Path, target: Path) -> None:
    """Give a file a second name; raises `FileExistsError` if that is taken."""
    if os.link in os.supports_follow_symlinks:
        os.link(path, target, follow_symlinks=False)
    else:
        os.link(path, target)


def read_small_file(path: Path, check: Callable[[os.stat_result], None] = lambda _: None) -> bytes:
    """The content of a regular file with at most 64 KB.

    Args:
        path: The file. Of what is no file, only what this process was started with is read: its
            standard input, and pipes such as those of `<(...)` in a shell.
        check: Called with the status of the opened file before it is read.

    Raises:
        OSError: It cannot be read, is no file, or is larger.
        ValueError: The path cannot be one.
    """
    # Without waiting: a FIFO may have no writer.
    descriptor = os.open(path, os.O_RDONLY | NO_WAIT | BINARY)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            if path.parent != Path("/dev/fd") and path != Path("/dev/stdin"):
                raise OSError(errno.EINVAL, "it is no file")
            os.set_blocking(descriptor, True)  # what writes to it may need time
        check(status)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # Not all of it: what is piped in may have no end.
            content = file.read(_MOST_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) <= _MOST_BYTES:
        return content
    del content  # a traceback can show local variables
    raise OSError(errno.EFBIG, "it has more than 64 KB")


def copy_mode(descriptor: int, path: Path) -> None:
    """Give an opened file the mode of another one."""
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))


def sync_folder(folder: Path) -> None:
    """Flush a folder, so that a new name in it survives a loss of power, if the system can."""
    if not IS_POSIX:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def config_folder() -> Path | None:
    """The folder for settings of this user; None for a user without a home."""
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if named.is_absolute():
        return named
    if not IS_POSIX and (roaming := os.environ.get("APPDATA")):
        return Path(roaming)
    try:
        return Path.home() / ".config"
    except RuntimeError:
        return None


def rename_to_free_name(path: Path, target: Path) -> None:
    """Rename a file; raises `FileExistsError` if the name is taken."""
    # POSIX renames over existing files; only a link fails atomically if the name is taken.
    try:
        link(path, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        # Created first, so that no file of another program is replaced.
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        path.replace(target)
    else:
        path.unlink()


@contextlib.contextmanager
def replaced_file(path: Path, *, is_new: bool = False) -> Generator[int]:
    """A descriptor for the new content of a file, which replaces it at the end; mode 0600.

    Raises:
        OSError: It cannot be written, or `is_new` and there is one.
    """
    # A rename over a device or a pipe would remove it for all programs of the machine.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is no file")
    path = path.resolve()  # a rename over a link would not change the file behind it
    # In the same directory: a rename is atomic only within one file system.
    descriptor, name = tempfile.mkstemp(".part", f".{path.name}.", path.parent)
    part = Path(name)
    try:
        try:
            yield descriptor
        finally:
            os.close(descriptor)
        if is_new:
            rename_to_free_name(part, path)
        else:
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


async def open_in_thread(
    open_it: Callable[[], ResultT], close: Callable[[ResultT], None]
) -> ResultT:
    """Call `open_it` in a thread."""

    def close_late(opening: "asyncio.Future[ResultT]") -> None:
        if not opening.cancelled() and opening.exception() is None:
            close(opening.result())

    opening = asyncio.create_task(
        asyncio.to_thread(open_it), name="browser-use: opens a file or database in a thread"
    )
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # A thread cannot be cancelled: a result that comes after a cancellation must be closed.
        opening.add_done_callback(close_late)
        raise


@contextlib.contextmanager
def hidden_typing(terminal: TextIO) -> Generator[None]:
    """Turn the echo of a terminal off for the block."""
    import termios  # noqa: PLC0415 - of POSIX, and for one question

    before = termios.tcgetattr(terminal)
    hidden = termios.tcgetattr(terminal)
    hidden[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSAFLUSH, hidden)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


# --- connections ------------------------------------------------------------------------------


def no_connection(place: str, error: OSError) -> str:
    """Why there is no connection to a place."""
    if isinstance(error, ssl.SSLError):
        return f"no connection to {place}: TLS: {error.reason or type(error).__name__}"
    # asyncio's own text is "Connect call failed" and an address, so the system's is taken; the
    # numbers of names that are not found are others than the system's.
    is_system = not isinstance(error, socket.gaierror)
    text = os.strerror(error.errno) if error.errno and is_system else error.strerror
    return f"no connection to {place}: {text or type(error).__name__}"


# --- processes --------------------------------------------------------------------------------


def descriptor_limits() -> tuple[int, int] | None:
    """The soft and hard limits of file descriptors; None on systems without them."""
    try:
        import resource  # noqa: PLC0415 - for servers only
    except ImportError:  # Windows
        return None
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (sys.maxsize if each == resource.RLIM_INFINITY else each for each in limits)
    return soft, hard


_PR_SET_DUMPABLE = 4  # of the kernel's prctl.h


def close_memory() -> bool:
    """Hide this process's memory and environment from other programs of its user.

    Only root can then read them or a dump of the memory. Child processes are not protected.
    """
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - for processes that are only a server

    zero = ctypes.c_ulong(0)
    return bool(ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, zero, zero, zero, zero) == 0)


_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_LARGE_BLOCK = 64 * 1024


def return_freed_memory() -> None:
    """Let the C library give each large block back to the system as soon as it is freed."""
    # glibc keeps large blocks for later, once it has freed one, and one small object behind them
    # is enough to keep them for ever.
    import ctypes  # noqa: PLC0415 - for processes that are only a server

    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


def raise_descriptor_limit(wanted: int) -> None:
    """Raise the soft limit of file descriptors to a number, or as far as the hard limit."""
    limits = descriptor_limits()
    if limits is None or limits[0] >= min(wanted, limits[1]):
        return
    import resource  # noqa: PLC0415 - there is one, as the limits show

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # the system has a lower limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, limits[1]), hard))


def kill(process: int) -> None:
    """End one process at once, if there is one."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process, signal.SIGKILL)


def kill_group(group: int) -> None:
    """End a group of processes at once, if there is one."""
    if group > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


# --- signals ----------------------------------------------------------------------------------


def ending_signals() -> list[signal.Signals]:
    """The signals that ask a program to end."""
    # Without SIGHUP if it is ignored: nohup does that, so that a program outlives its terminal.
    found = [signal.SIGINT, signal.SIGTERM]
    hang_up: signal.Signals | None = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        found.append(hang_up)
    return found


def on_signal(
    loop: asyncio.AbstractEventLoop,
    number: signal.Signals,
    handle: Callable[[signal.Signals], None],
) -> None:
    """Call a function in the event loop when a signal comes."""
    try:
        loop.add_signal_handler(number, handle, number)
    except NotImplementedError:  # the loops of Windows

        def call(_number: int, _frame: object) -> None:
            # Thread-safe: it has to wake a loop that may be waiting.
            loop.call_soon_threadsafe(handle, number)

        signal.signal(number, call)
