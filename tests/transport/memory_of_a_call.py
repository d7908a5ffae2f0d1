"""Makes a small call, then another, and measures the memory that the second one needs.

Prints the bytes and the error. The first argument is the base URL.
"""

import asyncio
import resource
import sys
from pathlib import Path

from browser_use_async import BrowserUseSession, RetryPolicy, errors

ADDRESS_SPACE = 2**30  # enough for the program, and so little that it fails early


def _status(name: str) -> int:
    """A figure of this process in bytes."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise LookupError(name)


def _forget_the_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", "ascii")


async def _main(url: str) -> None:
    async with BrowserUseSession(
        api_key="bu_x", base_url=url, retry=RetryPolicy(max_attempts=1)
    ) as session:
        await session.account.get_balance()
        _forget_the_peak()
        before = _status("VmRSS")
        said = "no error"
        try:
            await session.account.get_balance()
        except (errors.BrowserUseError, MemoryError) as error:
            said = f"{type(error).__name__} {error}"
        print(_status("VmHWM") - before, said)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    asyncio.run(_main(sys.argv[1]))
