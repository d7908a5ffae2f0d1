"""Which long suites a change needs: the files that differ, their rooms, the suites of these rooms.

A suite is a folder of tests, whose long tests are meant, or a target of the Makefile. The table has
one row for each room of the tree; the first row that fits a file counts. A file that fits no row
needs all suites, and so does a change whose base is not known.
"""

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = [
    "ALL",
    "ROOMS",
    "ROOT",
    "SUITES",
    "TARGETS",
    "changed_files",
    "needed_suites",
    "test_paths",
]

ROOT = Path(__file__).resolve().parents[2]
LANDED = ROOT / ".ci" / "landed"  # the commit of the last change that landed

# Targets of the Makefile that take long; the gate runs their short forms.
TARGETS = ("agent", "fleet", "matrix", "world")

# Folders of tests that have long ones; a folder with others in it means the files beside them.
SUITES = tuple(
    """. api batch browser cli docs examples files lifecycle mcp money mutants observation paging
    polling proofs/conformance proofs/world server server/agent
    server/browser server/egress server/faults server/fleet server/html server/keys
    server/pages server/plain server/scripts server/search server/storage server/submission_keys
    server/webhooks site transport types webhooks""".split()
)
ALL = (*SUITES, *TARGETS)

_MONEY = ("lifecycle", "batch", "money", "proofs/world", "world")
_CALLS = ("transport", "api", "types", "paging", "polling", "files", "observation", "matrix")
_SDK = (*_CALLS, *_MONEY, "webhooks", "mcp", "cli", ".")
_BROWSER = ("server/browser", "server/pages", "browser", "site")
_SERVER = (
    *("server", "server/faults", "server/keys", "server/storage", "server/webhooks"),
    "server/submission_keys",
    *("server/plain", "server/html", "server/search", "server/egress"),
    "proofs/conformance",
)
_FLEET = ("server/fleet", "batch", "fleet")

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
    (".devcontainer/", ()),
    (".github/", ()),
    (".gitignore", ()),
    ("benchmarks/scripts/", ("server/scripts",)),
    ("benchmarks/", ()),
    ("deploy/", ()),
    ("examples/site/", ("site", "server/browser", "cli")),
    ("examples/", ("examples",)),
    # The SDK.
    (
        "browser_use_async/polling/",
        ("polling", "lifecycle", "proofs/world", "world"),
    ),
    ("browser_use_async/paging/", ("paging", "cli")),
    ("browser_use_async/lifecycle/", (*_MONEY, "polling", "observation")),
    ("browser_use_async/batch/", (*_MONEY, "cli", "fleet")),
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
    ("browser_use_async/server/egress/", ("server/egress", *_BROWSER, "server/search", "agent")),
    ("browser_use_async/server/executors/agent/", ("server/agent", "agent")),
    ("browser_use_async/server/executors/browser/", (*_BROWSER, "agent")),
    ("browser_use_async/server/executors/instructions/", ("server/plain", "server/browser")),
    ("browser_use_async/server/executors/plain/", ("server/plain", "server/html")),
    ("browser_use_async/server/executors/scripts/", (*_BROWSER, "server/scripts", "agent")),
    ("browser_use_async/server/executors/", (*_SERVER, *_BROWSER, "server/agent", "agent")),
    ("browser_use_async/server/faults/", ("server/faults", "server")),
    ("browser_use_async/server/html/", ("server/html", "server/plain", "server/search")),
    ("browser_use_async/server/tasks/", (*_SERVER, *_FLEET, "agent")),
    ("browser_use_async/server/keys/", ("server/keys", "server", "cli")),
    ("browser_use_async/server/live_view/", (*_BROWSER, "server/fleet", "agent")),
    ("browser_use_async/server/pages/", (*_BROWSER, "server")),
    ("browser_use_async/server/search/", ("server/search",)),
    ("browser_use_async/server/storage/", (*_SERVER, *_FLEET)),
    (
        "browser_use_async/server/webhooks/",
        ("server/webhooks", "server/fleet", "fleet", "webhooks"),
    ),
    ("browser_use_async/server/", (*_SERVER, *_FLEET, *_BROWSER, "server/agent", "agent", "cli")),
    # Every call passes the rest of the SDK.
    ("browser_use_async/", _SDK),
    # The tests: a folder needs itself, and shared helpers need all suites.
    ("tests/support/postgres.py", _FLEET),
    ("tests/support/devtools.py", _BROWSER),
    ("tests/support/", ALL),
    ("tests/agent/", ("agent", "server/agent")),
    ("tests/proofs/conformance/", ("proofs/conformance",)),
    ("tests/testing/", ()),
    ("tests/typing/", ()),
    ("tests/openapi/", ("server",)),
    ("tests/samples/", ("api", "server")),
    ("tests/deploy/", ()),
    ("tests/environment.sh", ()),
    ("tests/gate/", ()),
    ("tests/vendor/", ("webhooks",)),
    ("tests/postgres/", ("batch",)),
    ("tests/proofs/fleet/", ("fleet",)),
    ("tests/proofs/world/", ("proofs/world", "world")),
    ("tests/proofs/model/", ("batch", "proofs/world", "world", "fleet")),
    ("tests/proofs/__init__.py", ()),
    ("tests/proofs/paying_once/", ()),
    ("tests/proofs/million.py", ("batch",)),
    ("tests/mutants/", ("mutants",)),
    ("tests/batch/", ("batch",)),
    ("tests/matrix.sh", ("matrix",)),
    ("tests/smoke.py", ()),
    ("tests/wheel.sh", ()),
    ("tests/audit.py", ()),
    ("tests/conftest.py", ALL),
    ("tests/__init__.py", ALL),
    ("tests/test_", (".",)),
    *((f"tests/{suite}/", (suite,)) for suite in sorted(SUITES, reverse=True) if suite != "."),
)


def needed_suites(files: Iterable[str]) -> Mapping[str, str]:
    """The suites that these files need, each with the first file that needs it."""
    needed: dict[str, str] = {}
    for name in sorted(files):
        rows = (suites for start, suites in ROOMS if name.startswith(start))
        for suite in next(rows, ALL):
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
