"""The gate and the nightly run: what they do, in which order, and which long suites are needed.

python -m tests.gate run --python PYTHON [--other PYTHON]…  what must hold before a change lands
python -m tests.gate nightly --python PYTHON  all the rest, to its end
python -m tests.gate changed                  the long suites of what changed, and why
python -m tests.gate paths [SUITE]…           where their tests are, for pytest

Needs nothing but the standard library: it runs before the environments are made.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.gate.programs import install, missing
from tests.gate.rooms import ALL, ROOT, SUITES, changed_files, needed_suites, test_paths
from tests.gate.stages import Run, Stage

__all__ = ["gate_stages", "main", "nightly_stages"]


def gate_stages(suites: Sequence[str], others: Sequence[str] = ()) -> list[Stage]:
    """The checks before a change lands: the commands that README and CONTRIBUTING name.

    Args:
        suites: The long suites that the change needs.
        others: Other Pythons than the one of the environments.
    """
    tested = [each for each in suites if each in SUITES]
    long = [Stage(f"make long SUITES='{' '.join(tested)}'")] if tested else []
    compatibility = [
        Stage(f"make compatibility PY={other} VENV=.venv-{number}")
        for number, other in enumerate(others, start=2)
    ]
    return [
        Stage("make check"),
        Stage("make test"),
        Stage("make docs"),
        *long,
        Stage("make world QUICK=1"),
        *compatibility,
        Stage("make wheel", waits=True),
        Stage("make demo", waits=True),
        Stage("make audit", waits=True),
        Stage("make fleet QUICK=1", waits=True),
        Stage("make paying-once QUICK=1", waits=True),
        *([Stage("make agent", waits=True)] if "agent" in suites else []),
        Stage("make conformance", waits=True),
        *([Stage("make matrix", waits=True)] if "matrix" in suites else []),
    ]


def nightly_stages(others: Sequence[str] = ()) -> list[Stage]:
    """All long tests, of all suites.

    Args:
        others: Other Pythons than the one of the environments.
    """
    return [
        *(Stage(f"make test PY={each} VENV=.venv-{n}") for n, each in enumerate(others, start=2)),
        Stage("make long SUITES=all"),
        Stage("make repetitions"),
        Stage("make world"),
        Stage("make model"),
        Stage("make mutants"),
        Stage("make fleet", waits=True),
        Stage("make paying-once", waits=True),
        Stage("make conformance", waits=True),
        Stage("make agent", waits=True),
        Stage("make examples", waits=True),
        Stage("make matrix", waits=True),
        Stage("make bench QUICK=1"),
    ]


def _changed() -> Sequence[str]:
    """Print which long suites the change needs and why, and return them."""
    files = changed_files()
    if files is None:
        print("what changed is not known: all long suites")
        return ALL
    needed = needed_suites(files)
    print(f"{len(files)} files changed: {len(needed)} of {len(ALL)} long suites")
    for suite, name in needed.items():
        print(f"  {suite:<18} for {name}")
    return tuple(needed)


def _paths(names: Sequence[str]) -> list[str]:
    if not names:
        files = changed_files()
        names = ALL if files is None else tuple(needed_suites(files))
    if "all" in names:
        return ["tests"]
    unknown = set(names) - set(ALL)
    if unknown:
        raise SystemExit(f"no suite is named {', '.join(sorted(unknown))}; all: {' '.join(ALL)}")
    return [path for suite in names if suite in SUITES for path in test_paths(suite)]


def _environments(stages: Sequence[Stage]) -> Stage:
    """The stage that makes the environments of all others."""
    targets = {each.command.split()[1] for each in stages}
    own = {"docs", "conformance", "demo", "audit", "agent", "examples"} & targets
    groups = [*sorted(own), *(["peers"] if "bench" in targets else [])]
    return Stage(f"make --jobs 2 environments ENVIRONMENTS='{' '.join(groups)}'")


def _run(stages: list[Stage], *, goes_on: bool) -> int:
    for each in missing():
        print(f"{each.name} is missing. Not tested: {each.untested}.")
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), ROOT, goes_on=goes_on)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        # One after the other: stages that create the same environment would collide.
        is_right = run.run([_environments(stages)]) and run.run(stages)
    print(f"\n{run.table()}\n")
    for each in missing():
        print(f"{each.name} is missing. Not tested: {each.untested}.")
    print("all of it is right" if is_right else "NOT right", flush=True)
    return 0 if is_right else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.gate")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "nightly"):
        command = commands.add_parser(name)
        command.add_argument("--python", default=sys.executable)
        command.add_argument("--other", action="append", default=[])
        command.add_argument("--keep-going", action="store_true", default=name == "nightly")
    commands.add_parser("changed")
    commands.add_parser("paths").add_argument("names", nargs="*")
    given = parser.parse_args(arguments)
    if given.command == "paths":
        print(*_paths(given.names))
        return 0
    if given.command == "changed":
        _changed()
        return 0
    os.environ["PY"] = given.python  # for make
    install()
    is_gate = given.command == "run"
    stages = gate_stages(_changed(), given.other) if is_gate else nightly_stages(given.other)
    return _run(stages, goes_on=given.keep_going)


if __name__ == "__main__":
    sys.exit(main())
