"""The browser process: started, watched, ended with everything that belongs to it."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from browser_use_async.server.executors.chromium.folders import BrowserFolder
from browser_use_async.server.executors.surroundings import kept_environment

_START_SECONDS = 30.0
_END_SECONDS = 3.0
_LOOK_SECONDS = 0.05
_SHOWN_CHARACTERS = 300

# The browser reads and writes file descriptors 3 and 4, and ends when nobody holds the other
# ends any more: it cannot outlive a server that is killed. Commands come over the WebSocket.
_WITH_A_LIFELINE = 'exec "$@" 3<&0 4>&1 0</dev/null 1>/dev/null'

_NO_FEATURES = (
    "AutofillServerCommunication",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "Translate",
)
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-field-trial-config",
    "--disable-gpu",
    "--disable-quic",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    f"--disable-features={','.join(_NO_FEATURES)}",
    # What it asks for by itself all the same, it asks a port where nobody listens.
    "--component-updater=url-source=http://127.0.0.1:9/",
    "--gaia-url=http://127.0.0.1:9/",
    "--metrics-recording-only",
    "--mute-audio",
    "--hide-scrollbars",
    "--password-store=basic",
    "--use-mock-keychain",
    # Nothing leaves the browser past the proxy that each task has: no names are looked up, no
    # datagrams are sent, and what belongs to no task goes to a port where nobody listens.
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
)


class BrowserNotStartedError(Exception):
    """The browser could not be started. Its text is a clause for a person."""


class BrowserProcess:
    """One running browser.

    Args:
        process: The process.
        folder: Its folder.
        url: The address for commands.
    """

    def __init__(self, process: Process, folder: BrowserFolder, url: str) -> None:
        self._process = process
        self._folder = folder
        self.url = url

    @classmethod
    async def start(cls, program: str, flags: Sequence[str] = ()) -> Self:
        """Start a browser.

        Args:
            program: The browser's file.
            flags: Further flags; of two of a name the later one holds.

        Raises:
            BrowserNotStartedError: It did not start.
        """
        # Not in a thread: a task that is stopped meanwhile would leave the folder behind.
        folder = BrowserFolder.make()
        try:
            process = await _spawn(program, folder.path, flags)
        except BaseException as error:
            folder.remove()
            if isinstance(error, OSError):
                raise BrowserNotStartedError(f"{program} cannot be started: {error}") from error
            raise
        try:
            folder.note_process(process.pid)
            return cls(process, folder, await _address(process, folder.path))
        except BaseException:
            await _end(process, folder)
            raise

    @property
    def pid(self) -> int:
        """The number of the process, which is that of its group too."""
        return self._process.pid

    @property
    def folder(self) -> Path:
        """Where everything is that it writes."""
        return self._folder.path

    @property
    def port(self) -> int:
        """The port on this machine that takes commands, which no page may reach."""
        return int(self.url.partition("127.0.0.1:")[2].partition("/")[0])

    async def end(self) -> None:
        """End the process with all of its children, and delete its folder."""
        await _end(self._process, self._folder)


async def _spawn(program: str, folder: Path, flags: Sequence[str]) -> Process:
    temporary = folder / "tmp"
    temporary.mkdir()
    with (folder / "browser.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _WITH_A_LIFELINE,
            "sh",
            program,
            *_flags(folder, flags),
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
            start_new_session=True,
            env={**kept_environment(), **_homes(folder), "TMPDIR": str(temporary)},
        )


def _flags(folder: Path, more: Sequence[str]) -> Iterator[str]:
    yield from _FLAGS
    yield f"--user-data-dir={folder / 'profile'}"
    if os.geteuid() == 0:
        yield "--no-sandbox"  # which does not work for root
    if not Path("/dev/shm").is_dir() or _is_small(Path("/dev/shm")):  # noqa: S108 - only looked at
        yield "--disable-dev-shm-usage"
    yield from more
    yield "about:blank"


def _is_small(path: Path) -> bool:
    status = os.statvfs(path)
    return status.f_frsize * status.f_blocks < 512 * 1024**2


def _homes(folder: Path) -> dict[str, str]:
    return {name: str(folder / "home") for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME")}


async def _address(process: Process, folder: Path) -> str:
    """What the browser writes into a file once it takes commands: a port and a path."""
    file = folder / "profile" / "DevToolsActivePort"
    try:
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                with contextlib.suppress(OSError, ValueError):
                    port, path = file.read_text().split()
                    return f"ws://127.0.0.1:{int(port)}{path}"
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        raise BrowserNotStartedError(f"it was not ready within {_START_SECONDS:g} s") from None
    raise BrowserNotStartedError(
        f"it ended with code {process.returncode}: {_last_words(folder) or 'it said nothing'}"
    )


def _last_words(folder: Path) -> str:
    text = (folder / "browser.log").read_text(errors="replace").strip()
    return " ".join(text[-_SHOWN_CHARACTERS:].split())


async def _end(process: Process, folder: BrowserFolder) -> None:
    # First the polite way: the lifeline.
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        pass  # it hangs
    finally:
        # Its children too, which may hang by themselves.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(_finish(process, folder))


async def _finish(process: Process, folder: BrowserFolder) -> None:
    await process.wait()
    await asyncio.to_thread(folder.remove)
