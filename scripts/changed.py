"""Which long suites a change needs: the files that differ, their rooms, the suites of these rooms.

A suite is a folder of tests, whose long tests are meant, or a target of the Makefile. The table has
one row for each room of the tree; the first row that fits a file counts. A file that fits no row
needs all suites but those of `NIGHTLY`. A change whose base is not known needs all.

python scripts/changed.py                  the long suites of what changed, and why
python scripts/changed.py suites           their names alone
python scripts/changed.py paths [SUITE]…   where their tests are, for pytest
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

__all__ = [
    "ALL",
    "NIGHTLY",
    "ROOMS",
    "ROOT",
    "SUITES",
    "TARGETS",
    "changed_files",
    "needed_suites",
    "test_paths",
]

ROOT = Path(__file__).resolve().parents[1]
LANDED = ROOT / ".ci" / "landed"  # the commit of the last change that landed

# Targets of the Makefile that take long; the gate runs their short forms.
TARGETS = ("test-agent", "proof-fleet", "test-matrix", "proof-world")

# Folders of tests that have long ones; a folder with others in it means the files beside them.
SUITES = tuple(
    """. api batch browser cli docs examples files lifecycle mcp money observation paging polling
    proofs/conformance proofs/mutants proofs/world server server/agent
    server/browser server/egress server/faults server/fleet server/html server/keys
    server/pages server/plain server/scripts server/search server/storage server/submission_keys
    server/webhooks site transport types webhooks""".split()
)
ALL = (*SUITES, *TARGETS)

# Run every night, and before a change lands only if their own rooms changed.
NIGHTLY = ("test-agent", "test-matrix")
_MOST = tuple(each for each in ALL if each not in NIGHTLY)

_MONEY = ("lifecycle", "batch", "money", "proofs/world", "proof-world")
_CALLS = ("transport", "api", "types", "paging", "polling", "files", "observation")
_SDK = (*_CALLS, *_MONEY, "webhooks", "mcp", "cli", ".")
_BROWSER = ("server/browser", "server/pages", "browser", "site")
_SERVER = (
    *("server", "server/faults", "server/keys", "server/storage", "server/webhooks"),
    "server/submission_keys",
    *("server/plain", "server/html", "server/search", "server/egress"),
    "proofs/conformance",
)
_FLEET = ("server/fleet", "batch", "proof-fleet")

# The start of a path, and the suites of what is there.
ROOMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # Texts for people: the tests of the site open the pages that `make docs` has built.
    ("docs/", ("docs", "site")),
    ("README.md", ("docs",)),
    ("AGENTS.md", ()),
    ("CHANGELOG.md", ()),
    ("CONTRIBUTING.md", ()),
    ("LICENSE", ()),
    ("SECURITY.md", ()),
    ("mkdocs.yml", ("site",)),
    # The gate runs itself.
    (".ci/", ()),
    ("Makefile", ()),
    ("scripts/matrix.sh", ("test-matrix",)),
    ("scripts/command_tables.py", ("docs", "site")),
    ("scripts/site_hooks.py", ("docs", "site")),
    ("scripts/", ()),
    (".devcontainer/", ()),
    (".github/", ()),
    (".gitignore", ()),
    ("benchmarks/scripts/", ("server/scripts",)),
    ("benchmarks/", ()),
    ("deploy/", ()),
    ("examples/site/", ("site", "server/browser", "cli")),
    ("examples/", ("examples",)),
    # The SDK.
    ("browser_use_async/transport/", (*_SDK, "test-matrix")),
    ("browser_use_async/polling/", ("polling", "lifecycle", "proofs/world", "proof-world")),
    ("browser_use_async/paging/", ("paging", "cli")),
    ("browser_use_async/lifecycle/", (*_MONEY, "polling", "observation")),
    ("browser_use_async/batch/", (*_MONEY, "cli", "proof-fleet")),
    ("browser_use_async/money/", _MONEY),
    ("browser_use_async/prices.py", ("batch", "money", "server")),
    ("browser_use_async/files/", ("files", "cli")),
    ("browser_use_async/webhooks/", ("webhooks", "server/webhooks", "polling", ".")),
    ("browser_use_async/structured_output/", ("api", "types", "server/plain", "lifecycle")),
    ("browser_use_async/observing/observers.py", _SDK),
    ("browser_use_async/observing/notebook.py", ("examples", "types")),
    ("browser_use_async/observing/", ("observation", "polling", "cli")),
    ("browser_use_async/events.py", ("observation", "polling", "cli")),
    ("browser_use_async/logs.py", ("observation", "cli")),
    ("browser_use_async/testing/", ("cli",)),
    ("pytest_browser_use_async.py", (".",)),
    ("browser_use_async/mcp/", ("mcp",)),
    ("browser_use_async/cli/", ("cli", ".")),
    ("browser_use_async/__main__.py", ("cli", ".")),
    ("browser_use_async/postgres/", _FLEET),
    # The server.
    ("browser_use_async/server/egress/", ("server/egress", *_BROWSER, "server/search")),
    ("browser_use_async/server/executors/agent/", ("server/agent", "test-agent")),
    ("browser_use_async/server/executors/browser/", _BROWSER),
    ("browser_use_async/server/executors/instructions/", ("server/plain", "server/browser")),
    ("browser_use_async/server/executors/plain/", ("server/plain", "server/html")),
    ("browser_use_async/server/executors/scripts/", (*_BROWSER, "server/scripts", "test-agent")),
    ("browser_use_async/server/executors/", (*_SERVER, *_BROWSER, "server/agent")),
    ("browser_use_async/server/faults/", ("server/faults", "server", "proof-world")),
    ("browser_use_async/server/html/", ("server/html", "server/plain", "server/search")),
    ("browser_use_async/server/tasks/", (*_SERVER, *_FLEET)),
    ("browser_use_async/server/keys/", ("server/keys", "server", "cli")),
    ("browser_use_async/server/live_view/", (*_BROWSER, "server/fleet")),
    ("browser_use_async/server/pages/", (*_BROWSER, "server")),
    ("browser_use_async/server/search/", ("server/search",)),
    ("browser_use_async/server/storage/", (*_SERVER, *_FLEET)),
    (
        "browser_use_async/server/webhooks/",
        ("server/webhooks", "server/fleet", "proof-fleet", "webhooks"),
    ),
    ("browser_use_async/server/", (*_SERVER, *_FLEET, *_BROWSER, "server/agent", "cli")),
    # Every call passes the rest of the SDK.
    ("browser_use_async/", _SDK),
    # The tests: a folder needs itself, and shared helpers need all suites.
    ("tests/support/postgres.py", _FLEET),
    ("tests/support/devtools.py", _BROWSER),
    ("tests/support/", _MOST),
    ("tests/agent/", ("test-agent", "server/agent")),
    ("tests/proofs/conformance/", ("proofs/conformance",)),
    ("tests/testing/", ()),
    ("tests/typing/", ()),
    ("tests/openapi/", ("server",)),
    ("tests/samples/", ("api", "server")),
    ("tests/deploy/", ()),
    ("tests/gate/", ()),
    ("tests/vendor/", ("webhooks",)),
    ("tests/postgres/", ("batch",)),
    ("tests/proofs/fleet/", ("proof-fleet",)),
    ("tests/proofs/world/", ("proofs/world", "proof-world")),
    ("tests/proofs/model/", ("batch", "proofs/world", "proof-world", "proof-fleet")),
    ("tests/proofs/__init__.py", ()),
    ("tests/proofs/paying_once/", ()),
    ("tests/proofs/million.py", ("batch",)),
    ("tests/proofs/mutants/", ("proofs/mutants",)),
    ("tests/batch/", ("batch",)),
    ("tests/conftest.py", _MOST),
    ("tests/__init__.py", _MOST),
    ("tests/test_", (".",)),
    ("tests/transport/", ("transport", "test-matrix")),
    ("tests/server/scripts/", ("server/scripts", "test-agent")),
    *((f"tests/{suite}/", (suite,)) for suite in sorted(SUITES, reverse=True) if suite != "."),
)


def needed_suites(files: Iterable[str]) -> Mapping[str, str]:
    """The suites that these files need, each with the first file that needs it."""
    needed: dict[str, str] = {}
    for name in sorted(files):
        rows = (suites for start, suites in ROOMS if name.startswith(start))
        for suite in next(rows, _MOST):
            needed.setdefault(suite, name)
    return {suite: needed[suite] for suite in ALL if suite in needed}


def test_paths(suite: str) -> list[str]:
    """The tests of a folder, for pytest."""
    folder = ROOT / "tests" / suite
    if any(other.startswith(f"{suite}/") for other in SUITES) or suite == ".":
        return [path.relative_to(ROOT).as_posix() for path in sorted(folder.glob("test_*.py"))]
    return [folder.relative_to(ROOT).as_posix()]


def changed_files(base: str = "") -> list[str] | None:
    """The files that differ from a commit, or from the last that landed; None: not known.

    Args:
        base: A commit; else the variable GATE_BASE names it, or the file `.ci/landed`.
    """
    base = base or os.environ.get("GATE_BASE", "")
    if not base and LANDED.exists():
        base = LANDED.read_text("utf-8").strip()
    if not base or _git("merge-base", "--is-ancestor", base, "HEAD") is None:
        return None
    changed = _git("diff", "--name-only", "--no-renames", base)
    added = _git("ls-files", "--others", "--exclude-standard")
    if changed is None or added is None:
        return None
    return sorted({*changed.splitlines(), *added.splitlines()})


def _git(*arguments: str) -> str | None:
    try:
        ended = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:  # there is no git
        return None
    return ended.stdout if ended.returncode == 0 else None


def _explain() -> None:
    files = changed_files()
    if files is None:
        print("what changed is not known: all long suites")
        return
    needed = needed_suites(files)
    print(f"{len(files)} files changed: {len(needed)} of {len(ALL)} long suites")
    for suite, name in needed.items():
        print(f"  {suite:<18} for {name}")


def _needed() -> Sequence[str]:
    files = changed_files()
    return ALL if files is None else tuple(needed_suites(files))


def _paths(names: Sequence[str]) -> list[str]:
    names = names or _needed()
    if "all" in names:
        return ["tests"]
    unknown = set(names) - set(ALL)
    if unknown:
        raise SystemExit(f"no suite is named {', '.join(sorted(unknown))}; all: {' '.join(ALL)}")
    return [path for suite in names if suite in SUITES for path in test_paths(suite)]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["paths", *suites]:
            print(*_paths(suites))
        case ["suites"]:
            print(*_needed())
        case _:
            _explain()
