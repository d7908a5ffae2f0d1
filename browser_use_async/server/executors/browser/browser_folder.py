"""User, environment and profile directory of the browser."""

import logging
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import attrs

from browser_use_async import system
from browser_use_async.errors import ConfigurationError

_logger = logging.getLogger(__name__)

PREFIX = "browser-use-async-chromium-"
USER = "nobody"
"""The user of the browser if the server runs as root."""

_LOCK, _PID, _LOG = "server.lock", "browser.pid", "browser.log"
_SHOWN_CHARACTERS = 300
# Else a page could cause look-ups by multicast with a candidate for WebRTC.
_OFF = "WebRtcHideLocalIpsWithMdns"
_KEPT = frozenset(
    "FONTCONFIG_FILE FONTCONFIG_PATH HOME LANG LANGUAGE LD_LIBRARY_PATH PATH SSL_CERT_DIR"
    " SSL_CERT_FILE TZ".split()
)


@attrs.frozen
class BrowserUser:
    """The user of the browser, and the program that changes to it."""

    uid: int
    gid: int
    setpriv: str

    @classmethod
    def find(cls) -> "BrowserUser | None":
        """The user for the browser of a server that runs as root, if there is one."""
        setpriv = shutil.which("setpriv")
        if not system.is_root() or setpriv is None:
            return None
        ids = system.user_ids(USER)
        return None if ids is None else cls(*ids, setpriv)

    @property
    def command(self) -> list[str]:
        """The prefix of a command of this user."""
        ids = [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        return [self.setpriv, *ids, "--no-new-privs", "--"]


@attrs.frozen
class BrowserProgram:
    """The browser to start, and how."""

    path: str
    sandbox: bool  # whether its pages run in one
    user: BrowserUser | None  # its user; None for the user of the server

    @classmethod
    def of(cls, path: str, *, sandbox: bool) -> Self:
        """The same for this server."""
        user = BrowserUser.find()
        if system.is_root() and user is None and sandbox:
            raise ConfigurationError(
                "the server runs as root, where the browser's sandbox does not work, and cannot "
                f"start the browser as {USER}, for lack of that user or of the program setpriv; "
                "run the server as another user, or do without the sandbox: --no-sandbox, "
                "ChromiumSettings(sandbox=False)"
            )
        if not sandbox:
            _logger.warning(
                "the browser runs without its sandbox: a page that finds a hole in it has the "
                "rights of the browser's user"
            )
        return cls(path, sandbox, user)


class BrowserFolder:
    """A temporary folder with all files of a browser, deleted at the end.

    A lock in it shows servers that start later whether this one is alive: the system releases the
    lock when the process ends in any way.
    """

    def __init__(self, path: Path, lock: int, user: BrowserUser | None = None) -> None:
        self.path = path
        self._lock = lock
        self._user = user

    @classmethod
    def make(cls, user: BrowserUser | None = None) -> Self:
        """A new folder, in which the browser's user can write only where needed."""
        # Another name until it is locked; else another server could remove it as stale.
        new = Path(tempfile.mkdtemp(prefix=f".{PREFIX}"))
        lock = os.open(new / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        assert system.try_lock(lock)  # no other process knows its name
        folder = cls(new.rename(new.with_name(new.name.removeprefix("."))), lock, user)
        if user is not None:
            folder.path.chmod(0o711)
        for name in ("profile", "home", "tmp"):
            folder.for_browser(name)
        folder._copy_authorities()
        # Owned by the server, so that no browser can replace a task's folder by a link.
        (folder.path / "tasks").mkdir(mode=0o711)
        return folder

    def _copy_authorities(self) -> None:
        """Have the browser trust the authorities that the server's user trusts."""
        # Without private keys, with which pages could identify the user, and without the list of
        # modules, which may load libraries.
        authorities = Path(os.path.expanduser("~/.pki/nssdb/cert9.db"))  # noqa: PTH111 - never raises
        if not os.access(authorities, os.R_OK):
            return
        for name in ("home/.pki", "home/.pki/nssdb"):
            self.for_browser(name)
        shutil.copyfile(authorities, file := self.path / "home/.pki/nssdb" / authorities.name)
        if self._user is not None:
            os.chown(file, self._user.uid, self._user.gid)

    def for_browser(self, name: str) -> Path:
        """A new folder in it in which the browser can write."""
        path = self.for_server(name)
        if self._user is not None:
            os.chown(path, self._user.uid, self._user.gid)
        return path

    def for_server(self, name: str) -> Path:
        """A new folder in it to which the browser has no access, if it has a user of its own."""
        path = self.path / name
        path.mkdir(mode=0o700)
        return path

    def closed_parent(self) -> Path | None:
        """A parent folder that the browser's user cannot enter, if there is one."""
        if self._user is None:
            return None
        closed = (each for each in self.path.parents if not each.stat().st_mode & stat.S_IXOTH)
        return next(closed, None)

    def write_launcher(self, program: BrowserProgram, flags: Sequence[str]) -> Path:
        """Write the script that starts the browser."""
        path = self.path / "launch"
        # The later flag counts. Playwright's own profile belongs to root.
        last = shlex.join([*flags, f"--user-data-dir={self.path / 'profile'}"])
        # Pages may use all cores completely, so the server gets a higher priority.
        user = program.user.command if program.user else ()
        command = ["nice", "-n", "5", *user, program.path]
        in_folder = {name: shlex.quote(str(self.path / name)) for name in (_PID, _LOG, "home")}
        path.write_text(
            "#!/bin/sh\n"
            f"echo $$ > {in_folder[_PID]}\n"
            # If the machine runs out of memory, a browser ends before the server.
            "[ -w /proc/self/oom_score_adj ] && echo 500 > /proc/self/oom_score_adj\n"
            f"cd {in_folder['home']}\n"
            # Only the last of these lists counts, and Playwright passes one as well.
            "for flag; do case $flag in --disable-features=*) off=${flag#*=},;; esac; done\n"
            f'exec {shlex.join(command)} "$@" "--disable-features=${{off}}{_OFF}" {last} '
            f"2>{in_folder[_LOG]}\n"
        )
        path.chmod(0o700)
        return path

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the browser: its own folders, and none of the server's variables."""
        homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), self.path / "home")
        places = {**homes, "TMPDIR": self.path / "tmp"}
        return {**kept_environment(), **{name: str(path) for name, path in places.items()}}

    @property
    def pid(self) -> int:
        """The browser's process, the first of its group; 0 before it has been started."""
        try:
            return int((self.path / _PID).read_text())
        except (OSError, ValueError):
            return 0

    @property
    def last_words(self) -> str:
        """The end of the browser's standard error."""
        try:
            text = (self.path / _LOG).read_text(errors="replace").strip()
        except OSError:
            return ""
        return " ".join(text[-_SHOWN_CHARACTERS:].split())

    def remove(self) -> None:
        """Delete it, and end crash handlers, which are not in the browser's group."""
        # A handler may wait for ever for the page that has crashed, and keep it alive.
        for line in _processes("-eo", "pid=,command="):
            if f"--database={self.path}" in line:
                system.kill(int(line.split()[0]))
        _delete(self.path)
        lock, self._lock = self._lock, -1
        if lock >= 0:  # a second time the number may belong to another file
            os.close(lock)


def clean_up_after_the_dead() -> int:
    """Delete the folders of servers that died, and end their browsers; returns how many."""
    folders = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    return sum(_clean_up(folder) for folder in folders if _is_ours(folder))


def _is_ours(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False  # deleted meanwhile
    return folder.is_dir() and not folder.is_symlink() and system.is_own(status)


def _clean_up(path: Path) -> bool:
    try:
        lock = os.open(path / _LOCK, os.O_RDWR)
    except OSError:
        return False
    if not system.try_lock(lock):
        os.close(lock)
        return False  # its server is alive
    folder = BrowserFolder(path, lock)
    # The number may belong to another program by now.
    if folder.pid and str(path) in "".join(_processes("-o", "command=", "-p", str(folder.pid))):
        system.kill_group(folder.pid)
    folder.remove()
    return True


def _processes(*options: str) -> list[str]:
    command = ["/bin/ps", "-ww", *options]
    asked = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    return asked.stdout.splitlines()


def _delete(path: Path) -> None:
    # Dying processes may still write; the second attempt deletes that, too.
    for _ in range(3):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return


def kept_environment() -> dict[str, str]:
    """Return the variables for a browser or an agent, without keys and proxies."""
    return {
        name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("LC_")
    }
