"""A bound on the memory of browsers: the page that makes one grow beyond it is ended.

Chromium itself lets a page have as much as there is, and the system would then choose what ends. A
page has a process of its own, so that it can be ended by itself.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import attrs

from browser_use_async import system
from browser_use_async.server.executors.browser.launch import BrowserProcess

MEMORY_MB = 2048
"""The memory of a browser with one task; the heaviest usual pages take half of it."""

_CALM_SECONDS, _TENSE_SECONDS = 0.5, 0.1  # between two looks, below and above half of a bound
_COUNTED = ("RssAnon:", "RssShmem:")  # files that are only mapped take nothing from others
_logger = logging.getLogger(__name__)


class MemoryWatch:
    """Looks at browsers as long as there are any, and ends pages.

    Args:
        browsers: Gives the browsers with the bytes that each may take now; none if all have ended.
    """

    def __init__(self, browsers: Callable[[], Mapping[BrowserProcess, int]]) -> None:
        self._browsers = browsers
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(
                self._look(), name="browser-use: watches the memory of browsers"
            )

    async def aclose(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        while bounds := self._browsers():
            groups = {process.pid for process in bounds}
            found = await asyncio.to_thread(_measured, groups)
            is_tense = False
            for process, bound in bounds.items():
                own = [each for each in found if each.group == process.pid]
                taken = sum(each.bytes for each in own)
                is_tense = is_tense or taken > bound / 2
                if taken > bound:
                    _end_largest(process, own, bound)
            await asyncio.sleep(_TENSE_SECONDS if is_tense else _CALM_SECONDS)


@attrs.frozen
class _Measured:
    pid: int
    group: int
    bytes: int

    @property
    def is_page(self) -> bool:
        try:
            return b"--type=renderer" in Path(f"/proc/{self.pid}/cmdline").read_bytes()
        except OSError:
            return False


def _end_largest(browser: BrowserProcess, processes: Iterable[_Measured], bound: int) -> None:
    """End the page that takes most, or what takes most if pages do not."""
    largest = sorted(processes, key=lambda each: -each.bytes)
    victim = next((each for each in largest if each.is_page), largest[0])
    if victim.bytes < largest[0].bytes / 2:
        victim = largest[0]
    megabytes = bound // 1024**2
    browser.note_excess(
        f"its pages made the browser take more than {megabytes:,} MB of memory, which is the most "
        "that a server gives one"
    )
    _logger.warning("a page is ended, because its browser takes more than %d MB", megabytes)
    system.kill(victim.pid)


def _measured(groups: set[int]) -> list[_Measured]:
    """The processes of groups, where the system has them in /proc."""
    found: list[_Measured] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name in brackets: state, parent, group.
            stat = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            if int(stat[2]) in groups:
                lines = (folder / "status").read_text().splitlines()
                taken = sum(int(line.split()[1]) for line in lines if line.startswith(_COUNTED))
                found.append(_Measured(int(folder.name), int(stat[2]), taken * 1024))
        except (OSError, ValueError, IndexError):
            continue  # has just ended
    return found
