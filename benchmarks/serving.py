"""The CPU time of a created task, and the wait of other calls during searches.

Created tasks are compared with commit 2aca7bd, whose server had them in memory: its package is
taken out of git. All load comes from `raw_client`, which costs as little as is possible in Python.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import attrs

from benchmarks import raw_client
from benchmarks.harness import FULL, QUICK, Effort, Report, Row, compare, judge, table
from benchmarks.server import KEY, fill, serve
from benchmarks.servers.process import ServerProcess

OLD = "2aca7bd"
ROOT = Path(__file__).parent.parent
CONNECTIONS = 20
SEARCHES = 20
_FILLED = 10_000
_TASK = json.dumps({"task": "x", "metadata": {"scenario": "hang"}}).encode()


# --- created tasks, beside the server that had them in memory ---------------------------------


@attrs.define
class _Measured:
    """A server of some version, in a process of its own."""

    process: subprocess.Popen[str]
    url: str

    @classmethod
    @contextlib.contextmanager
    def started(cls, package: Path, folder: Path) -> Iterator["_Measured"]:
        """One whose package stands in a folder."""
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.servers.measured", str(folder / "a.db"), KEY],
            env={**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{ROOT}"},
            cwd=folder,  # which Python puts on its path
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            yield cls(process, process.stdout.readline().strip())
        finally:
            process.kill()
            process.communicate()

    def cost(self, calls: int) -> float:
        """Microseconds of its CPU time for a created task."""
        create = raw_client.request("POST", f"{self.url}/run-task", KEY, _TASK)
        with raw_client.connections(self.url, CONNECTIONS) as sockets:
            before = self._used()
            raw_client.call(sockets, [create], calls=calls)
            return 1e6 * (self._used() - before) / calls

    def _used(self) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def creations(effort: Effort) -> Report:
    """The two servers take turns."""
    calls = 2 * effort.calls
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        old = Path(place) / "old"
        try:
            _take_out(old)
        except subprocess.CalledProcessError:
            return Report([], f"Commit {OLD} is not in this clone: created tasks are not measured.")
        costs: dict[str, list[float]] = {"old": [], "new": []}
        servers = {}
        for name, package in (("old", old), ("new", ROOT)):
            folder = Path(place) / f"of-{name}"
            folder.mkdir()
            servers[name] = stack.enter_context(_Measured.started(package, folder))
        for turn in range(effort.rounds + 1):
            for name, server in servers.items():
                cost = server.cost(calls)
                if turn:  # the first one warms up
                    costs[name].append(cost)
    sides = (f"{OLD}, in memory", costs["new"], costs["old"])
    row = compare("server, create with the row durable, CPU", "µs", sides, at_most=1.5)
    said = f"{calls:,} tasks in each turn, over {CONNECTIONS} connections; CPU time of the server."
    lines = [[name, *(f"{each:.0f}" for each in found)] for name, found in costs.items()]
    head = ["µs for a task", *(f"turn {number + 1}" for number in range(effort.rounds))]
    return Report([row], f"{said}\n\n{table(head, lines)}")


def _take_out(folder: Path) -> None:
    folder.mkdir()
    archive = subprocess.run(
        ["git", "archive", OLD, "browser_use_async"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)


# --- who waits while others search ------------------------------------------------------------


def searches(effort: Effort) -> Report:
    """How long a ping takes while many search all tasks for a text that none has."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "a.db"
        fill(path, _FILLED)
        with ServerProcess(serve, str(path)) as process:
            url, _ = process.pipe.recv()
            pings = [each for _ in range(effort.rounds) for each in _pings_beside(url)]
    pings.sort()
    worst = 1000 * pings[int(len(pings) * 0.99)]
    row = Row(f"server, ping beside {SEARCHES} searches in {_FILLED:,} tasks, p99",
              f"{worst:.1f} ms", "before it read in parts: 1,200 ms", f"{worst:.1f} ms", "≤ 20 ms",
              judge(worst, at_most=20))  # fmt: skip
    return Report([row], f"{len(pings)} pings; median {1000 * median(pings):.1f} ms.")


def _pings_beside(url: str) -> list[float]:
    root = url.removesuffix("/api/v1")
    sought = [
        raw_client.request("GET", f"{root}/admin/overview?text=none{number}", KEY)
        for number in range(SEARCHES)
    ]
    ping = raw_client.request("GET", f"{url}/ping", KEY)
    found: list[float] = []
    with (
        raw_client.connections(url, SEARCHES) as sockets,
        raw_client.connections(url, 1) as other,
    ):
        raw_client.call(other, [ping], calls=1)
        searching = threading.Thread(
            target=raw_client.call, args=(sockets, sought), kwargs={"calls": 5 * SEARCHES}
        )
        searching.start()
        time.sleep(0.05)  # until all of them are under way
        while searching.is_alive():
            found.append(raw_client.call(other, [ping], calls=1).seconds)
        searching.join()
    return found[:-1]  # the last one may have been asked after them


def report(effort: Effort) -> Report:
    """Both of them."""
    reports = [measure(effort) for measure in (creations, searches)]
    rows = [row for each in reports for row in each.rows]
    return Report(rows, "\n\n".join(each.details for each in reports))


if __name__ == "__main__":
    found = report(QUICK if "--quick" in sys.argv else FULL)
    print(found.details)
    for each in found.rows:
        print(each.what, each.ours, each.against, each.measured, each.verdict, sep=" | ")
