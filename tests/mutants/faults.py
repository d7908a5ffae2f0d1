"""Mutants of the bundled server: its faults on purpose, and its isolation."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a fault that fires is not counted",
        "server/faults/injection.py",
        "FaultRules.count_fired",
        "self.fired[fault.label] += 1",
        "self.fired[fault.label] += 0",
        ("server/faults/test_kinds.py::test_a_fault_meets_the_calls_that_it_is_for",),
    ),
    Mutant(
        "a fault hits the call after its own",
        "server/faults/injection.py",
        "_Rule.matches",
        "self.fault.picks(self._calls)",
        "self.fault.picks(self._calls - 1)",
        ("server/faults/test_kinds.py::test_a_fault_meets_the_calls_that_it_is_for",),
    ),
    Mutant(
        "the seed of a fault is ignored",
        "server/faults/injection.py",
        "_Rule.__init__",
        "random.Random(fault.seed)",
        "random.Random()",
        ("server/faults/test_kinds.py::test_every_fault_is_counted",),
    ),
    Mutant(
        "a lost reply is a call that was not executed",
        "server/faults/fault.py",
        "lost_reply",
        'await call.fire("after")',
        "await call.fire()",
        ("server/faults/test_kinds.py::test_a_fault_meets_the_calls_that_it_is_for",),
    ),
    Mutant(
        "a reset is an orderly close",
        "server/faults/call.py",
        "close_connection",
        'lost.by == "rst"',
        'lost.by == "never"',
        ("server/faults/test_kinds.py::test_a_fault_meets_the_calls_that_it_is_for",),
    ),
    Mutant(
        "a late commit is never carried out",
        "server/faults/fault.py",
        "late_commit",
        "call.delays.start(seconds, call.proceed)",
        "pass",
        ("server/faults/test_kinds.py::test_late_commit",),
    ),
    Mutant(
        "an exposed server accepts any key",
        "server/settings/listen_address.py",
        "ListenSettings.__attrs_post_init__",
        "self.is_exposed",
        "not self.host",
        ("server/test_isolation.py::test_this_machine_only",),
    ),
    Mutant(
        "every host is answered",
        "server/http/access.py",
        "AllowedHosts.refusal",
        "all(map(self.allows, request.headers.getall(hdrs.HOST, ())))",
        "request.headers",
        ("server/test_access.py::test_a_host_of_ones_own_choice_is_no_origin",),
    ),
    Mutant(
        "keys can be guessed without end",
        "server/http/access.py",
        "ApiKeyCheck._check_brake",
        "seconds > 0",
        "seconds > BRAKE_SECONDS",
        ("server/test_access.py::test_wrong_keys_are_slowed_down",),
    ),
    Mutant(
        "behind a proxy everybody administrates",
        "server/app/application.py",
        "build_application",
        "refuse_client if settings.behind_proxy else check_local_client",
        "check_local_client",
        ("server/test_administration.py::test_behind_a_proxy_administration_is_refused",),
    ),
    Mutant(
        "all servers have one key",
        "server/settings/listen_address.py",
        "ListenAddress.__init__",
        'f"bu_local_{secrets.token_urlsafe(24)}"',
        '"bu_local_key"',
        ("server/test_isolation.py::test_a_hundred_servers",),
    ),
    Mutant(
        "half of a transaction stays",
        "server/storage/sqlite.py",
        "SqliteDatabase._transact",
        "'ROLLBACK'",
        "'COMMIT'",
        ("server/storage/test_exactness.py::test_without_credit_nothing_is_created",),
    ),
    Mutant(
        "a status is set without a look at the one before",
        "server/storage/progress.py",
        "_statement",
        "' AND status IN ('",
        "\" AND 'any' NOT IN (\"",
        ("server/storage/test_exactness.py::test_the_second_change_of_a_status_is_refused",),
    ),
    Mutant(
        "a step that comes again is charged again",
        "server/storage/progress.py",
        "insert_step",
        """
            if not inserted:
                return
        """,
        "",
        (
            (
                "server/storage/test_exactness.py"
                "::test_a_step_that_comes_again_is_neither_stored_nor_charged"
            ),
        ),
    ),
    Mutant(
        "a run of a schedule is claimed by everybody",
        "server/storage/schedules.py",
        "Schedules.advance",
        "'is_active = 1 AND next_run_at = :due'",
        "'(1 = 1 OR next_run_at = :due)'",
        ("server/storage/test_exactness.py::test_a_run_of_a_schedule_is_claimed_once",),
    ),
    Mutant(
        "a look-up takes the answer to a statement that is under way",
        "server/storage/postgres/database.py",
        "_LookUps._rows",
        """
            del self._next[table, columns]
            statement = f"SELECT id, {columns} FROM {table} WHERE id = ANY(:ids)"
            found = await self._read(statement, {"ids": [*ids]}, ends)
        """,
        """
            statement = f"SELECT id, {columns} FROM {table} WHERE id = ANY(:ids)"
            found = await self._read(statement, {"ids": [*ids]}, ends)
            del self._next[table, columns]
        """,
        ("server/storage/test_database.py::test_a_look_up_sees_every_change_made_before_it",),
    ),
    Mutant(
        "closing the server leaves its loops running",
        "server/startup.py",
        "Assembly._begin",
        "stack.push_async_callback(self._loops.start(name, work).aclose)",
        "self._loops.start(name, work)",
        ("server/test_isolation.py::test_a_hundred_servers",),
    ),
)
