"""Mutants of the bundled server: its faults on purpose, and its being apart from others."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a fault that fires is not counted",
        "server/faults/injection.py",
        "        self.fired[fault.label] += 1\n",
        "        self.fired[fault.label] += 0\n",
        ("server/faults/test_kinds.py::test_a_fault_meets_the_calls_that_it_is_for",),
    ),
    Mutant(
        "a fault hits the call after its own",
        "server/faults/injection.py",
        "self.fault.picks(self._calls)",
        "self.fault.picks(self._calls - 1)",
        ("server/faults/test_kinds.py::test_a_fault_meets_the_calls_that_it_is_for",),
    ),
    Mutant(
        "the seed of a fault is ignored",
        "server/faults/injection.py",
        "random.Random(fault.seed)",
        "random.Random()",
        ("server/faults/test_kinds.py::test_every_fault_is_counted",),
    ),
    Mutant(
        "a lost reply is a call that was not executed",
        "server/faults/fault.py",
        "frozenset({FaultKind.LATENCY,",
        "frozenset({FaultKind.LOST_REPLY, FaultKind.LATENCY,",
        ("server/faults/test_kinds.py::test_a_fault_meets_the_calls_that_it_is_for",),
    ),
    Mutant(
        "a reset is an orderly close",
        "server/faults/injection.py",
        '        if by == "rst":\n',
        '        if by == "never":\n',
        ("server/faults/test_kinds.py::test_a_fault_meets_the_calls_that_it_is_for",),
    ),
    Mutant(
        "a late commit is never carried out",
        "server/faults/injection.py",
        "            self._injector.run_later(self._commit_late(request))\n",
        "            pass\n",
        ("server/faults/test_kinds.py::test_late_commit",),
    ),
    Mutant(
        "the server listens on any address",
        "server/listen_address.py",
        "    if not is_local and not allow_any_host:\n",
        "    if not host and not allow_any_host:\n",
        ("server/test_isolation.py::test_this_machine_only",),
    ),
    Mutant(
        "an exposed server accepts any key",
        "server/listen_address.py",
        "        if is_exposed:\n",
        "        if not host:\n",
        ("server/test_isolation.py::test_this_machine_only",),
    ),
    Mutant(
        "every host is answered",
        "server/access.py",
        "            if not all(map(self.allows, request.headers.getall(hdrs.HOST, ()))):\n",
        "            if not request.headers:\n",
        ("server/test_access.py::test_a_host_of_ones_own_choice_is_no_origin",),
    ),
    Mutant(
        "keys can be guessed without end",
        "server/access.py",
        "        if seconds > 0:\n",
        "        if seconds > BRAKE_SECONDS:\n",
        ("server/test_access.py::test_wrong_keys_are_slowed_down",),
    ),
    Mutant(
        "behind a proxy everybody administrates",
        "server/startup.py",
        "            refuse_client if self._parts.address.behind_proxy else check_local_client,\n",
        "            check_local_client,\n",
        ("server/test_administration.py::test_behind_a_proxy_nobody_administrates",),
    ),
    Mutant(
        "all servers have one key",
        "server/listen_address.py",
        'f"bu_local_{secrets.token_urlsafe(24)}"',
        '"bu_local_key"',
        ("server/test_isolation.py::test_a_hundred_servers",),
    ),
    Mutant(
        "half of a transaction stays",
        "server/storage/sqlite.py",
        '                self._connection.execute("ROLLBACK")\n',
        '                self._connection.execute("COMMIT")\n',
        ("server/storage/test_exactness.py::test_without_credit_nothing_is_created",),
    ),
    Mutant(
        "a status is set without a look at the one before",
        "server/storage/progress.py",
        "AND status IN ({before}){fence}",
        "AND status NOT IN ('{before[:0]}'){fence}",
        ("server/storage/test_exactness.py::test_the_second_change_of_a_status_is_refused",),
    ),
    Mutant(
        "a step that comes again is charged again",
        "server/storage/progress.py",
        "    if not inserted:\n        return\n",
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
        '            "WHERE id = :id AND is_active = 1 AND next_run_at = :due RETURNING id",\n',
        '            "WHERE id = :id AND (1 = 1 OR next_run_at = :due) RETURNING id",\n',
        ("server/storage/test_exactness.py::test_a_run_of_a_schedule_is_claimed_once",),
    ),
    Mutant(
        "a look-up takes the answer to a statement that is under way",
        "server/storage/postgres/database.py",
        "            del self._next[table, columns]\n"
        '            statement = f"SELECT id, {columns} FROM {table} WHERE id = ANY(:ids)"\n'
        '            found = await self._read(statement, {"ids": [*ids]}, ends)\n',
        '            statement = f"SELECT id, {columns} FROM {table} WHERE id = ANY(:ids)"\n'
        '            found = await self._read(statement, {"ids": [*ids]}, ends)\n'
        "            del self._next[table, columns]\n",
        ("server/storage/test_database.py",),
    ),
    Mutant(
        "closing the server leaves its scheduler running",
        "server/startup.py",
        "            stack.push_async_callback(scheduler.aclose)\n",
        "",
        ("server/test_isolation.py::test_a_hundred_servers",),
    ),
)
