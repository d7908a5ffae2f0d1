"""The remains of agents: processes and folders."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from browser_use_async.server.executors.browser.browser_folder import PREFIX

__all__ = ["processes_of", "temporary_folders"]


def temporary_folders() -> list[Path]:
    """The folders of browsers under the directory for temporary files."""
    return list(Path(tempfile.gettempdir()).glob(f"*{PREFIX}*"))


def processes_of(folders: Iterable[Path]) -> list[int]:
    """The processes that work in folders, or have them in their arguments.

    Args:
        folders: The folders.
    """
    names = [str(folder) for folder in folders]
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command_line = process.joinpath("cmdline").read_text(errors="replace")
            place = str(process.joinpath("cwd").readlink())
        except OSError:
            continue  # it has ended meanwhile
        if any(name in command_line or name in place for name in names):
            found.append(int(process.name))
    return found
