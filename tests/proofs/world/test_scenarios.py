"""The scenarios: one seed is one report, the controls fail, and every bound can."""

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from tests.proofs.world.clients import live
from tests.proofs.world.faults import Call, Kind, Rule, mixed
from tests.proofs.world.laws import Crash, Laws, Life
from tests.proofs.world.lies import ListLies
from tests.proofs.world.report import Report
from tests.proofs.world.scenarios import SAFE, SCENARIOS, Scenario
from tests.proofs.world.workloads import Flow, Spending, Submissions, Waits

ROOT = Path(__file__).resolve().parents[3]
CONTROLS = [each for each in SCENARIOS if each.control]
OF_CLIENTS = [each for each in CONTROLS if each.live is live]  # one world is enough for these
LIES = ListLies("random", "tied", 0.5, 0.5, 0.05, 0.1, 0.02)
ROUGH = Laws(
    Flow(5, 6, burst=5),
    mixed(0.2),
    LIES,
    Life((5.0, 30.0)),
    Crash(raises=KeyError, raise_share=0.01),
    others=1.0,
)


def run_bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """`python -m tests.proofs.world` with arguments, in a process with another order of hashes."""
    return subprocess.run(
        [sys.executable, "-m", "tests.proofs.world", "--processes", "1", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_one_seed_is_one_report():
    """A seed gives the same report again, and other seeds give others."""
    first, again, *others = [live(ROUGH, seed) for seed in (3, 3, 4, 5)]

    assert first.tasks == 30
    assert attrs.asdict(first) == attrs.asdict(again)
    assert len({repr(report.delays) for report in (first, *others)}) == 3


@pytest.mark.long
@pytest.mark.parametrize("scenario", OF_CLIENTS, ids=lambda scenario: scenario.name)
def test_controls_break_their_bounds(scenario):
    """The fault of a control is noticed and counted."""
    report = live(scenario.laws[0], 1)
    if scenario.beside is not None:
        report.beside = live(scenario.beside, 1).counted_requests

    assert scenario.failures(report) == {}
    assert attrs.evolve(scenario, control=()).failures(report).keys() >= set(scenario.control)


def test_every_bound_has_a_control():
    """For each bound of a scenario, some control breaks it."""
    bounds = {name for scenario in SCENARIOS for name in scenario.limits}

    assert {name for control in CONTROLS for name in control.control} >= bounds


@pytest.mark.parametrize("name", SAFE)
def test_a_promise_that_was_not_kept_fails_its_scenario(name):
    """One count above a bound fails a promise, and is enough for a control."""
    promise, control = Scenario("", ()), Scenario("", (), control=(name,))
    bad, good = Report(), Report()
    setattr(bad, name, 1)

    assert (promise.failures(good), promise.failures(bad)) == ({}, {name: 1})
    assert (control.failures(good), control.failures(bad)) == ({name: 0}, {})


def test_no_call_takes_a_step_that_the_model_forbids():
    """The events of calls with lost answers, and of a batch, are steps of the model."""
    cut = Rule(Kind.CUT, 0.3, calls=frozenset({Call.RUN}), done=0.5, done_after=30.0)
    busy = Rule(Kind.RATE_LIMIT, 0.1, calls=frozenset({Call.RUN}))
    calls = live(Laws(Submissions(40, resubmits=True), (cut, busy), list_lag=10.0), 0)
    batch = live(Laws(Spending(5000, 10, items=40), (cut, busy), life=Life(steps=(3,))), 0)

    assert calls.requests["run"] > calls.tasks == 40
    assert batch.requests["run"] > batch.tasks + batch.unknown == 40
    assert (calls.forbidden, batch.forbidden) == (0, 0)


def test_calls_are_repeated_at_once_where_keys_are_kept():
    """The events then are steps of the model with keys, and the list is read only at first."""
    cut = Rule(Kind.CUT, 0.3, calls=frozenset({Call.RUN}), done=0.5, done_after=30.0)
    report = live(Laws(Submissions(40), (cut,), list_lag=10.0, keys="kept"), 0)

    assert report.requests["run"] > report.tasks == 40
    assert report.requests["list"] < 5
    assert (report.twice, report.lost, report.unknown, report.forbidden) == (0, 0, 0, 0)


def test_an_undisturbed_wait_is_prompt_and_cheap():
    """Without faults the server gets few requests, and no end is reported late."""
    report = live(Laws(Waits(20)), 0)

    assert (report.tasks, len(report.delays), report.wrong) == (20, 20, 0)
    assert 0.0 < max(report.delays) < 2.1
    assert 1.0 < report.per_task() < 10.0


@pytest.mark.long
def test_the_command_prints_a_report_as_json():
    """Standard output is one document with a measure for each bound, the same each time."""
    first, again = (run_bench("--only", "control: a ", "--json") for _run in range(2))

    document = json.loads(first.stdout)
    names = [each["name"] for each in document["scenarios"]]
    assert (first.returncode, document["failed"]) == (0, False)
    assert names == [each.name for each in CONTROLS if each.name.startswith("control: a ")]
    assert all(each["bounds"].keys() <= each["measures"].keys() for each in document["scenarios"])
    assert again.stdout == first.stdout


@pytest.mark.long
def test_the_command_prints_one_row_for_each_scenario():
    """The table has a head and a row; choosing no scenario is a failure."""
    table, nothing = run_bench("--only", "untrue ends"), run_bench("--only", "no such name")

    assert (table.returncode, nothing.returncode) == (0, 1)
    head, row, *_counts = table.stdout.splitlines()
    assert head.split()[-1] == "verdict"
    assert row.endswith("must fail: wrong")
