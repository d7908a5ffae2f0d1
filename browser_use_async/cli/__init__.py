"""The command line `browser-use-async`, which needs the extra `cli`."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    if None in (find_spec("click"), find_spec("rich")):
        print(
            "error: the command line needs the extra `cli`: pip install 'browser-use-async[cli]'",
            file=sys.stderr,
        )
        return 2
    from browser_use_async.cli.app import main as run  # noqa: PLC0415 - needs the extra

    return run(arguments)
