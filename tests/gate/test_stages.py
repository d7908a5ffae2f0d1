"""The stages of the gate: order, failures, and their table."""

from pathlib import Path

import pytest

from tests.gate.stages import Run, Stage


def test_a_waiting_stage_runs_beside_a_computing_one(tmp_path: Path) -> None:
    """Each of two stages ends only when the other has begun."""
    wait = "while [ ! -e {1} ] && [ $n -lt 3000 ]; do n=$((n+1)); sleep 0.01; done"
    meet = f"touch {{0}}; n=0; {wait}; [ -e {{1}} ]"
    run = Run(tmp_path, tmp_path)

    assert run.run([Stage(meet.format("a", "b")), Stage(meet.format("b", "a"), waits=True)])
    assert [each.code for each in run.ended] == [0, 0]


def test_computing_stages_run_one_after_another(tmp_path: Path) -> None:
    """The second of two such stages finds the files of the first."""
    run = Run(tmp_path, tmp_path)

    assert run.run([Stage("sleep 0.1; touch first"), Stage("test -e first")])


def test_stages_may_come_in_two_parts(tmp_path: Path) -> None:
    """A second call runs more stages, and they count."""
    run = Run(tmp_path, tmp_path)

    assert run.run([Stage("touch first")])
    assert run.run([Stage("test -e first; touch second")])
    assert (tmp_path / "second").exists()
    assert not run.run([Stage("exit 1")])
    assert len(run.ended) == 3


def test_a_failure_ends_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stages beside it are ended, later ones do not begin, and its output is shown."""
    run = Run(tmp_path, tmp_path)
    beside = Stage("sleep 600", waits=True)

    assert not run.run([Stage("echo why; exit 3"), Stage("touch later"), beside])
    assert not (tmp_path / "later").exists()
    assert "why" in capsys.readouterr().out
    assert "exit code 3" in run.table()


def test_the_night_goes_on(tmp_path: Path) -> None:
    """A stage that fails keeps no other from running."""
    run = Run(tmp_path, tmp_path, goes_on=True)

    assert not run.run([Stage("exit 1"), Stage("touch later")])
    assert (tmp_path / "later").exists()
    assert len(run.ended) == 2


def test_the_table_names_seconds_and_processors(tmp_path: Path) -> None:
    """A stage that computes shows CPU time, one that sleeps does not."""
    run = Run(tmp_path, tmp_path)
    count = "python3 -c 'import time\nwhile time.process_time() < 0.3: pass'"

    assert run.run([Stage(count), Stage("sleep 0.3")])
    computed, slept = sorted(run.ended, key=lambda ended: ended.began)
    assert computed.processor_seconds >= 0.3
    assert slept.processor_seconds < 0.3
    assert "all" in run.table()


def test_long_output_is_cut_where_all_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last lines of a stage without a failure, all of one that failed."""
    run = Run(tmp_path, tmp_path)
    run.run([Stage("seq 1000"), Stage("seq 2000 2999; exit 1")])

    printed = capsys.readouterr().out.splitlines()
    assert "500" not in printed
    assert "1000" in printed
    assert "2000" in printed
