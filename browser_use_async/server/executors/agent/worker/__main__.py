"""Started by the server as a script, with whichever Python has browser-use."""

import sys
from pathlib import Path
from types import ModuleType


def main() -> None:
    """Carry out the one task that comes on the standard input."""
    _let_neighbours_be_imported()
    from browser_use_async.server.executors.agent.worker.task_run import carry_out  # noqa: PLC0415

    carry_out()


def _let_neighbours_be_imported() -> None:
    """Stand in for the packages above this one, whose dependencies may be missing here."""
    worker = Path(__file__).resolve().parent
    top = worker.parents[3]
    for folder in (*reversed(worker.parents[:4]), worker):
        name = ".".join((top.name, *folder.relative_to(top).parts))
        module = ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules.setdefault(name, module)


if __name__ == "__main__":
    main()
