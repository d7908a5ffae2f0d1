"""How many browsers fit into the memory of this machine."""

import os
from pathlib import Path

_SHARED_BYTES = 300 * 1024**2
"""What the browser takes before it shows anything, and is left to the rest of the machine."""

_EACH_BYTES = 250 * 1024**2
"""What a task's pages take: most take less, heavy ones take more."""

_MOST = 32
_PROCESS_LIMITS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)


def browsers_that_fit(free_bytes: int | None = None, each_bytes: int = _EACH_BYTES) -> int:
    """How many tasks may have a browser at once; at least one.

    Args:
        free_bytes: The memory there is for them; by default what is free now.
        each_bytes: What a task takes; by default its pages in a browser that all tasks share.
    """
    free = _free_bytes() if free_bytes is None else free_bytes
    return max(1, min(_MOST, (free - _SHARED_BYTES) // each_bytes))


def _free_bytes() -> int:
    free = _free_on_machine()
    for limit, used in _PROCESS_LIMITS:
        try:
            free = min(free, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):
            continue  # no such limit
    return free


def _free_on_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration):
        # Not Linux: half of what is built in.
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
