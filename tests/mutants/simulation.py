"""Mutants that only a world with all kinds of faults notices."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a creating call is sent again after a lost response",
        "transport/retry.py",
        "may_try_again",
        "outcome.status == 429",
        "outcome.kind is OutcomeKind.AMBIGUOUS",
        (
            (
                "proofs/world/test_settling.py"
                "::test_inside_the_window_one_task_and_beyond_it_a_second_one_that_is_stopped"
            ),
            "proofs/world/test_worlds.py::test_no_job_is_paid_twice_or_lost",
            "proofs/world/test_scenarios.py::test_no_call_takes_a_step_that_the_model_forbids",
        ),
    ),
    Mutant(
        "the settle window is cut to a tenth",
        "lifecycle/reconcile.py",
        "Reconciler.find",
        "asyncio.get_running_loop().time() + seconds",
        "asyncio.get_running_loop().time() + seconds / 10",
        (
            (
                "proofs/world/test_settling.py"
                "::test_inside_the_window_one_task_and_beyond_it_a_second_one_that_is_stopped"
            ),
            "proofs/world/test_worlds.py::test_no_job_is_paid_twice_or_lost",
            "proofs/world/test_scenarios.py::test_no_call_takes_a_step_that_the_model_forbids",
        ),
    ),
    Mutant(
        "run-task is sent again, and only then its task is looked for",
        "lifecycle/create.py",
        "TaskCreator._create",
        "await self._settle(submission)",
        "await self._send(submission) or await self._settle(submission)",
        ("proofs/world/test_scenarios.py::test_no_call_takes_a_step_that_the_model_forbids",),
    ),
    Mutant(
        "only the first page is searched",
        "lifecycle/reconcile.py",
        "Reconciler._read_pages",
        "page += 1",
        "break",
        ("proofs/world/test_settling.py::test_a_task_is_found_among_many_others",),
    ),
    Mutant(
        "a random source other than the session's is used",
        "session.py",
        "BrowserUseSession.__init__",
        "rng=runtime.rng",
        "rng=Runtime().rng",
        ("proofs/world/test_worlds.py::test_one_seed_gives_one_trace",),
    ),
)
