"""Mutants of batches and their ledger."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "a task is created before its intent is committed",
        "batch/runner.py",
        "            await self.writer.execute(begin_send)\n",
        "            self.writer.post(begin_send)\n",
        (
            "batch/ledger/test_durability.py::test_others_see_the_intent_before_the_task_exists",
            "batch/test_worlds.py::test_every_item_has_one_task_whatever_breaks_or_dies",
        ),
    ),
    Mutant(
        "an intent without a response is sent again at once",
        "batch/runner.py",
        "DOUBTFUL = frozenset({ItemState.INTENT, ItemState.UNKNOWN})\n",
        "DOUBTFUL = frozenset({ItemState.UNKNOWN})\n",
        (
            "batch/ledger/test_file.py::test_killed_at_a_write_a_batch_goes_on",
            "batch/ledger/test_file.py::test_what_a_power_cut_does_to_the_log_is_survived",
        ),
    ),
    Mutant(
        "a batch reconciles without a settle window",
        "batch/runner.py",
        "submission.token, batch.options.settle_window, submission.recorder",
        "submission.token, 0.0, submission.recorder",
        ("batch/test_worlds.py::test_every_item_has_one_task_whatever_breaks_or_dies",),
    ),
    Mutant(
        "any database is a ledger",
        "batch/ledger/schema.py",
        ".fetchone()[0] != APPLICATION_ID:",
        ".fetchone()[0] == -1:",
        ("batch/ledger/test_file.py::test_the_database_of_another_program_is_no_ledger",),
    ),
    Mutant(
        "a disk error does not name the created task",
        "batch/runner.py",
        '            "finds it by the mark that it carries",\n            task_id=task_id,\n',
        '            "finds it by the mark that it carries",\n',
        ("batch/ledger/test_file.py::test_a_full_disk_ends_the_batch_and_doubles_nothing",),
    ),
    Mutant(
        "a ledger has several owners",
        "batch/ledger/file.py",
        'owner.execute("BEGIN EXCLUSIVE")',
        'owner.execute("BEGIN")',
        ("batch/ledger/test_file.py::test_a_second_process_is_refused_at_once",),
    ),
    Mutant(
        "a ledger of a newer version is written to",
        "batch/ledger/schema.py",
        "    if version > VERSION:\n",
        "    if version < VERSION:\n",
        ("batch/ledger/test_file.py::test_a_ledger_of_a_newer_version_is_refused",),
    ),
    Mutant(
        "a budget is doubled",
        "batch/budget.py",
        "+ self._needed(price) <= self.limit_cents\n",
        "+ self._needed(price) <= 2 * self.limit_cents\n",
        ("batch/test_budget.py::test_a_budget_ends_submitting",),
    ),
    Mutant(
        "an empty balance counts as the item's failure",
        "batch/runner.py",
        "            except errors.PaymentRequiredError:\n",
        "            except ZeroDivisionError:\n",
        ("batch/test_budget.py::test_an_empty_balance_pauses_the_batch",),
    ),
    Mutant(
        "item keys are not checked",
        "batch/inputs.py",
        "    if not good:\n",
        "    if good is None:\n",
        ("batch/test_inputs.py::test_poison_is_set_aside",),
    ),
    Mutant(
        "a key may change its input",
        "batch/ledger/store.py",
        "        if changed and (repeated or state is not ItemState.DEAD):\n",
        "        if changed and state is None:\n",
        ("batch/test_inputs.py::test_a_key_that_means_something_else_is_refused",),
    ),
    Mutant(
        "items are identified by their positions",
        "batch/inputs.py",
        "key=own_key or _key_of(digest)",
        "key=own_key or str(index)",
        (
            "batch/test_inputs.py::test_the_next_run_goes_by_keys_and_not_by_places",
            "batch/test_inputs.py::test_what_is_named_twice_is_done_once",
        ),
    ),
    Mutant(
        "on_cancel of a batch is ignored",
        "batch/state.py",
        'stops = batch.options.on_cancel == "stop"',
        'stops = batch.options.on_cancel == "never"',
        ("batch/test_shutdown.py::test_leaving_leaves_or_stops",),
    ),
    Mutant(
        "more run at once than asked for",
        "batch/batch.py",
        "len(self._workers) < self._options.concurrency",
        "len(self._workers) < 2 * self._options.concurrency",
        ("batch/test_amounts.py::test_never_more_at_once_and_no_more_memory_for_more_items",),
    ),
    Mutant(
        "an item that was refused a slot counts as sent",
        "batch/runner.py",
        "        self.writer.post(lambda store: store.mark_not_sent(claim))\n",
        "        assert claim is not None\n",
        ("batch/test_amounts.py::test_an_item_that_waits_for_a_slot_is_new",),
    ),
    Mutant(
        "outputs of any size are stored",
        "batch/ledger/store.py",
        "len(output) > MAX_KEPT_OUTPUT",
        "len(output) < 0",
        ("batch/test_amounts.py::test_a_huge_answer_is_given_and_not_kept",),
    ),
    Mutant(
        "a response that names the task of another item is accepted",
        "batch/ledger/store.py",
        "items WHERE task_id = %s AND position != %s)",
        "items WHERE task_id = %s AND position != %s AND FALSE)",
        ("batch/test_replayed_answers.py::test_every_item_has_its_own_task",),
    ),
    Mutant(
        "duplicate tasks are not searched for",
        "batch/duplicates.py",
        "row.id != suspect.task_id",
        "row.id == suspect.key",
        ("batch/test_runner.py::test_a_task_that_comes_too_late_is_found",),
    ),
    Mutant(
        "every token counts as stamped with the server's time",
        "batch/duplicates.py",
        "not all(token.by_service for token in tokens)",
        "not tokens",
        ("batch/test_clocks.py::test_tasks_too_many_are_found_at_every_skew",),
    ),
    Mutant(
        "the estimate without data is one step",
        "batch/budget.py",
        "max(min(quantile, price.max_steps), shown)",
        "max(1 if math.isinf(quantile) else quantile, shown)",
        ("batch/test_budget_bounds.py::test_a_budget_holds_while_many_tasks_run",),
    ),
    Mutant(
        "estimates are medians",
        "batch/estimates.py",
        "TAIL = 0.05 ",
        "TAIL = 0.5 ",
        (
            (
                "batch/test_admission.py"
                "::test_running_tasks_that_show_more_steps_make_the_estimate_dearer"
            ),
        ),
    ),
    Mutant(
        "running tasks are left out of the estimate",
        "batch/estimates.py",
        "at_least = [*self._running, *(",
        "at_least = [*(",
        (
            (
                "batch/test_admission.py"
                "::test_running_tasks_that_show_more_steps_make_the_estimate_dearer"
            ),
        ),
    ),
    Mutant(
        "the steps of running tasks are not polled",
        "batch/budget.py",
        "            self.budget.observe(index, len(task.steps))\n",
        "            assert task.id == task_id\n",
        ("batch/test_budget_bounds.py::test_a_budget_holds_for_several_models_in_one_batch",),
    ),
    Mutant(
        "all running tasks are polled before each start",
        "batch/budget.py",
        "        chosen = stale[: self._polls_left]\n",
        "        chosen = oldest_first\n",
        ("batch/test_budget_bounds.py::test_a_budget_holds_while_many_tasks_run",),
    ),
    Mutant(
        "any number of tasks may exceed the estimate at once",
        "batch/budget.py",
        "WORST_CASE = 2 ",
        "WORST_CASE = 1000 ",
        ("batch/test_budget_bounds.py::test_the_worst_case_is_twice_the_budget",),
    ),
    Mutant(
        "the steps of earlier runs dominate the estimate",
        "batch/ledger/store.py",
        "MAX_RECENT = 16\n",
        "MAX_RECENT = 64\n",
        ("batch/test_budget_bounds.py::test_a_budget_holds_over_several_runs",),
    ),
    Mutant(
        "running tasks are polled even with an ample budget",
        "batch/budget.py",
        "        if self.budget.is_ample_for(price):\n",
        "        if self.budget.limit_cents is None:\n",
        ("batch/test_budget_bounds.py::test_an_ample_budget_costs_neither_time_nor_requests",),
    ),
    Mutant(
        "a strict budget goes by estimates",
        "batch/budget.py",
        "        if self.is_strict:\n            return price.maximum_cents\n",
        "        if self.limit_cents is None:\n            return price.maximum_cents\n",
        ("batch/test_strict_budget.py::test_a_strict_budget_is_never_exceeded",),
    ),
    Mutant(
        "a strict budget admits the last task unchecked",
        "batch/budget.py",
        "        if self.is_strict:\n            return self.estimate(price)\n",
        "        if self.is_strict and self._has_company:\n"
        "            return self.estimate(price)\n",
        ("batch/test_admission.py::test_a_strict_limit_is_never_passed",),
    ),
    Mutant(
        "a strict budget below the cheapest task is accepted",
        "batch/batch.py",
        "        if cheapest.maximum_cents > limit_cents:\n",
        "        if cheapest.maximum_cents < 0:\n",
        (
            (
                "batch/test_strict_budget.py"
                "::test_a_strict_budget_too_small_for_any_task_is_refused_at_once"
            ),
        ),
    ),
    Mutant(
        "outstanding tasks of an earlier run cost nothing",
        "batch/batch.py",
        "outstanding=sum(totals.counts[state] for state in MAY_COST)",
        "outstanding=0",
        (
            (
                "batch/test_strict_budget.py"
                "::test_tasks_of_an_earlier_run_have_their_share_before_their_turn_comes"
            ),
        ),
    ),
    Mutant(
        "a task without a waiter costs nothing",
        "batch/runner.py",
        "            if state in MAY_COST or self._in_flight.may_cost:\n",
        "            if state is None:\n",
        ("batch/test_strict_budget.py::test_a_task_that_is_waited_for_no_longer_keeps_its_share",),
    ),
    Mutant(
        "a strict budget does not limit resubmission",
        "batch/runner.py",
        "        asks = batch.stopped_by is None and admission.budget.is_strict\n",
        "        asks = False\n",
        ("batch/test_strict_budget.py::test_what_was_lost_is_sent_again_only_if_it_fits",),
    ),
    Mutant(
        "a deleted ledger is not noticed",
        "batch/ledger/writer.py",
        "self._ledger.check_files()  # before",
        "assert jobs  # before",
        ("batch/ledger/test_identity.py::test_nothing_is_sent_that_no_ledger_remembers",),
    ),
    Mutant(
        "a deleted log or lock of the ledger is not noticed",
        "batch/ledger/file.py",
        'for ending in ("", _LOG, _LOCK)]',
        'for ending in ("",)]',
        ("batch/ledger/test_identity.py::test_nothing_is_sent_that_no_ledger_remembers",),
    ),
    Mutant(
        "the content of a deleted ledger is lost",
        "batch/ledger/file.py",
        '                self.connection.execute("VACUUM INTO ?", (str(copy),))\n',
        "                assert copy is not None\n",
        ("batch/ledger/test_identity.py::test_what_the_ledger_said_is_saved_and_goes_on",),
    ),
    Mutant(
        "any decimal is accepted as an amount",
        "batch/inputs.py",
        "    return 0 <= value <= MAX_CENTS\n",
        "    return value != -1\n",
        ("batch/test_strict_budget.py::test_a_budget_that_is_no_amount_of_money_is_refused",),
    ),
    Mutant(
        "a run that goes on with retries begins anew with them",
        "batch/ledger/store.py",
        "    def _begin_round(self, now: float) -> None:\n        self.context.round =",
        "    def _begin_round(self, now: float) -> None:\n        self.end_round(now)\n"
        "        self.context.round =",
        ("batch/test_retries.py",),
    ),
    Mutant(
        "a failed task that was tried again cost nothing",
        "batch/ledger/store.py",
        '    "COALESCE((SELECT SUM(cost) FROM former_tasks), 0) + "\n',
        "",
        ("batch/test_retries.py",),
    ),
    Mutant(
        "failures in a row are not counted",
        "batch/state.py",
        "self.failures_in_row >= most",
        "self.failures_in_row < 0",
        ("batch/test_retries.py",),
    ),
    Mutant(
        "the log stays beside its ledger",
        "batch/ledger/file.py",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA optimize",
        ("batch/ledger/test_side_files.py",),
    ),
    Mutant(
        "a process writes to items that another one has taken over",
        "batch/postgres/store.py",
        '        return "position = %s AND claim = %s", (claim.position, claim.call)\n',
        '        return "position = %s", (claim.position,)\n',
        ("batch/postgres/test_store.py::test_a_former_owner_writes_nothing",),
    ),
    Mutant(
        "an outage of the database counts as contact with it",
        "batch/postgres/worker.py",
        "now - self._answered_at > MOST_BETWEEN * self.lease",
        "now < self._answered_at",
        (
            (
                "batch/postgres/test_kills.py"
                "::test_no_living_process_is_taken_over_after_an_outage_of_the_database"
            ),
        ),
    ),
    Mutant(
        "the estimates of all processes may be wrong at once",
        "batch/postgres/statements.py",
        "{WORST_CASE} * budget",
        "1000 * budget",
        ("batch/postgres/test_store.py::test_a_shared_budget_is_bounded",),
    ),
    Mutant(
        "the budget row counts the tasks of one process",
        "batch/postgres/statements.py",
        "spent + reserved + %(expected)s <= budget",
        "spent + %(expected)s <= budget",
        ("batch/postgres/test_store.py::test_a_shared_budget_is_bounded",),
    ),
    Mutant(
        "a shared ledger is told of an intent and not waited for",
        "batch/postgres/writer.py",
        "            result = await self.transact(work)\n",
        "            result: Any = self.put(work)\n",
        ("batch/postgres/test_store.py::test_the_intent_is_committed_before_the_request",),
    ),
    Mutant(
        "the lock of a batch ends with its connection",
        "batch/postgres/connection.py",
        '            self.connection.execute("SELECT pg_advisory_unlock_all()")\n',
        "            pass\n",
        ("batch/postgres/test_bad_input.py::test_a_batch_that_ended_is_free_at_once",),
    ),
)
