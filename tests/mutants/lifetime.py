"""Mutants of cancellation, closing and loops."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    # Which caller pays for a task without a wait.
    Mutant(
        "a cancelled wait lets its task run on",
        "lifecycle/run.py",
        "SubmissionRunner.run_and_wait",
        "await self._end_cancelled(submission)",
        "",
        (
            "lifecycle/test_cancel_and_timer.py::test_a_cancellation_wins_over_the_timeout",
            "lifecycle/test_cancel_points.py::test_cancelling_at_every_await",
            "lifecycle/test_end_actions.py::test_a_failing_sibling_cancels_the_group",
            "lifecycle/test_end_actions.py::test_cancelling_stops_in_each_state",
            "test_event_loops.py::test_a_session_in_every_loop",
            "test_program_ends.py::test_an_interrupt_ends_a_program_and_its_tasks",
            "test_program_ends.py::test_the_end_of_a_program_with_waits_pending",
        ),
    ),
    Mutant(
        "the task of a cancelled creation is not cleaned up",
        "lifecycle/run.py",
        "SubmissionRunner.submit",
        "await self._end_cancelled(submission, is_reported=False)",
        "",
        ("lifecycle/test_cancel_points.py::test_cancelling_at_every_await",),
    ),
    Mutant(
        "a task left behind by a cancelled creation is not reported",
        "lifecycle/run.py",
        "SubmissionRunner._end_created",
        'action == "leave" and not is_reported',
        'action == "leave" and is_reported',
        ("lifecycle/test_cancel_points.py::test_cancelling_at_every_await",),
    ),
    Mutant(
        "a stop may delay a cancellation without limit",
        "lifecycle/run.py",
        "BackgroundTasks.finish",
        "asyncio.wait([task], timeout=CLEANUP_SECONDS)",
        "asyncio.wait([task])",
        ("lifecycle/test_end_actions.py::test_a_slow_stop_delays_a_cancellation_by_five_seconds",),
    ),
    Mutant(
        "a stop ends with the call that started it",
        "lifecycle/run.py",
        "BackgroundTasks.finish",
        "await asyncio.wait([task], timeout=CLEANUP_SECONDS)",
        """
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(task, CLEANUP_SECONDS)
        """,
        (
            "lifecycle/test_end_actions.py::test_a_second_cancellation_ends_the_first",
            "lifecycle/test_end_actions.py::test_a_slow_stop_delays_a_cancellation_by_five_seconds",
        ),
    ),
    Mutant(
        "a second cancellation waits as the first one does",
        "lifecycle/run.py",
        "BackgroundTasks.finish",
        "await asyncio.wait([task], timeout=CLEANUP_SECONDS)",
        """
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task], timeout=CLEANUP_SECONDS)
            await asyncio.wait([task], timeout=CLEANUP_SECONDS)
        """,
        ("lifecycle/test_end_actions.py::test_a_second_cancellation_ends_the_first",),
    ),
    Mutant(
        "a timeout swallows a cancellation",
        "lifecycle/waits.py",
        "wait",
        "await settled",
        """
            try:
                await settled
            except asyncio.CancelledError:
                pass
        """,
        ("lifecycle/test_cancel_and_timer.py::test_a_cancellation_wins_over_the_timeout",),
    ),
    # Closing.
    Mutant(
        "an unclosed session gives no warning",
        "session.py",
        "BrowserUseSession.__del__",
        "transport.connections.is_open",
        "not transport.connections.is_open",
        ("test_program_ends.py::test_a_session_that_is_never_closed_warns_once",),
    ),
    Mutant(
        "an unclosed session leaves its connections open",
        "transport/client.py",
        "Transport._abandon",
        "self.connections.abandon()",
        "not self.connections",
        ("test_program_ends.py::test_a_session_that_is_never_closed_warns_once",),
    ),
    Mutant(
        "closing does not interrupt calls",
        "transport/connections.py",
        "Connections.aclose",
        "self._closing.set()",
        "",
        ("transport/test_lifetime.py::test_calls_in_a_pause_end_when_the_session_closes",),
    ),
    Mutant(
        "closing does not wait for stops",
        "session.py",
        "BrowserUseSession.aclose",
        "await self._background.aclose()",
        "",
        (
            "test_program_ends.py::test_the_end_of_a_program_with_waits_pending",
            "test_session.py::test_closing_that_is_cancelled_leaves_nothing",
        ),
    ),
    # Loops and processes.
    Mutant(
        "a session is used in a second loop after the first one was closed",
        "transport/connections.py",
        "Connections._refuse_other_loop",
        "self.loop is not loop",
        "self.loop is not loop and not self.loop.is_closed()",
        ("test_program_ends.py::test_a_second_loop_in_one_program",),
    ),
    Mutant(
        "a session whose loop is closed cannot be closed",
        "transport/connections.py",
        "Connections.aclose",
        "self.is_loop_closed",
        "self.is_loop_closed and self._closed",
        ("transport/test_closed_loops.py::test_any_loop_closes_a_session_whose_own_is_closed",),
    ),
    Mutant(
        "a forked process is not distinguished from its parent",
        "transport/connections.py",
        "Connections.bind",
        "self._process != _THIS_PROCESS.id",
        "self._process == 0",
        ("transport/test_lifetime.py::test_a_forked_process_is_refused",),
    ),
    Mutant(
        "a forked process closes the connections of its parent",
        "transport/connections.py",
        "Connections.aclose",
        "self._process != _THIS_PROCESS.id",
        "False",
        ("transport/test_lifetime.py::test_a_forked_process_is_refused",),
    ),
)
