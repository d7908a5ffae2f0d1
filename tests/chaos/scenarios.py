"""The scenarios: what is tried, the bounds that it is held to, and the controls."""

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from browser_use_async import BrowserUseSession
from tests.chaos import naive_clients
from tests.chaos.faults import Call, Fault, Kind, mixed
from tests.chaos.lies import ListLies
from tests.chaos.report import Report
from tests.chaos.service import Life
from tests.chaos.workloads import Flow, Slots, Spending, Submissions, Waits
from tests.chaos.world import Crash, Interruption, Laws

__all__ = ["SCENARIOS", "Scenario"]

SAFE = MappingProxyType(dict.fromkeys(("twice", "lost", "wrong", "untyped", "unended"), 0.0))
LATENCY = 2.0  # seconds: the target of the default policy
SLACK = 0.1  # seconds: two round trips
HOUR, DAY = 3600.0, 86400.0


@attrs.frozen
class Scenario:
    """Worlds with the same bounds.

    Attributes:
        name: What is tried.
        laws: What holds in the worlds.
        bounds: The most that each measure may be, besides those that always hold.
        beside: What the number of requests is compared with, at the same seeds.
        seeds: The seeds of a whole run.
        quick: Whether a short run has it.
        control: The measures whose bounds must be broken; then this is no promise but a control.
    """

    name: str
    laws: tuple[Laws, ...]
    bounds: Mapping[str, float] = attrs.field(factory=dict)
    beside: Laws | None = None
    seeds: tuple[int, ...] = (0,)
    quick: bool = False
    control: tuple[str, ...] = ()

    @property
    def limits(self) -> dict[str, float]:
        """All bounds."""
        return {**SAFE, **self.bounds}

    def failures(self, report: Report) -> dict[str, float]:
        """What came out otherwise than it must: broken bounds, or those of a control that held."""
        broken = report.broken(self.limits)
        if not self.control:
            return broken
        measures = report.measures()
        return {name: measures[name] for name in self.control if name not in broken}


def _cut(share: float, **options: object) -> tuple[Fault, ...]:
    return (attrs.evolve(Fault(Kind.CUT, share), **options),) if share else ()


LISTS, RUNS = frozenset({Call.LIST}), frozenset({Call.RUN})
LONG = Life((20.0, 400.0))
MIDDLE = Life((20.0, 200.0))


def _flows() -> list[Scenario]:
    """Tasks of the session's own, whose waits share pages that fail now and then."""
    own = "run_and_wait"
    hang = (Fault(Kind.SLOW, 0.01, seconds=29.0),)
    oldest = Fault(Kind.SLOW, page=20, since=10.0, times=2, seconds=8.0, calls=LISTS)
    growing = tuple((10.0 + second, 30) for second in range(10))
    return [
        Scenario(f"{own} 100/s, none cut", (Laws(Flow(100, 10)),), {"p99": LATENCY + SLACK}),
        Scenario(f"{own} 100/s, 2 % cut", (Laws(Flow(100, 25), _cut(0.02)),), seeds=(4, 6, 9)),
        Scenario(f"{own} 100/s, 5 % cut", (Laws(Flow(100, 25), _cut(0.05)),), seeds=(8, 4)),
        Scenario(f"{own} 60/s, 1 % hang 29 s", (Laws(Flow(60, 25), hang),), seeds=(0, 9)),
        Scenario(
            "5,000 waits, 2 % of pages cut",
            (Laws(Waits(5000, rate=100), _cut(0.02, calls=LISTS), life=Life((20.0, 120.0))),),
        ),
        Scenario(
            "oldest of 20 pages slow, 30 new",
            (Laws(Waits(2000), (oldest,), life=Life((30.0, 60.0)), bursts=growing),),
            quick=True,
        ),
    ]


def _shares() -> list[Scenario]:
    """A share of all calls fails."""
    found = []
    bounds: dict[float, dict[str, float]] = {
        0.0: {"p99": LATENCY + SLACK, "requests": 5.0},
        0.02: {"p99": 4.0, "requests": 10.0},
        0.05: {"p99": 4.0, "requests": 10.0},
        0.1: {"p99": 8.0},
        0.2: {"p99": 8.0},
    }
    for count in (100, 1000):
        for share, most in bounds.items():
            laws = Laws(Waits(count), _cut(share), life=LONG)
            name = f"{count:,} waits, {share:.0%} cut"
            quick = count == 100 and share in {0.0, 0.05, 0.2}
            found.append(Scenario(name, (laws,), {**most, "typed": 0}, quick=quick))
        errors = Laws(Waits(count), (Fault(Kind.SERVER_ERROR, 0.2),), life=LONG)
        anything = Laws(Waits(count), mixed(0.2), life=LONG)
        most = {"p99": 8.0, "typed": 0}
        found += [
            Scenario(f"{count:,} waits, 20% 5xx", (errors,), most),
            Scenario(f"{count:,} waits, 20% mixed", (anything,), {"typed": 0, "p99": 60.0}),
        ]
    return found


def _slow_pages() -> list[Scenario]:
    """One reply is slow, or all of them are."""
    found = []
    for count in (300, 1000):
        for seconds in (25.0, 60.0):
            fault = Fault(Kind.SLOW, every=60.0, since=5.0, seconds=seconds, calls=LISTS)
            name = f"{count:,} waits, a page of {seconds:.0f} s"
            laws = Laws(Waits(count), (fault,), life=LONG)
            quick = (count, seconds) == (300, 25.0)
            found.append(Scenario(name, (laws,), {"late": 0.04, "typed": 0}, quick=quick))
    arriving = Laws(Waits(1000, rate=100), reply=1.0, life=LONG)
    found.append(Scenario("1,000 at 100/s, replies of 1 s", (arriving,), {"p99": 6.0}))
    return found


def _clocks() -> list[Scenario]:
    """This machine's clock is not the service's, and answers to run-task are lost."""
    lost = (Fault(Kind.CUT, 0.3, calls=RUNS, done=0.6),)
    found = []
    for name, skew in (("+1,900 s", 1900.0), ("+1 h", HOUR), ("+1 day", DAY), ("-1 day", -DAY)):
        laws = tuple(
            Laws(
                Submissions(100, on_ambiguous=then, warm=warm),
                lost,
                others=1.0,
                skew=skew,
                rows_tell_metadata=tell,
            )
            for then in ("reconcile", "resubmit")
            for tell, warm in ((True, True), (False, True), (False, False))
        )
        found.append(Scenario(f"clock {name}", laws))
    for name, jump in (("1 h", HOUR), ("1 day", DAY)):
        laws = tuple(
            Laws(
                Submissions(150, on_ambiguous=then),
                lost,
                others=1.0,
                jump=jump,
                jump_every=7.0,
                rows_tell_metadata=tell,
            )
            for then in ("reconcile", "resubmit")
            for tell in (True, False)
        )
        found.append(Scenario(f"clock jumps by {name}", laws, quick=name == "1 h"))
    waits = Laws(Waits(200), life=MIDDLE, jump=DAY, jump_every=7.0)
    found.append(Scenario("200 waits, clock jumps by 1 day", (waits,), {"p99": LATENCY + SLACK}))
    return found


def _budgets() -> list[Scenario]:
    """Batches that must stop spending."""
    found = []
    cells = [(budget, workers) for budget in (100, 500, 2000) for workers in (1, 10, 50)]
    kinds = {"3 steps": (3,), "20 steps": (20,), "75 steps": (75,), "mixed steps": (3, 20, 75)}
    for name, steps in kinds.items():
        laws = tuple(
            Laws(Spending(budget, workers), life=Life(steps=steps)) for budget, workers in cells
        )
        found.append(Scenario(f"budget, {name}", laws, {"spent": 1.1}, quick=steps == (20,)))
    if Spending.can_be_strict(BrowserUseSession.run_many):
        laws = tuple(
            Laws(Spending(budget, workers, strict=True), life=Life(steps=steps))
            for budget, workers in cells
            for steps in kinds.values()
        )
        found.append(Scenario("budget, strict", laws, {"spent": 1.0}, quick=True))
    return found


def _crashes() -> list[Scenario]:
    """What happens inside the process."""
    life = Life((10.0, 60.0))
    cancelled = Crash(cancel_at=(10.0,), cancel_seconds=4.0)
    last = 2 * LATENCY
    few = tuple(Laws(Waits(count), life=life, crash=cancelled) for count in (1, 50))
    flow = Laws(Flow(10, 8, burst=10), life=life, crash=Crash(cancel_at=(12.0,)))
    once = tuple(
        Laws(
            Waits(count),
            life=life,
            crash=Crash(raises=Interruption, raise_times=1, raise_since=since),
        )
        for count in (1, 50)
        for since in (0.0, 5.0)
    )
    often, errors = (
        Laws(Waits(50), life=life, crash=Crash(raises=raised, raise_share=0.02))
        for raised in (Interruption, KeyError)
    )
    seeds = (0, 1, 2)
    return [
        Scenario("all cancelled for 4 s", few, {"max": last + 4.0, "typed": 0}, quick=True),
        Scenario("the same, run_and_wait", (flow,), {"max": last + 4.0, "typed": 0}),
        Scenario("one BaseException", once, {"max": last, "typed": 0}, quick=True),
        Scenario("2 % BaseException", (often,), {"p99": last, "typed": 0}, seeds=seeds),
        # A middleware's own exception may reach the caller as it is.
        Scenario("2 % Exception", (errors,), {"untyped": 50 * 3}, seeds=seeds),
    ]


def _submissions() -> list[Scenario]:
    """Paying once, whatever is lost."""
    replayed = Laws(Submissions(100), (Fault(Kind.REPLAY, 0.2, calls=RUNS),))
    late = Fault(Kind.CUT, 0.3, calls=RUNS, done=0.7, done_after=30.0)
    lost = tuple(
        Laws(Submissions(100, on_ambiguous=then), (late, *_cut(0.1)), list_lag=20.0, others=1.0)
        for then in ("reconcile", "resubmit", "raise")
    )
    return [
        Scenario("earlier id replayed", (replayed,), quick=True),
        Scenario("lost answers, late commits", lost),
        Scenario(
            "50 callers, one slot",
            (Laws(Slots(50), slots=1, life=Life((3.0, 3.0))),),
            {"inversions": 0},
            quick=True,
        ),
    ]


def _lists() -> list[Scenario]:
    """The list is not true, or grows."""
    right = Laws(Waits(300), life=MIDDLE)
    target = {"p99": 2 * LATENCY, "of_plain": 1.5, "typed": 0}
    found = []
    for totals in ("zero", "capped", "huge", "random", "stale"):
        laws = attrs.evolve(right, lies=ListLies(totals=totals))
        most = {"of_right": 2.0, "p99": 2 * LATENCY, "typed": 0}
        quick = totals == "zero"
        found.append(Scenario(f"total_count {totals}", (laws,), most, beside=right, quick=quick))
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
        found.append(Scenario(name, (laws,), target, quick=name == "all of these"))
    slow = attrs.evolve(right, faults=(Fault(Kind.SLOW, 0.1, calls=LISTS, seconds=3.0),))
    found.append(Scenario("10 % of pages take 3 s", (slow,), target))
    for rate in (1.0, 10.0, 50.0):
        laws = attrs.evolve(right, others=rate)
        found.append(Scenario(f"{rate:.0f} foreign tasks/s", (laws,), target))
    bursts = tuple((10.0 * number, 500) for number in range(1, 16))
    laws = attrs.evolve(right, bursts=bursts)
    return [*found, Scenario("500 foreign tasks every 10 s", (laws,), target)]


def _controls() -> list[Scenario]:
    """What must fail, or the bounds say nothing."""
    few = Life((20.0, 60.0))
    late = Fault(Kind.CUT, 0.3, calls=RUNS, done=0.7, done_after=200.0)
    lost = (Fault(Kind.CUT, 0.3, calls=RUNS),)
    outage = (Fault(Kind.SERVER_ERROR, since=10.0, until=800.0),)
    naive = naive_clients
    late_laws = Laws(Submissions(100, on_ambiguous="resubmit", settle_window=20.0), (late,))
    eager = Laws(Waits(50, client=naive.eager_wait), life=few)
    plain = {"of_plain": 1.5, "of_right": 2.0, "requests": 5.0}
    slow = {"p99": 2 * LATENCY, "mean": LATENCY, "max": 2 * LATENCY, "late": 0.04}
    controls = {
        "untrue ends": (Laws(Waits(20), life=few, false_ends=True), {}, ("wrong",)),
        "commits after the window": (late_laws, {}, ("twice",)),
        "thin calls, answers lost": (Laws(Submissions(50, naive=True), lost), {}, ("lost",)),
        "polling every 10 s": (
            Laws(Waits(50, client=naive.lazy_wait), life=few),
            slow,
            tuple(slow),
        ),
        "polling every 0.2 s": (eager, plain, tuple(plain)),
        "errors without an id": (
            Laws(Waits(20, client=naive.careless_wait), life=few),
            {},
            ("untyped",),
        ),
        "a dead poller": (
            Laws(Waits(50, client=naive.forgetful_wait), mixed(0.3), life=few),
            {},
            ("unended",),
        ),
        "an outage of 790 s": (Laws(Waits(20), outage, life=few), {"typed": 0}, ("typed",)),
        "callers that insist": (
            Laws(Slots(20, naive=True), slots=1, life=Life((3.0, 3.0))),
            {"inversions": 0},
            ("inversions",),
        ),
        "a loop that pays": (
            Laws(Spending(500, 1, naive=True), life=Life(steps=(20,))),
            {"spent": 1.1},
            ("spent",),
        ),
    }
    right = Laws(Waits(50), life=few)
    return [
        Scenario(f"control: {name}", (laws,), bounds, right, quick=True, control=control)
        for name, (laws, bounds, control) in controls.items()
    ]


SCENARIOS = (
    *_flows(),
    *_shares(),
    *_slow_pages(),
    *_clocks(),
    *_budgets(),
    *_crashes(),
    *_submissions(),
    *_lists(),
    *_controls(),
)
