"""Runs every benchmark beside the other clients and writes the results: `make bench`.

`make bench QUICK=1` takes about four minutes; its figures are only a rough guide.
"""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import attrs

from benchmarks import (
    batch,
    creating,
    decoding,
    footprint,
    long_poll,
    neighbours,
    overhead,
    paging,
    schedule,
    server,
    serving,
    status_call,
    transfers,
    waiting,
    webhooks,
)
from benchmarks.harness import FULL, QUICK, Effort, Report, Row, machine, table
from benchmarks.plot import plot

RESULTS = Path(__file__).parent / "results"
DISTRIBUTIONS = (
    "browser-use-async",
    "aiohttp",
    "attrs",
    "cattrs",
    "tenacity",
    "browser-use-sdk",
    "httpx",
    "pydantic",
    "apify-client",
)
NOTES = """\
- Ratios compare sides within one interleaved run, on CPU time where that is possible. They are the
  medians of the ratios of the rounds. Neighbours on a shared machine change absolute figures by up
  to 2x.
- The server runs in a process of its own, on the same machine, without TLS. In a real program the
  time of the network is added for every client, and every ratio of CPU time moves towards 1.
  Created tasks are measured over TLS, since a handshake is most of the cost of a new connection.
- browser-use-sdk has no client for version 1 of the API. It is measured with version 2, whose
  status answer is an object of six fields where version 1 answers one word. So a part of its cost
  per call is decoding that the others do not need. "httpx alone" shows the share of its library.
- apify-client requests objects of its own service, whose answers are larger too. It has its own
  transport in Rust, whose threads are counted in its CPU time.
- aiohttp and httpx alone check neither status nor content, and have no retries and no types. The
  handwritten Protocol has one fixed request and does not understand HTTP.
- All clients keep their own defaults: pool sizes, headers, retries. Only timeouts are raised where
  queues at 500 calls at once would reach them. browser-use-sdk polls with `interval=2`, its
  default.
- 500 waits start at once, as with `asyncio.gather`. Clients with a loop for each task then poll in
  step, and a slow one falls behind its interval. It then makes fewer requests than its interval
  means, so its number of requests looks better than it is, and its delay does not.
- Waits in real time use shorter durations than real tasks, because a round would take ten minutes
  otherwise. That helps clients that poll each task alone. Virtual time uses real durations.
- In virtual time the vendor's client is the real one on a transport in memory. CPU time has no
  effect there, so the figures do not show that it falls behind at 500 waits and more.
- A single wait polls as the vendor's client does, so the goal "no worse" is a tie by design: the
  row compares requests times mean delay and allows two standard errors of the simulation.
- Traced memory (`tracemalloc`) does not include what libraries allocate in C and Rust, which helps
  httpx with pydantic; resident memory does. Both include the requests in progress at the worst
  moment, and the caller's own task, which alone costs 0.9 KB (1.5 KB with an `asyncio.timeout`).
  Fixed costs of a session are divided by the number of waits.
- Paging is measured beside the 10,000 waits. Its seconds are those of a server that takes 100 ms
  for each page, and neither of the two uses a fifth of a core.
- Goals that were missed, and the reason:
  - *A status call*: the layers around an exchange take 1.5 µs, and building the request and
    handing out the answer 2 more. The rest is the cost of what aiohttp alone does not do: a timeout
    for each call, the check of status and type, and the log of the latest calls.
  - *Decoding*: with orjson the row is at its bound. Without it, the standard library alone
    takes 86 of the 141 microseconds. Types take the rest, and the search for repeated keys, which
    are refused. Only a faster parser helps: the extra.
  - *Memory of 500 waits*: a bare sweep with aiohttp, which keeps only a future for each wait,
    needs 3.4 KB itself: the caller's task, the pages and tasks of requests in progress, and a
    session's fixed costs divided by 500. With 10,000 waits this package needs 2.6 KB.
  - *A core's share of 10,000 waits*: each wait has a time of its own in one heap, and is queued
    when it is due. A page of the list shows a hundred of them, but saves only their requests.
  - *CPU time of a task that is woken*: two HTTP exchanges, one served and one made, take most
    of the goal with aiohttp alone. This package adds the check of a signature, the memory that
    keeps an event from being handled twice, a typed task, and the remaining polls.
  - *Import above that of aiohttp*: its bound is smaller than the difference between runs.
  - *Size*: the package itself is 3.4 MB, half of it the bundled server with its pages.
  - *Get and a deep page of a million tasks*: their rows are in no memory of the server. A
    deep page is 100 rows to read and to write as JSON.
  - *An item with a ledger*: beside the two exchanges there are three statements in a thread,
    the search for equal items, and the checks of the request and of the answer.
  - *Create with the row durable*: the other side keeps tasks in memory. This one writes the
    row, its key and its first event in one transaction.
- The rows with 50 and 10,000 in flight are near their bounds.
- The import is that of the class of a session. cattrs, which creates the models of answers, is
  loaded with the first session of a program and takes some 10 ms there; a row of its own counts it.
- The share of a core for 10,000 waits includes starting them, and the confirming get of every
  task that ends; so does the delay of every client.
- Webhooks: the receiver, in aiohttp, runs in the event loop of the waits, and its CPU time
  is included. Each task has one event, at its end. The service sends one at its start as well,
  which wakes no wait and costs the receiver the same again. The control is the same world without a
  receiver. Polls are shared there too, so that the delays differ more than the requests.
- Batches run against the bundled server, which does far more for a task than the other servers
  here and shares the machine with the client. That limits all three rates; the CPU time shows the
  difference.
"""


def compared_delays(effort: Effort, picture: Path) -> Report:
    """Requests against delay, which also makes the plot."""
    simulated = schedule.report(effort)
    picture.write_text(
        plot(
            "What noticing the end of a task costs (durations: median 60 s)",
            "delay with which the end is noticed, 99th percentile, seconds",
            "requests per finished task",
            simulated.curves,
        )
    )
    return simulated.report


def many_waits_and_paging(effort: Effort) -> Report:
    """10,000 waits and paging at the same time: both mostly wait, and leave a core each."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pages = pool.submit(paging.report, effort)
        waits = waiting.many(effort)
        read = pages.result()
    return Report([*waits.rows, *read.rows], f"{waits.details}\n\n### Paging\n\n{read.details}")


def collect(effort: Effort, picture: Path) -> Iterator[tuple[list[tuple[str, Row]], list[str]]]:
    """Run them one after the other, so that none disturbs another; yields all results so far."""
    benchmarks: dict[str, Callable[[Effort], Report]] = {
        "A status call": status_call.report,
        "What the layers add to a call": overhead.report,
        "Decoding": decoding.report,
        "500 waits in real time": waiting.report,
        "10,000 waits in real time": many_waits_and_paging,
        "Requests against delay": partial(compared_delays, picture=picture),
        "Imports and installation": footprint.report,
        "Files": transfers.report,
        "Webhooks": webhooks.report,
        "Batches": batch.report,
        "Held calls": long_poll.report,
        "Created tasks": creating.report,
        "Serving": serving.report,
        "Large answers beside other calls": neighbours.report,
        "Server": partial(server.report, picture=picture.with_name(f"{picture.stem}-server.svg")),
    }
    rows: list[tuple[str, Row]] = []
    sections: list[str] = []
    for title, measure in benchmarks.items():
        started = time.monotonic()
        report = measure(effort)
        rows += [(title, row) for row in report.rows]
        sections.append(f"### {title}\n\n{report.details}\n")
        print(f"{title}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        yield rows, sections


def goals(rows: list[tuple[str, Row]]) -> str:
    """The table of goals."""
    head = ["benchmark", "what", "ours", "compared with", "measured", "wanted", "verdict"]
    lines = [[title, *attrs.astuple(row)[:-1], row.verdict] for title, row in rows]
    return table(head, lines)


def summary(rows: list[tuple[str, Row]], effort: Effort, minutes: float) -> str:
    """How many goals are met, and the effort of the run."""
    missed = sum(row.met is False for _title, row in rows)
    boundless = sum(row.met is None for _title, row in rows)
    return (
        f"{len(rows) - missed - boundless} of {len(rows)} rows met, {missed} missed, {boundless} "
        f"without a bound. {effort.rounds} rounds ({effort.long_rounds} of the waits in real time, "
        f"{min(effort.long_rounds, webhooks.ROUNDS)} of webhooks, 1 of batches), "
        f"{minutes:.0f} minutes."
    )


def page(rows: list[tuple[str, Row]], sections: list[str], said: str, name: str) -> str:
    """All of it as Markdown."""
    by = "A quick run: a rough guide only." if name == "quick" else "Written by `make bench`."
    return "\n".join(
        [
            f"# Benchmarks\n\n{by}\n",
            f"## Goals\n\n{goals(rows)}\n\n{said}\n",
            f"## Requests against delay\n\n![Requests per finished task]({name}.svg)\n",
            (
                "## The server's cost against stored tasks\n\n"
                f"![Microseconds of CPU time for a call]({name}-server.svg)\n"
            ),
            "## All figures\n",
            *sections,
            f"## Notes\n\n{NOTES}- {machine(DISTRIBUTIONS)}\n",
        ]
    )


def main() -> None:
    """Measure, keep the results after each benchmark, and print them."""
    effort, name = (QUICK, "quick") if "--quick" in sys.argv else (FULL, "benchmarks")
    # A separate file, so that an interrupted run does not leave a part as the whole result.
    unfinished = RESULTS / "unfinished"
    unfinished.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    text = ""
    for rows, sections in collect(effort, unfinished / f"{name}.svg"):
        minutes = (time.monotonic() - started) / 60
        text = page(rows, sections, summary(rows, effort, minutes), name)
        (unfinished / f"{name}.md").write_text(text)
    for each in unfinished.glob(f"{name}*"):
        each.replace(RESULTS / each.name)
    print(text)


if __name__ == "__main__":
    main()
