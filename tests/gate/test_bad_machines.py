"""What is said on a machine that lacks a program or a network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_NETWORK = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}


def run(*command: object, path: str, **variables: str) -> tuple[int, str]:
    """Run a command of the checkout with programs of these folders."""
    ended = subprocess.run(
        [str(each) for each in command],
        cwd=ROOT,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_without_a_network_the_step_that_needs_it_is_named(tmp_path, installer):
    """The environment is named, and what it was to get."""
    path = "/usr/bin:/bin"
    if installer == "uv":
        if (uv := shutil.which("uv")) is None:
            pytest.skip("uv is not installed")
        path = f"{Path(uv).parent}:{path}"
    code, said = run(
        *("scripts/environment.sh", tmp_path / "made", "audit", sys.executable),
        path=path,
        UV_CACHE_DIR=str(tmp_path / "cache"),
        **NO_NETWORK,
    )

    assert code == 1
    assert f"{tmp_path / 'made'} was not made: installing the packages of the group audit" in said
    assert "This step needs the package index, and so a network" in said
    assert not (tmp_path / "made" / ".made").exists()


def test_a_missing_program_is_named_with_what_is_not_tested():
    """Nothing is left out silently."""
    there = [
        name for name in ("docker", "strace") if not Path("/usr/bin", name).exists()
    ]  # programs.py looks there, too
    code, said = run(sys.executable, "scripts/programs.py", path="/nowhere")

    assert code == 0
    for name in there:
        assert f"{name} is missing. Not tested: " in said
