"""Mutants that only a world in which everything goes wrong notices."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a creating call is sent again after a lost response",
        "transport/retry.py",
        "        case _ if outcome.status == 429:\n            return True\n",
        "        case OutcomeKind.AMBIGUOUS:\n            return True\n",
        (
            (
                "simulator/test_settling.py"
                "::test_inside_the_window_one_task_and_beyond_it_a_second_one_that_is_stopped"
            ),
            "simulator/test_worlds.py::test_no_job_is_paid_twice_or_lost",
        ),
    ),
    Mutant(
        "the settle window is cut to a tenth",
        "lifecycle/reconcile.py",
        "        ends_at = asyncio.get_running_loop().time() + seconds\n",
        "        ends_at = asyncio.get_running_loop().time() + seconds / 10\n",
        (
            (
                "simulator/test_settling.py"
                "::test_inside_the_window_one_task_and_beyond_it_a_second_one_that_is_stopped"
            ),
            "simulator/test_worlds.py::test_no_job_is_paid_twice_or_lost",
        ),
    ),
    Mutant(
        "only the first page is searched",
        "lifecycle/reconcile.py",
        "            page += 1\n",
        "            break\n",
        ("simulator/test_settling.py::test_a_task_is_found_among_many_others",),
    ),
    Mutant(
        "a random source other than the session's is used",
        "session.py",
        "            rng=world.rng,\n",
        "            rng=Runtime().rng,\n",
        ("simulator/test_worlds.py::test_one_seed_gives_one_trace",),
    ),
)
