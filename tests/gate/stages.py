"""Stages of the gate: commands that run in two lanes, and the table of their times.

A stage that computes uses both cores, so these run one after another. Beside them run, also one
after another, those that mostly wait: for leases, browsers and downloads.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ended", "Run", "Stage"]

_SHOWN_LINES = 25  # of a stage without a failure


@dataclass(frozen=True)
class Stage:
    """One command of the gate.

    Attributes:
        command: The command line.
        waits: Whether it waits more than it computes.
    """

    command: str
    waits: bool = False


@dataclass(frozen=True)
class Ended:
    """A stage that ended: its seconds, its CPU seconds, and its exit code."""

    stage: Stage
    began: float
    seconds: float
    processor_seconds: float
    code: int


@dataclass(frozen=True)
class _Running:
    stage: Stage
    began: float
    process: "subprocess.Popen[bytes]"
    output: Path


class Run:
    """Runs stages in two lanes.

    Args:
        folder: The folder of the outputs.
        root: Where they are run.
        goes_on: Whether stages are run to the end after one that failed.
    """

    def __init__(self, folder: Path, root: Path, *, goes_on: bool = False) -> None:
        self.ended: list[Ended] = []
        self._folder, self._root, self._goes_on = folder, root, goes_on
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._running: dict[int, Stage] = {}
        self._is_over = False

    def run(self, stages: Sequence[Stage]) -> bool:
        """Run them, and return whether each has ended and was right."""
        before = len(self.ended)
        self._is_over = False
        computing = [each for each in stages if not each.waits]
        waiting = [each for each in stages if each.waits]
        beside = threading.Thread(target=self._lane, args=(waiting,))
        beside.start()
        try:
            self._lane(computing)
            self._lane(waiting)  # runs the next stages, too
            beside.join()
        finally:
            self.stop()
            beside.join()
        ended = self.ended[before:]
        return len(ended) == len(stages) and not any(each.code for each in ended)

    def stop(self) -> None:
        """End what is running."""
        with self._lock:
            self._is_over = True
            for group in self._running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGTERM)

    def _lane(self, stages: list[Stage]) -> None:
        while (begun := self._begin(stages)) is not None:
            ended, output = self._wait(begun)
            with self._lock:
                if self._is_over and ended.code:
                    return  # ended by `stop`
                self.ended.append(ended)
                _print_ended(ended, output)
            if ended.code and not self._goes_on:
                self.stop()

    def _begin(self, stages: list[Stage]) -> "_Running | None":
        # Choosing and starting are one step: a stage that `stop` does not see never starts.
        with self._lock:
            if not stages or self._is_over:
                return None
            stage, began = stages.pop(0), time.monotonic()
            number = len(self.ended) + len(self._running)
            name = stage.command.split()[-1].replace("/", "-")[:40]
            path = self._folder / f"{number}-{name}.log"
            print(f"== {stage.command}: begins after {began - self._started:.0f} s", flush=True)
            with path.open("wb") as log:
                process = subprocess.Popen(
                    ["sh", "-c", stage.command],
                    cwd=self._root,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._running[process.pid] = stage
            return _Running(stage, began, process, path)

    def _wait(self, begun: "_Running") -> tuple[Ended, str]:
        process = begun.process
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        with self._lock:
            del self._running[process.pid]
        spent = usage.ru_utime + usage.ru_stime
        seconds = time.monotonic() - begun.began
        at = begun.began - self._started
        ended = Ended(begun.stage, at, seconds, spent, process.returncode)
        return ended, begun.output.read_text("utf-8", errors="replace")

    def table(self) -> str:
        """A line for each stage that ended, and the sum."""
        rows = [f"{'stage':<58} {'begins':>7} {'seconds':>8} {'processor':>10}  result"]
        for each in sorted(self.ended, key=lambda ended: ended.began):
            result = "right" if each.code == 0 else f"exit code {each.code}"
            rows.append(
                f"{each.stage.command[:58]:<58} {each.began:>7.0f} {each.seconds:>8.0f} "
                f"{each.processor_seconds:>10.0f}  {result}"
            )
        spent = sum(each.processor_seconds for each in self.ended)
        rows.append(f"{'all':<58} {'':>7} {time.monotonic() - self._started:>8.0f} {spent:>10.0f}")
        return "\n".join(rows)


def _print_ended(ended: Ended, output: str) -> None:
    lines = output.splitlines()
    if ended.code == 0 and len(lines) > _SHOWN_LINES:
        left_out = len(lines) - _SHOWN_LINES
        lines = [f"[{left_out} lines left out]", *lines[-_SHOWN_LINES:]]
    word = "right" if ended.code == 0 else f"FAILED with exit code {ended.code}"
    print(f"\n== {ended.stage.command}: {word} after {ended.seconds:.0f} s")
    print("\n".join(lines), flush=True)
