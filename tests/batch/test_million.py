"""The short form of `make proof-million`: a batch that is killed twice, with its own server."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_killed_twice_each_item_has_one_task_and_one_result():
    """Killed by SIGKILL at a third and at two thirds, 1,200 items have 1,200 tasks and results."""
    program = [sys.executable, "-m", "tests.proofs.million", "--items", "1200"]
    ended = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "1,200 tasks, 1,200 done, 1,200 results" in ended.stdout
