"""The cost of an import, and the packages that are installed for it."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from statistics import median

from benchmarks.harness import FULL, QUICK, Effort, Report, Row, compare, judge, table

PROGRAM = """
import json, sys, time
started, used = time.perf_counter(), time.process_time()
{statement}
used, seconds = time.process_time() - used, time.perf_counter() - started
# Not `ru_maxrss`, which a process takes over from the one that started it.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([used * 1e3, seconds * 1e3, int(peak.split()[1]) / 1024, len(sys.modules)]))
"""
SIDES = {
    "ours": ("browser-use-async", "from browser_use_async import BrowserUseSession"),
    "official": ("browser-use-sdk", "from browser_use_sdk import AsyncBrowserUse"),
    "apify": ("apify-client", "from apify_client import ApifyClientAsync"),
    "aiohttp": ("aiohttp", "import aiohttp"),
    "httpx": ("httpx", "import httpx"),
}
FIRST_SESSIONS = {
    "ours": f"{SIDES['ours'][1]}; BrowserUseSession('bu_key')",
    "official": f"{SIDES['official'][1]}; AsyncBrowserUse(api_key='bu_key')",
}
"""What is left for the first session is part of what a program pays at its start."""


def cost(statement: str) -> list[float]:
    """CPU and wall milliseconds, megabytes, and the number of modules, in a fresh process."""
    program = PROGRAM.format(statement=statement)
    # pip compiles what it installs; a checkout is compiled by the run that comes first.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    figures: list[float] = json.loads(result.stdout)
    return figures


def _needs(of: Distribution) -> list[str]:
    from packaging.requirements import Requirement  # noqa: PLC0415 - a peer brings it along

    found = []
    for text in of.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found.append(requirement.name)
    return found


def closure(name: str) -> dict[str, Distribution]:
    """A distribution and all that it needs, by normalized name."""
    found: dict[str, Distribution] = {}
    queue = [name]
    while queue:
        each = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if each in found:
            continue
        try:
            found[each] = distribution(each)
        except PackageNotFoundError:
            continue  # for another platform
        queue += _needs(found[each])
    return found


def megabytes(of: Distribution) -> float:
    """The size of its files without compiled twins; this package is in the checkout."""
    if of.metadata["Name"] == "browser-use-async":
        root = Path(__file__).parent.parent / "browser_use_async"
        files = [path for path in root.rglob("*") if "__pycache__" not in path.parts]
    else:
        files = [Path(str(of.locate_file(path))) for path in of.files or ()]
    sizes = [path.stat().st_size for path in files if path.is_file() and path.suffix != ".pyc"]
    return sum(sizes) / 1e6


def report(effort: Effort) -> Report:
    """Measure, and compare with the goals."""
    runs: dict[str, list[list[float]]] = {name: [] for name in SIDES}
    ready: dict[str, list[float]] = {name: [] for name in FIRST_SESSIONS}
    cost(FIRST_SESSIONS["ours"])
    for _ in range(effort.rounds + 4):
        for name, (_label, statement) in SIDES.items():
            runs[name].append(cost(statement))
        for name, statement in FIRST_SESSIONS.items():
            ready[name].append(cost(statement)[0])
    cpu = {name: [each[0] for each in figures] for name, figures in runs.items()}
    installed = {name: closure(label) for name, (label, _statement) in SIDES.items()}
    sizes = {name: sum(map(megabytes, found.values())) for name, found in installed.items()}
    extra = median(mine - theirs for mine, theirs in zip(cpu["ours"], cpu["aiohttp"], strict=True))
    count, size = len(installed["ours"]), sizes["ours"]
    official = ("browser-use-sdk", cpu["ours"], cpu["official"])
    sessions = ("browser-use-sdk", ready["ours"], ready["official"])
    rows = [
        compare("import, CPU", "ms", official, at_most=0.85),
        compare("import and a first session, CPU", "ms", sessions, at_most=0.85),
        Row(
            "import above that of aiohttp, CPU",
            f"{median(cpu['ours']):.0f} ms",
            f"aiohttp: {median(cpu['aiohttp']):.0f} ms",
            f"{extra:.0f} ms more",
            "≤ 35 ms",
            judge(extra, at_most=35),
        ),
        Row(
            "installed distributions, with its own",
            str(count),
            f"browser-use-sdk: {len(installed['official'])}",
            str(count),
            "≤ 13",
            judge(count, at_most=13),
        ),
        Row(
            "installed size without compiled files",
            f"{size:.1f} MB",
            f"browser-use-sdk: {sizes['official']:.1f} MB",
            f"{size:.1f} MB",
            "≤ 13 MB",
            judge(size, at_most=13),
        ),
    ]
    head = "import|CPU ms|wall ms|resident MB|modules|distributions|installed MB".split("|")
    lines = [
        [
            f"`{SIDES[name][1]}`",
            *(f"{median(each[column] for each in figures):.0f}" for column in range(4)),
            str(len(installed[name])),
            f"{sizes[name]:.1f}",
        ]
        for name, figures in runs.items()
    ]
    return Report(rows, table(head, lines))


if __name__ == "__main__":
    result = report(QUICK if "--quick" in sys.argv else FULL)
    print(*result.rows, result.details, sep="\n")
