"""Servers that are killed in the middle of a submission, which is then sent again."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from browser_use_async.server.secrets.encryption import KEY_VARIABLE

ROOT = Path(__file__).parents[3]
CALLS = ("/run-task", "/scheduled-task", "/browser-profiles")


@attrs.frozen
class Outcome:
    """The answers of a server before its death at a statement, and what the repeat has found."""

    point: int
    answered: str | None  # the answer, if there was one
    again: str  # the answer to the repeat
    was_there: bool  # whether the repeat is a replay
    is_exact: bool  # whether there is one of it, and a third call is a replay of the second

    @property
    def is_lost(self) -> bool:
        """Whether the repeat has found something else than was answered."""
        return self.answered is not None and (self.answered != self.again or not self.was_there)


async def _outcomes(place: str, path: str, keys: str = "inside") -> list[Outcome]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.server.submission_keys.killed", place, path, keys,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    lines: list[Any] = [json.loads(line) for line in output.splitlines()]
    assert lines[-1] == {"end": 0}
    answered, outcomes = None, []
    for line in lines[:-1]:
        if "answered" in line:
            answered = line["answered"]
        else:
            outcomes.append(Outcome(answered=answered, **line))
            answered = None
    return outcomes


def _assert_exact(outcomes: list[Outcome]) -> None:
    assert [each for each in outcomes if not each.is_exact or each.is_lost] == []
    # Deaths before the commit, between it and the answer, and after the answer.
    assert {(each.was_there, each.answered is not None) for each in outcomes} == {
        *((False, False), (True, False), (True, True)),
    }


@pytest.mark.long
@pytest.mark.parametrize("path", CALLS)
async def test_a_submission_killed_at_each_statement(path, tmp_path):
    """Nothing is created twice, and nothing that was answered is lost."""
    outcomes = await _outcomes(str(tmp_path / "server.db"), path)

    _assert_exact(outcomes)
    assert len(outcomes) > 10


@pytest.mark.long
async def test_keys_that_are_written_later(tmp_path):
    """The control: outside of the transaction, a death in between leaves a task without its key."""
    outcomes = await _outcomes(str(tmp_path / "server.db"), "/run-task", keys="late")

    assert [each.point for each in outcomes if not each.is_exact] != []


@pytest.mark.torture
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", CALLS)
async def test_the_same_on_postgresql(path, postgres, monkeypatch):
    """The repeat waits for the end of what the dead server has begun."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    _assert_exact(await _outcomes(postgres, path))


@pytest.mark.torture
@pytest.mark.timeout(600)
async def test_late_keys_on_postgresql(postgres, monkeypatch):
    """The control."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")
    outcomes = await _outcomes(postgres, "/run-task", keys="late")

    assert [each.point for each in outcomes if not each.is_exact] != []
