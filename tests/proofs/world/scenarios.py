"""The scenarios, their bounds, and the controls."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs

from tests.batch.world import simulate_batch
from tests.proofs.world import naive_clients
from tests.proofs.world.clients import live
from tests.proofs.world.faults import Call, Kind, Rule, mixed
from tests.proofs.world.laws import Crash, Interruption, Laws, Life
from tests.proofs.world.lies import ListLies
from tests.proofs.world.machines import MachineLaws, simulate
from tests.proofs.world.report import LATENCY_TARGET, Report
from tests.proofs.world.workloads import Flow, Slots, Spending, Submissions, Waits

__all__ = ["SCENARIOS", "Scenario"]

Bounds = Mapping[str, float | None]

SAFE: Bounds = MappingProxyType(
    dict.fromkeys(("twice", "lost", "wrong", "untyped", "unended", "forbidden"), 0.0)
)


@attrs.frozen
class Scenario:
    """Worlds with the same bounds."""

    name: str
    laws: tuple[Any, ...]
    bounds: Bounds = attrs.field(factory=dict)  # besides SAFE; None for no bound
    beside: Laws | None = None  # the requests for comparison
    seeds: Sequence[int] = (0,)  # of a whole run
    quick: int = 0  # how many seeds a short run has of it
    control: tuple[str, ...] = ()  # the measures whose bounds must be broken
    live: Callable[[Any, int], Report] = live  # runs one world

    @property
    def limits(self) -> dict[str, float]:
        """All bounds."""
        both = {**SAFE, **self.bounds}
        return {name: bound for name, bound in both.items() if bound is not None}

    def failures(self, report: Report) -> dict[str, float]:
        """The unexpected results: broken bounds, or those that a control kept."""
        broken = report.broken(self.limits)
        if not self.control:
            return broken
        measures = report.measures()
        return {name: measures[name] for name in self.control if name not in broken}


PROMPT = LATENCY_TARGET + 0.1  # seconds: the target, and the two replies that report it
DISTURBED = 2 * LATENCY_TARGET  # seconds
WAITS: Bounds = {"p99": DISTURBED, "typed": 0}
HOUR, DAY = 3600.0, 86400.0
LONG, MIDDLE, SHORT = Life((20.0, 400.0)), Life((20.0, 200.0)), Life((10.0, 60.0))
LISTS, RUNS = frozenset({Call.LIST}), frozenset({Call.RUN})
LOST = Rule(Kind.CUT, 0.3, calls=RUNS, done=0.6)


def _flows() -> Iterator[Scenario]:
    """Tasks of the session, whose waits share the failing pages."""
    flow = Flow(100, 25)
    name = "run_and_wait 100/s"
    cut2, cut5 = (Rule(Kind.CUT, share) for share in (0.02, 0.05))
    hang = (Rule(Kind.SLOW, 0.01, seconds=29.0),)
    slow = Rule(Kind.SLOW, page=20, since=10.0, times=2, seconds=8.0, calls=LISTS)
    growing = tuple((10.0 + second, 30) for second in range(10))
    pages = (attrs.evolve(cut2, calls=LISTS),)
    yield Scenario(f"{name}, 0 % cut", (Laws(Flow(100, 10)),), {"p99": PROMPT, "typed": 0})
    yield Scenario(f"{name}, 2 % cut", (Laws(flow, (cut2,)),), WAITS, seeds=(10, 4))
    yield Scenario(f"{name}, 5 % cut", (Laws(flow, (cut5,)),), WAITS, seeds=(5, 0))
    late = {"late": 0.04, "typed": 0}
    laws = Laws(Flow(60, 25), hang)
    yield Scenario("run_and_wait 60/s, 1 % hang", (laws,), late, seeds=(0, 6))
    laws = Laws(Waits(5000), pages, life=Life((20.0, 120.0)), others=100.0)
    yield Scenario("5,000 waits, 2 % of pages cut", (laws,), {"typed": 0})
    laws = Laws(Waits(2000), (slow,), life=Life((30.0, 60.0)), bursts=growing)
    yield Scenario("oldest of 20 pages slow twice", (laws,), {"typed": 0}, quick=1)


def _shares() -> Iterator[Scenario]:
    """A share of all calls fails."""
    cuts: dict[int, Bounds] = {
        0: {"p99": PROMPT, "requests": 5.0, "typed": 0},
        2: {**WAITS, "requests": 10.0},
        5: {**WAITS, "requests": 10.0},
        10: {"p99": 8.0, "typed": 0},
        20: {"p99": 8.0, "typed": 0},
    }
    lone = Laws(Waits(1), (Rule(Kind.CUT, 0.2),), life=LONG)
    yield Scenario("1 wait, 20 % cut", (lone,), cuts[20], seeds=tuple(range(20)))
    for count, seeds in ((100, (0, 1, 2)), (1000, (0,))):
        laws = Laws(Waits(count), life=LONG)
        for percent, bounds in cuts.items():
            cut = attrs.evolve(laws, faults=(Rule(Kind.CUT, percent / 100),))
            quick = count == 100 and percent in {0, 5, 20}
            name = f"{count:,} waits, {percent} % cut"
            yield Scenario(name, (cut,), bounds, seeds=seeds, quick=quick)
        others = {
            "5xx": ((Rule(Kind.SERVER_ERROR, 0.2),), 8.0),
            # Refusals halve the calls that may be in flight, and some replies take half a minute:
            # the promise is that no error says that the API gives no answer.
            "mixed": (mixed(0.2), 200.0),
        }
        for name, (faults, most) in others.items():
            failing = attrs.evolve(laws, faults=faults)
            bounds = {"p99": most, "typed": 0}
            yield Scenario(f"{count:,} waits, 20 % {name}", (failing,), bounds, seeds=seeds)

    laws = Laws(Waits(2000), mixed(0.2), life=Life((20.0, 1500.0)))
    bounds = {"p99": 600.0, "typed": 0}
    yield Scenario("2,000 long waits, 20 % mixed", (laws,), bounds, seeds=(1,))


def _slow_replies() -> Iterator[Scenario]:
    """One page is slow, or everything is."""
    for count in (300, 1000):
        for seconds in (25.0, 60.0):
            slow = Rule(Kind.SLOW, every=60.0, since=5.0, seconds=seconds, calls=LISTS)
            laws = Laws(Waits(count), (slow,), life=LONG)
            name = f"{count:,} waits, a page of {seconds:.0f} s"
            quick = (count, seconds) == (300, 25.0)
            yield Scenario(name, (laws,), {"late": 0.04, "typed": 0}, quick=quick)
    laws = Laws(Waits(1000, rate=100.0, older=True), reply=1.0)
    yield Scenario("1,000 at 100/s, replies of 1 s", (laws,), {"p99": 6.0, "typed": 0})


def _clocks() -> Iterator[Scenario]:
    """This machine's clock is not the service's, and answers to run-task are lost."""
    ways, cold = (
        tuple(
            Laws(
                Submissions(60, resubmits=resubmits, warm=warm),
                (LOST,),
                others=1.0,
                rows_tell_metadata=has_metadata,
            )
            for resubmits in (False, True)
            for has_metadata in choices
        )
        for warm, choices in ((True, (True, False)), (False, (False,)))
    )
    skews = {"+1,900 s": 1900.0, "+1 h": HOUR, "+1 day": DAY, "-1 day": -DAY}
    for name, skew in skews.items():
        laws = tuple(attrs.evolve(laws, skew=skew) for laws in (*ways, *cold))
        yield Scenario(f"clock {name}", laws)
    for name, jump in (("1 h", HOUR), ("1 day", DAY)):
        laws = tuple(attrs.evolve(laws, jump=jump) for laws in ways)
        seeds, quick = (0, 1, 2), name == "1 h"
        yield Scenario(f"clock jumps by {name}", laws, seeds=seeds, quick=quick)
    waits = Laws(Waits(200), life=MIDDLE, jump=DAY)
    yield Scenario("200 waits, clock jumps by 1 day", (waits,), {"p99": PROMPT, "typed": 0})


def _budgets() -> Iterator[Scenario]:
    """Batches that must stop spending."""
    kinds = {"3 steps": (3,), "20 steps": (20,), "75 steps": (75,), "mixed steps": (3, 20, 75)}
    cells = [(budget, workers) for budget in (200, 500, 2000) for workers in (1, 10, 50)]
    for name, steps in kinds.items():
        life = Life(steps=steps)
        laws = tuple(Laws(Spending(*cell), life=life) for cell in cells)
        yield Scenario(f"budget, {name}", laws, {"spent": 1.0}, quick=name == "20 steps")


def _crashes() -> Iterator[Scenario]:
    """Failures inside the process."""
    cancelled = Crash(cancel_at=12.0)
    last = DISTURBED + cancelled.cancel_seconds
    waits = tuple(Laws(Waits(count), life=SHORT, crash=cancelled) for count in (1, 50))
    flow = Laws(Flow(10, 8, burst=10), life=SHORT, crash=cancelled)
    bounds: Bounds = {"max": last, "typed": 0}
    yield Scenario("waits, all cancelled for 4 s", waits, bounds, quick=1)
    yield Scenario("run_and_wait, all cancelled", (flow,), bounds)
    once = tuple(
        Laws(Waits(count), life=SHORT, crash=Crash(raises=Interruption, raise_times=1))
        for count in (1, 50)
    )
    once += tuple(
        attrs.evolve(laws, crash=attrs.evolve(laws.crash, raise_since=5.0)) for laws in once
    )
    yield Scenario("one BaseException", once, {"max": DISTURBED, "typed": 0}, quick=1)
    often = Crash(raises=Interruption, raise_share=0.02)
    laws = Laws(Waits(50), life=SHORT, crash=often)
    yield Scenario("2 % BaseException", (laws,), WAITS, seeds=(0, 1, 2))
    # A middleware's own exception may reach the waiter, but leaves no unknown task.
    often = attrs.evolve(often, raises=KeyError)
    both = tuple(
        attrs.evolve(laws, crash=often, workload=each) for each in (Waits(50), Flow(10, 8))
    )
    yield Scenario("2 % Exception", both, {"untyped": None}, seeds=(0, 1, 2))


def _submissions() -> Iterator[Scenario]:
    """Paying once, for any lost answer."""
    replayed = Laws(Submissions(100), (Rule(Kind.REPLAY, 0.2, calls=RUNS),))
    yield Scenario("earlier id replayed", (replayed,), quick=1)
    late = attrs.evolve(LOST, done_after=30.0)
    lost = tuple(
        Laws(
            Submissions(100, resubmits=resubmits),
            (late, Rule(Kind.CUT, 0.1)),
            list_lag=20.0,
            others=1.0,
        )
        for resubmits in (False, True)
    )
    yield Scenario("lost answers, late commits", lost)
    kept = tuple(attrs.evolve(laws, keys="kept") for laws in lost)
    yield Scenario("the same, keys are kept", kept, quick=1)
    for keys in ("unknown", "kept"):
        batch = Laws(Spending(5000, 10, items=80), (late,), life=Life(steps=(3,)), keys=keys)
        yield Scenario(f"a batch, lost answers, keys {keys}", (batch,), {"spent": 1.0}, quick=1)
    slot = Laws(Slots(50), slots=1, life=Life((3.0, 3.0)))
    yield Scenario("50 callers, one slot", (slot,), {"inversions": 0}, quick=1)


def _lists() -> Iterator[Scenario]:
    """The list is wrong, or grows."""
    right = Laws(Waits(300), life=MIDDLE)
    for totals in ("zero", "capped", "huge", "random", "stale"):
        laws = attrs.evolve(right, lies=ListLies(totals))
        bounds = {**WAITS, "of_right": 2.0}
        quick = totals == "zero"
        yield Scenario(f"total_count {totals}", (laws,), bounds, beside=right, quick=quick)
    bounds = {**WAITS, "of_plain": 1.5}
    hostile = {
        "rows shuffled": ListLies(shuffled=0.5),
        "rows duplicated, missing": ListLies(duplicated=0.5, missing=0.05),
        "created_at tied": ListLies(dates="tied"),
        "created_at null": ListLies(dates="null"),
        "created_at absent": ListLies(dates="absent"),
        "2 % of statuses untrue": ListLies(statuses=0.02),
        "10 % of pages empty": ListLies(empty=0.1),
        "all of these": ListLies("random", "tied", 0.5, 0.5, 0.05, 0.1, 0.02),
    }
    for name, lies in hostile.items():
        laws = attrs.evolve(right, lies=lies, others=1.0)
        yield Scenario(name, (laws,), bounds, quick=name == "all of these")
    slow = attrs.evolve(right, faults=(Rule(Kind.SLOW, 0.1, calls=LISTS, seconds=3.0),))
    # A slow page is read again after one interval, and the second one may be slow as well.
    yield Scenario("10 % of pages take 3 s", (slow,), {**bounds, "p99": 5.0})
    for rate in (1.0, 10.0, 50.0):
        laws = attrs.evolve(right, others=rate)
        yield Scenario(f"{rate:.0f} foreign tasks/s", (laws,), bounds)
    laws = attrs.evolve(right, bursts=tuple((10.0 * number, 500) for number in range(1, 16)))
    yield Scenario("500 foreign tasks every 10 s", (laws,), bounds)


def _program(laws: MachineLaws, seed: int) -> Report:
    return simulate(seed, laws)


def _batch(laws: MachineLaws, seed: int) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        return simulate_batch(seed, laws, Path(folder) / "ledger.db")


def _machines() -> Iterator[Scenario]:
    """A program that is killed and started again, with faults of all kinds by chance."""
    safe = MachineLaws()
    clocks = attrs.evolve(safe, skew=DAY, set_clock=4.0, untrue_dates=True)
    hasty = attrs.evolve(safe, window=5.0)
    once = attrs.evolve(safe, resubmits=False)
    yield _machine("submit", once, 1000)
    yield _machine("submit, resubmit", safe, 1000)
    yield _machine("submit, clocks", attrs.evolve(clocks, resubmits=False), 500)
    yield _machine("resubmit, clocks", clocks, 1000)
    yield _machine("batch", attrs.evolve(safe, jobs=8), 100, live=_batch)
    yield _machine("batch, clocks", attrs.evolve(clocks, jobs=8), 50, live=_batch)
    control: dict[str, Any] = {"control": ("twice",)}
    yield _machine("control: window < late", attrs.evolve(hasty, lag=0.0), 100, **control)
    yield _machine("control: window < list lag", attrs.evolve(hasty, late=0.0), 100, **control)
    control = {"control": ("twice", "forbidden"), "live": _batch}
    yield _machine("control: batch, window < late", attrs.evolve(hasty, jobs=8), 30, **control)


def _machine(name: str, laws: MachineLaws, seeds: int, **options: Any) -> Scenario:
    options = {"live": _program, **options}
    return Scenario(name, (laws,), seeds=range(seeds), quick=3 * seeds // 10, **options)


def _controls() -> Iterator[Scenario]:
    """The controls must fail, or the bounds prove nothing."""
    late: Bounds = {"mean": 2.0, "p99": DISTURBED, "max": DISTURBED, "late": 0.04}
    dear: Bounds = {"requests": 10.0, "of_right": 2.0, "of_plain": 1.5}
    lazy, eager, careless, forgetful = (
        Laws(Waits(50, client=client), life=SHORT)
        for client in (
            naive_clients.lazy_wait,
            naive_clients.eager_wait,
            naive_clients.careless_wait,
            naive_clients.forgetful_wait,
        )
    )
    outage = (Rule(Kind.SERVER_ERROR, since=5.0, until=800.0),)
    hasty = Submissions(100, resubmits=True, settle_window=20.0)
    commits = (attrs.evolve(LOST, done_after=200.0),)
    slots = Laws(Slots(20, naive=True), slots=1, life=Life((3.0, 3.0)))
    paying = Laws(Spending(500, 1, naive=True), life=Life(steps=(20,)))
    controls: dict[str, tuple[Laws, Bounds]] = {
        "polling every 10 s": (lazy, late),
        "polling every 0.2 s": (eager, dear),
        "errors without an id": (careless, {"untyped": 0}),
        "a dead poller": (attrs.evolve(forgetful, faults=mixed(0.6)), {"unended": 0}),
        "untrue ends": (Laws(Waits(20), life=SHORT, false_ends=True), {"wrong": 0}),
        "an outage of 13 minutes": (Laws(Waits(20), outage, life=SHORT), {"typed": 0}),
        "commits after the window": (Laws(hasty, commits), {"twice": 0, "forbidden": 0}),
        "a server that forgets keys": (
            Laws(Submissions(60), (LOST,), keys="forgotten"),
            {"twice": 0, "forbidden": 0},
        ),
        "thin calls, answers lost": (Laws(Submissions(50, naive=True), (LOST,)), {"lost": 0}),
        "callers that insist": (slots, {"inversions": 0}),
        "a loop that pays": (paying, {"spent": 1.1}),
    }
    right = Laws(Waits(50), life=SHORT)
    for name, (laws, bounds) in controls.items():
        control, beside = tuple(bounds), right if laws is eager else None
        yield Scenario(f"control: {name}", (laws,), bounds, beside, quick=1, control=control)


SCENARIOS = (
    *_flows(),
    *_shares(),
    *_slow_replies(),
    *_clocks(),
    *_budgets(),
    *_crashes(),
    *_submissions(),
    *_lists(),
    *_machines(),
    *_controls(),
)
