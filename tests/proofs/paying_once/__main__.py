"""Breaks submissions in every way, and prints what was paid and how long this was unknown.

`make proof-paying-once`; the exit code is 1 if something was paid twice or lost, or if a control,
which must pay twice, did not. QUICK=1 takes a part of everything.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable

import attrs

from benchmarks.batch import ROOT
from benchmarks.harness import machine, table
from tests.proofs.paying_once.cuts import cut_at_each_byte
from tests.proofs.paying_once.kills import Mode, kill_at_each_statement
from tests.proofs.paying_once.losses import SHARE, Which, lose, lose_requests
from tests.proofs.paying_once.proxies import CASES, Case, ask
from tests.proofs.paying_once.submissions import Verdict

__all__ = ["main"]

RESULTS = ROOT / "benchmarks" / "results" / "paying_once.md"
HEAD = ("what breaks", "result", "round trips p50, p99", "seconds p50, p99", "verdict")
MOST_ROUND_TRIPS = 2  # of a doubt, of which one in a hundred may take longer


@attrs.frozen(kw_only=True)
class Effort:
    """How much is tried.

    Attributes:
        jobs: Submissions whose answers are lost.
        old_jobs: The same whose requests are lost.
        window: Seconds of the settle window of those, for the old protocol.
        stride: From one byte to the next at which a connection is cut.
        kill_stride: From one place to the next at which the server is killed.
    """

    jobs: int
    old_jobs: int
    window: float
    stride: int
    kill_stride: int


FULL = Effort(jobs=10_000, old_jobs=100, window=150.0, stride=1, kill_stride=1)
QUICK = Effort(jobs=500, old_jobs=20, window=5.0, stride=25, kill_stride=5)


@attrs.define(eq=False)
class Bench:
    """Runs the parts, and prints a line for each.

    Attributes:
        effort: How much is tried.
        lines: The results.
        is_right: Whether all results are right.
    """

    effort: Effort
    lines: list[tuple[str, ...]] = attrs.field(factory=list)
    is_right: bool = True

    async def run(self) -> None:
        """Run all of them, one after the other."""
        effort = self.effort
        for which in ("first answers", "all answers"):
            for keys in (True, False):
                await self._lose(which, keys=keys)
        for keys in (True, False):
            name = f"the request is lost, {_with(keys=keys)}"
            if not keys:
                name += f", window {effort.window:g} s"
            lost = lose_requests(effort.old_jobs, effort.window, submission_keys=keys)
            await self._judge(name, lost, most=MOST_ROUND_TRIPS if keys else None)
        for is_warm in (True, False):
            name = f"cut at each byte, {_knowing(is_warm=is_warm)}"
            await self._judge(name, cut_at_each_byte(effort.stride, is_warm=is_warm))
        for is_warm in (True, False):
            await self._kill("inside", is_warm=is_warm)
        await self._kill("outside", is_warm=True)
        for case in CASES:
            await self._ask(case)

    async def _lose(self, which: Which, *, keys: bool) -> None:
        name = f"{SHARE:.0%} of {which} are lost, {_with(keys=keys)}"
        most = MOST_ROUND_TRIPS if keys and which == "first answers" else None
        await self._judge(name, lose(self.effort.jobs, which, submission_keys=keys), most=most)

    async def _judge(self, name: str, work: Awaitable[Verdict], *, most: int | None = None) -> None:
        began = time.monotonic()
        verdict = await work
        (usual, usual_seconds), (rare, rare_seconds) = verdict.lasted(0.5), verdict.lasted(0.99)
        is_right = verdict.is_exact and (most is None or rare <= most)
        trips, seconds = f"{usual}, {rare}", f"{usual_seconds:.3f}, {rare_seconds:.3f}"
        self._add(began, is_right, name, verdict.paid, trips, seconds)

    async def _kill(self, mode: Mode, *, is_warm: bool) -> None:
        began, is_control = time.monotonic(), mode == "outside"
        stride = 1 if is_control else self.effort.kill_stride
        killed = await kill_at_each_statement(stride, mode, is_warm=is_warm)
        name = f"kill -9 at each statement, {_knowing(is_warm=is_warm)}"
        if is_control:
            name = "the same, the key's row after the transaction: must fail"
        is_exact = killed.points > 0 and not (killed.twice or killed.lost)
        text = f"{killed.points} places: {killed.twice} twice, {killed.lost} lost"
        self._add(began, is_exact != is_control, name, text)

    async def _ask(self, case: Case) -> None:
        began, found = time.monotonic(), await ask(case)
        is_right = found.verdict.is_exact != case.pays_twice
        name = f"{case.name}: must fail" if case.pays_twice else case.name
        rare = found.verdict.lasted(0.99)
        self._add(began, is_right, name, found.verdict.paid, f"-, {rare[0]}", f"-, {rare[1]:.3f}")
        for line in found.said:
            print(f"    said: {line}", flush=True)

    def _add(self, began: float, is_right: bool, *cells: str) -> None:
        self.is_right &= is_right
        padded = (*cells, *["-"] * (len(HEAD) - 1 - len(cells)), "right" if is_right else "WRONG")
        self.lines.append(padded)
        seconds = time.monotonic() - began
        print(f"{'; '.join(padded)} ({seconds:.0f} s)", flush=True)


def _with(*, keys: bool) -> str:
    return "with keys" if keys else "without keys"


def _knowing(*, is_warm: bool) -> str:
    return "the session knows of keys" if is_warm else "a new session"


def main() -> int:
    """Measure, keep the results and print them."""
    is_quick = "--quick" in sys.argv
    bench = Bench(QUICK if is_quick else FULL)
    began = time.monotonic()
    asyncio.run(bench.run())
    minutes = (time.monotonic() - began) / 60
    text = f"{table(HEAD, bench.lines)}\n\n{minutes:.0f} minutes. {machine(('aiohttp',))}"
    if not is_quick:
        RESULTS.write_text(f"# Paying once\n\nWritten by `make proof-paying-once`.\n\n{text}\n")
    return 0 if bench.is_right else 1


if __name__ == "__main__":
    sys.exit(main())
