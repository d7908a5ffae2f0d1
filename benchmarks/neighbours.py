"""What large answers of one owner cost the others: the event loop's time, and memory.

All load comes from `raw_client`; the server is in a process of its own.
"""

import contextlib
import socket
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from benchmarks import raw_client
from benchmarks.harness import FULL, QUICK, Effort, Report, Row, judge, table
from benchmarks.server import KEY, fill, serve
from benchmarks.servers.process import ServerProcess
from browser_use_async import system

TASKS = 100
CHARACTERS = 900_000  # of the output of each
AT_ONCE = 50
UNREAD = 1_000
_ROUNDS = 5  # of unread answers, each of which the clients close
_SETTLED = 1.0  # seconds without a change of the memory


def _serve(pipe: Any, database: str) -> None:
    """Serve like the command, which has the process for itself."""
    system.return_freed_memory()
    serve(pipe, database)


@contextlib.contextmanager
def _served() -> Generator[tuple[str, Any, list[str]]]:
    """The address of a server with long outputs, the pipe to it, and the ids of its tasks."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "a.db"
        fill(path, TASKS, output="The answer" * (CHARACTERS // 10))
        with contextlib.closing(sqlite3.connect(path)) as connection:
            ids = [row[0] for row in connection.execute("SELECT id FROM tasks")]
        with ServerProcess(_serve, str(path)) as process:
            url, _ = process.pipe.recv()
            yield url, process.pipe, ids


def _figures(pipe: Any) -> tuple[float, float]:
    """The seconds of CPU time and the megabytes in memory of the server."""
    pipe.send(True)
    cpu, memory = pipe.recv()
    return cpu, memory


# --- the list ---------------------------------------------------------------------------------


def lists(effort: Effort) -> Report:
    """The cost of a page of long outputs, and how long a ping takes beside many of them."""
    with _served() as (url, pipe, _):
        page = raw_client.request("GET", f"{url}/tasks?limit={TASKS}", KEY)
        with raw_client.connections(url, 1) as sockets:
            costs = []
            raw_client.call(sockets, [page], calls=2)
            for _ in range(4 * effort.rounds):
                before = _figures(pipe)[0]
                raw_client.call(sockets, [page], calls=1)
                costs.append(1000 * (_figures(pipe)[0] - before))
        pings = [each for _ in range(effort.rounds) for each in _pings_beside(url, page)]
    cost, pings = median(costs), sorted(pings)
    slow = 1000 * pings[int(len(pings) * 0.99)]
    what = f"a page of {TASKS} tasks of {CHARACTERS:,} characters"
    rows = [
        Row(f"server, {what}, CPU", f"{cost:.0f} ms", "", f"{cost:.0f} ms", "≤ 100 ms",
            judge(cost, at_most=100)),
        Row(f"server, ping beside {AT_ONCE} such calls at once, p99", f"{slow:.0f} ms", "",
            f"{slow:.0f} ms", "≤ 200 ms", judge(slow, at_most=200)),
    ]  # fmt: skip
    worst = f"median {1000 * median(pings):.0f} ms, the longest {1000 * pings[-1]:.0f} ms"
    return Report(rows, f"The list of {what}; {len(pings)} pings: {worst}.")


def _pings_beside(url: str, page: bytes) -> list[float]:
    ping = raw_client.request("GET", f"{url}/ping", KEY)
    found: list[float] = []
    with (
        raw_client.connections(url, AT_ONCE) as sockets,
        raw_client.connections(url, 1) as other,
    ):
        raw_client.call(other, [ping], calls=1)
        # A process, since a thread would hold the lock of Python while the ping arrives.
        reading = get_context("fork").Process(target=_read, args=(sockets, page))
        reading.start()
        while reading.is_alive():
            found.append(raw_client.call(other, [ping], calls=1).seconds)
            time.sleep(0.005)
        reading.join()
    return found


def _read(sockets: Sequence[socket.socket], page: bytes) -> None:
    raw_client.call(sockets, [page], calls=2 * AT_ONCE)


# --- answers that nobody reads ----------------------------------------------------------------


def unread(_effort: Effort) -> Report:
    """The memory of a server whose clients do not read their answers, and after they have gone."""
    lines: list[list[str]] = []
    with _served() as (url, pipe, ids):
        requests = [raw_client.request("GET", f"{url}/task/{each}", KEY) for each in ids]
        start = _figures(pipe)[1]
        for number in range(_ROUNDS):
            with _unread(url, requests) as clients:
                held = _settled(pipe)
                answered = Counter(_status_of(each) for each in clients)
            after = _settled(pipe)
            said = ", ".join(f"{count} of {status}" for status, count in sorted(answered.items()))
            lines.append([str(number + 1), f"{held:.0f}", f"{after:.0f}", said])
    held, after = (max(float(line[place]) for line in lines) for place in (1, 2))
    what = f"{UNREAD:,} unread answers of {CHARACTERS / 1e6} MB"
    rows = [
        Row(f"server, {what}: resident memory", f"{held:.0f} MB", f"before: {start:.0f} MB",
            f"{held:.0f} MB", "≤ 350 MB", judge(held, at_most=350)),
        Row(f"server, {what}: after they were closed", f"{after:.0f} MB",
            f"before: {start:.0f} MB", f"{after:.0f} MB", "≤ 120 MB", judge(after, at_most=120)),
    ]  # fmt: skip
    head = ["round", "MB with all open", "MB after they were closed", "answers"]
    return Report(rows, f"{UNREAD:,} clients, {len(ids)} tasks\n\n{table(head, lines)}")


@contextlib.contextmanager
def _unread(url: str, requests: list[bytes]) -> Generator[list[socket.socket]]:
    """Clients with a small buffer, each of which makes a call and reads nothing."""
    parts = urlsplit(url)
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(UNREAD):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((parts.hostname, parts.port))
            client.sendall(requests[number % len(requests)])
            clients.append(client)
        yield clients


def _status_of(client: socket.socket) -> str:
    client.settimeout(10)
    try:
        return client.recv(12, socket.MSG_PEEK)[-3:].decode()
    except ConnectionError:
        return "closed"


def _settled(pipe: Any) -> float:
    """Megabytes in memory, once they do not change any more."""
    last, since = 0.0, time.monotonic()
    while time.monotonic() - since < _SETTLED:
        memory = _figures(pipe)[1]
        if abs(memory - last) > 1:
            last, since = memory, time.monotonic()
        time.sleep(0.1)
    return last


def report(effort: Effort) -> Report:
    """Both of them."""
    reports = [measure(effort) for measure in (lists, unread)]
    rows = [row for each in reports for row in each.rows]
    return Report(rows, "\n\n".join(each.details for each in reports))


if __name__ == "__main__":
    found = report(QUICK if "--quick" in sys.argv else FULL)
    print(found.details)
    for each in found.rows:
        print(each.what, each.ours, each.against, each.measured, each.verdict, sep=" | ")
