"""The browser process: started through Playwright, as a user of its own, and ended with its files.

Playwright starts the program itself and speaks to it over a pipe, so that no port is open to other
users of the machine. What Playwright has no option for, the user and the profile's folder, is in a
small script that stands in the browser's folder and is started in the browser's place.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import pwd
import re
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import attrs
from playwright.async_api import Browser, Playwright
from playwright.async_api import Error as PlaywrightError

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.surroundings import kept_environment

_logger = logging.getLogger(__name__)

PREFIX = "browser-use-async-chromium-"
_LOCK, _PID, _LOG = "server.lock", "browser.pid", "browser.log"
_USER = "nobody"
_START_SECONDS = 30.0
_END_SECONDS = 3.0
_LOOK_SECONDS = 0.05
_SHOWN_CHARACTERS = 300
_EXIT_CODE = re.compile(r"exitCode=(\d+)")
_FLAGS = (
    "--no-pings",
    "--disable-client-side-phishing-detection",
    "--disable-crash-reporter",
    "--disable-domain-reliability",
    "--disable-gpu",
    "--disable-quic",
    # What it asks for by itself all the same, it asks a port where nobody listens.
    "--component-updater=url-source=http://127.0.0.1:9/",
    "--gaia-url=http://127.0.0.1:9/",
    # Nothing leaves the browser past the proxy that each task has: no names are looked up, no
    # datagrams are sent, and what belongs to no task goes to a port where nobody listens.
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)


class BrowserNotStartedError(Exception):
    """The browser could not be started. Its text is a clause for a person."""


class BrowserError(Exception):
    """A browser or page that does not do what it is told. Its text is a clause for a person."""


class CommandFailedError(BrowserError):
    """The browser answered that it cannot do it."""


class NoAnswerError(BrowserError):
    """The browser, or the page, did not answer in time."""


class PageLostError(BrowserError):
    """The page has been closed, or has crashed."""


class BrowserLostError(BrowserError):
    """The browser has ended."""


@attrs.frozen
class BrowserUser:
    """The user as whom the browser runs, and the program that changes to it."""

    uid: int
    gid: int
    setpriv: str

    @classmethod
    def find(cls) -> "BrowserUser | None":
        """The user for the browser of a server that runs as root, if there is one."""
        setpriv = shutil.which("setpriv")
        if os.geteuid() != 0 or setpriv is None:
            return None
        try:
            entry = pwd.getpwnam(_USER)
        except KeyError:
            return None
        return cls(entry.pw_uid, entry.pw_gid, setpriv)

    @property
    def command(self) -> list[str]:
        """What stands before the command that it shall run."""
        ids = [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        return [self.setpriv, *ids, "--no-new-privs", "--"]


@attrs.frozen
class BrowserProgram:
    """Which browser is started, and how.

    Attributes:
        path: The browser's file.
        sandbox: Whether its pages run in a sandbox.
        user: As whom it runs; None for the user of the server.
    """

    path: str
    sandbox: bool
    user: BrowserUser | None

    @classmethod
    def of(cls, path: str, *, sandbox: bool) -> Self:
        """The same for this server.

        Raises:
            ConfigurationError: The server runs as root, where there is no sandbox, and the
                operator has not said that it shall do without.
        """
        user = BrowserUser.find()
        if os.geteuid() == 0 and user is None and sandbox:
            raise ConfigurationError(
                "the server runs as root, where the browser's sandbox does not work, and cannot "
                f"start the browser as {_USER}, for lack of that user or of the program setpriv; "
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
    """A temporary folder with all files of a browser, which is gone at the end.

    A lock in it tells the servers that start later whether this one is alive: the system takes
    it away when the process dies, however it dies.
    """

    def __init__(self, path: Path, lock: int, user: BrowserUser | None = None) -> None:
        self.path = path
        self._lock = lock
        self._user = user

    @classmethod
    def make(cls, user: BrowserUser | None = None) -> Self:
        """A new folder, in which the browser's user can write only where it has to."""
        # Under another name until it is locked, or somebody could take it for a dead one's.
        new = Path(tempfile.mkdtemp(prefix=f".{PREFIX}"))
        lock = os.open(new / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = cls(new.rename(new.with_name(new.name.removeprefix("."))), lock, user)
        if user is not None:
            folder.path.chmod(0o711)
        for name in ("profile", "home", "tmp"):
            folder.for_browser(name)
        # Of the server, so that no browser can put a link in the place of a task's folder.
        (folder.path / "tasks").mkdir(mode=0o711)
        return folder

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
        """The folder around it that the browser's user cannot pass, if there is one."""
        if self._user is None:
            return None
        closed = (each for each in self.path.parents if not each.stat().st_mode & stat.S_IXOTH)
        return next(closed, None)

    def write_launcher(self, program: BrowserProgram, flags: Sequence[str]) -> Path:
        """The script that starts the browser.

        Args:
            program: The browser.
            flags: What is not Playwright's business, such as a port that it would wait for.
        """
        path = self.path / "launch"
        # Of two flags of a name the later one holds: Playwright's profile is root's.
        last = shlex.join([*flags, f"--user-data-dir={self.path / 'profile'}"])
        command = [*(program.user.command if program.user else ()), program.path]
        in_folder = {name: shlex.quote(str(self.path / name)) for name in (_PID, _LOG, "home")}
        path.write_text(
            "#!/bin/sh\n"
            f"echo $$ > {in_folder[_PID]}\n"
            f"cd {in_folder['home']}\n"
            f'exec {shlex.join(command)} "$@" {last} 2>{in_folder[_LOG]}\n'
        )
        path.chmod(0o700)
        return path

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the browser: its folders are here, and nothing of the server's."""
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
        """What the browser wrote last on its standard error."""
        try:
            text = (self.path / _LOG).read_text(errors="replace").strip()
        except OSError:
            return ""
        return " ".join(text[-_SHOWN_CHARACTERS:].split())

    def remove(self) -> None:
        """Delete it."""
        _delete(self.path)
        lock, self._lock = self._lock, -1
        if lock >= 0:  # the number may be another file's by the second time
            os.close(lock)


class BrowserProcess:
    """A running browser.

    Attributes:
        browser: What Playwright calls it.
        folder: Where its files are.
        pid: Its process, the first of its group.
    """

    def __init__(self, browser: Browser, folder: BrowserFolder) -> None:
        self.browser = browser
        self.folder = folder
        self.pid = folder.pid

    @classmethod
    async def start(
        cls, playwright: Playwright, program: BrowserProgram, flags: Sequence[str] = ()
    ) -> Self:
        """Start a browser; of two flags of a name the later one holds.

        Raises:
            BrowserNotStartedError: It did not start.
        """
        # Not in a thread: a task that is stopped meanwhile would leave the folder behind.
        folder = BrowserFolder.make(program.user)
        try:
            return cls(await _launch(playwright, program, folder, flags), folder)
        except BaseException as error:
            _kill(folder.pid)
            words = folder.last_words
            folder.remove()
            if isinstance(error, PlaywrightError | TimeoutError):
                raise BrowserNotStartedError(_why_not(program, error, words)) from error
            raise

    async def address(self) -> str:
        """Where it takes commands over a WebSocket, if it was started with a port for that.

        Raises:
            BrowserNotStartedError: It has no such port.
        """
        file = self.folder.path / "profile" / "DevToolsActivePort"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_SECONDS):
                while self.browser.is_connected():
                    with contextlib.suppress(OSError, ValueError):
                        port, path = file.read_text().split()
                        return f"ws://127.0.0.1:{int(port)}{path}"
                    await asyncio.sleep(_LOOK_SECONDS)
        raise BrowserNotStartedError("it opened no port for an agent")

    async def end(self) -> None:
        """End it with all of its processes, and delete its folder."""
        with contextlib.suppress(PlaywrightError, TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await self.browser.close()
        # Its children too, which may hang by themselves.
        _kill(self.pid)
        await asyncio.to_thread(self.folder.remove)


async def _launch(
    playwright: Playwright, program: BrowserProgram, folder: BrowserFolder, flags: Sequence[str]
) -> Browser:
    closed = folder.closed_parent()
    if closed is not None:
        raise BrowserNotStartedError(
            f"it runs as {_USER}, to whom {closed} is closed; name another folder for temporary "
            "files with TMPDIR"
        )
    return await playwright.chromium.launch(
        executable_path=folder.write_launcher(program, flags),
        args=list(_FLAGS),
        chromium_sandbox=program.sandbox,
        downloads_path=folder.path / "tmp",
        env=dict(folder.environment),
        handle_sigint=False,
        handle_sigterm=False,
        handle_sighup=False,
        timeout=_START_SECONDS * 1000,
    )


def _why_not(program: BrowserProgram, error: BaseException, words: str) -> str:
    if "No usable sandbox" in words:
        return (
            "this machine lets it have no sandbox; allow unprivileged user namespaces "
            "(in a container: a seccomp profile that does), or do without the sandbox: --no-sandbox"
        )
    code = _EXIT_CODE.search(str(error))
    if code is not None:
        return f"it ended with code {code[1]}: {words or 'it said nothing'}"
    if isinstance(error, TimeoutError) or "Timeout" in str(error):
        return f"it was not ready within {_START_SECONDS:g} s"
    return f"{program.path} cannot be started: {str(error).splitlines()[0]}"


def _kill(group: int) -> None:
    if group > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


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


def _clean_up(path: Path) -> bool:
    try:
        lock = os.open(path / _LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return False  # its server is alive
    folder = BrowserFolder(path, lock)
    # The number may belong to another program by now.
    if folder.pid and str(path) in _command_line(folder.pid):
        _kill(folder.pid)
    folder.remove()
    return True


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
