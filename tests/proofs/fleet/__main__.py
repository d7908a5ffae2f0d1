"""`make proof-fleet`: the promises of servers that share a database, and controls that must fail.

Exits with 1 if a bound is broken, or if a control does not break its own.
"""

import argparse
import asyncio
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping

import attrs

from tests.proofs.fleet import cases
from tests.proofs.fleet.cases import Figures
from tests.proofs.fleet.settings import SERVER_KEY
from tests.support.postgres import NoPostgresError, PostgresServer, started_server

__all__ = ["main"]

NONE_WRONG = {
    "lost": 0, "twice": 0, "stuck": 0, "money off": 0, "step gaps": 0,
    "events lost": 0, "out of order": 0, "begun twice": 0,
}  # fmt: skip


@attrs.frozen
class Case:
    """A promise, or a control that must break it."""

    name: str
    run: Callable[[PostgresServer, str], Awaitable[Figures]]
    bounds: Mapping[str, float]  # the most of a figure
    is_control: bool = False
    equal: tuple[str, str] | None = None  # two figures that are the same

    def is_kept(self, figures: Figures) -> bool:
        """Whether the figures are within the bounds."""
        within = all(figures[name] <= most for name, most in self.bounds.items())
        same = self.equal is None or figures[self.equal[0]] == figures[self.equal[1]]
        return within and same


def quick_cases() -> list[Case]:
    """The cases that take less than two minutes."""
    return [
        Case("kill -9 of random nodes", lambda _, at: cases.kills(at, 25, 3, seed=1), NONE_WRONG),
        Case(
            "PostgreSQL restarted under load",
            lambda server, at: cases.restarts(server, at, 25, ["fast", "immediate"]),
            {"failed": 0, "twice": 0, "money off": 0, "step gaps": 0},
        ),
        Case(
            "a worker cut from the network",
            lambda _, at: cases.cut(at, 5, 0.8),
            {"acted later": 0, "later steps": 0, "others failed": 0, "changed later": 0},
            equal=("cut", "failed"),
        ),
        Case(
            "schedules due at once, a node killed",
            lambda _, at: cases.schedules(at, 20),
            {},
            equal=("schedules", "distinct"),
        ),
        Case("stop through another node", lambda _, at: cases.stops(at, 20), {}),
        Case(
            "control: a worker without contact goes on",
            # A running step ends when others know already that the task failed.
            lambda _, at: cases.cut(at, 3, 30.0, "--without", "patience"),
            {"acted later": 0},
            is_control=True,
        ),
    ]


def full_cases() -> list[Case]:
    """All of them, some minutes."""
    more = [
        Case(
            f"kill -9 of random nodes, seed {seed}",
            lambda _, at, seed=seed: cases.kills(at, 120, 20, seed=seed),
            NONE_WRONG,
        )
        for seed in range(2, 12)
    ]
    modes = ["fast", "immediate"] * 20
    return [
        *quick_cases(),
        *more,
        Case(
            "PostgreSQL restarted 40 times under load",
            lambda server, at: cases.restarts(server, at, 700, modes),
            {"failed": 0, "twice": 0, "money off": 0, "step gaps": 0},
        ),
        Case(
            "rolling restart",
            lambda _, at: cases.rolling(at, 100),
            {"failed": 0, "lost": 0, "twice": 0, "money off": 0},
        ),
        Case(
            "1,000 schedules due at once",
            lambda _, at: cases.schedules(at, 1000),
            {},
            equal=("schedules", "distinct"),
        ),
        Case(
            "stop through another node, 200",
            lambda _, at: cases.stops(at, 200),
            {"released ms p99": 250},
        ),
        Case("speed of one API node", lambda _, at: cases.speed(at, 10.0), {}),
        Case(
            "steps of one worker",
            lambda _, at: cases.steps(at, 40, 75),
            {"money off": 0, "step gaps": 0},
        ),
        Case(
            "answers to commits lost, then the database away",
            lambda _, at: cases.lost_commits(at, 20),
            {"failed": 0, "steps off": 0, "money off": 0, "step gaps": 0},
        ),
        Case(
            "control: steps without their numbers",
            lambda _, at: cases.lost_commits(at, 20, "--without", "numbers"),
            {"steps off": 0},
            is_control=True,
        ),
        Case(
            "the database away for longer than a lease",
            lambda _, at: cases.away(at, 10),
            {"failed": 0, "money off": 0, "step gaps": 0},
        ),
        Case(
            "control: silence of the database counted as that of servers",
            lambda _, at: cases.away(at, 10, "contact"),
            {"failed": 0},
            is_control=True,
        ),
        Case(
            "a worker that hears nothing and goes on, against the fence",
            lambda _, at: cases.cut(at, 5, 0.8, "--without", "watch"),
            {"later steps": 0, "others failed": 0, "changed later": 0},
        ),
        Case(
            "control: the same without the fence",
            lambda _, at: cases.cut(at, 5, 0.8, "--without", "watch,fence"),
            {"later steps": 0, "changed later": 0},
            is_control=True,
        ),
        Case(
            "control: any server that gets the job begins the task",
            lambda _, at: cases.kills(at, 40, 4, 1, "--without", "claim"),
            {"begun twice": 0},
            is_control=True,
        ),
        Case(
            "control: events without their lock",
            lambda _, at: cases.kills(at, 40, 1, 1, "--without", "lock"),
            {"out of order": 0},
            is_control=True,
        ),
    ]


async def run(case: Case) -> bool:
    """Run a case on a PostgreSQL of its own, and print its figures."""
    started = time.monotonic()
    try:
        with started_server() as server, server.database() as address:
            figures = await case.run(server, address)
        is_right, figures_of_run = case.is_kept(figures) is not case.is_control, figures
    except (AssertionError, TimeoutError):
        is_right, figures_of_run = (
            False,
            {"error": traceback.format_exc()},
        )  # a control proves nothing so
    seconds = time.monotonic() - started
    shown = ", ".join(f"{name} {value}" for name, value in figures_of_run.items())
    print(f"{'ok   ' if is_right else 'WRONG'} {case.name} ({seconds:.0f} s): {shown}", flush=True)
    return is_right


def main() -> int:
    """Run the requested cases."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.fleet", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less than two minutes")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name has it")
    given = parser.parse_args()
    os.environ["BROWSER_USE_SERVER_KEY"] = SERVER_KEY
    chosen = quick_cases() if given.quick else full_cases()
    wrong = 0
    for case in chosen:
        if given.only in case.name:
            try:
                wrong += not asyncio.run(run(case))
            except NoPostgresError as error:
                print(error)
                return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
