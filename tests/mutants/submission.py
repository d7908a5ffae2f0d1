"""Mutants of paying once."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    # What became of one attempt.
    Mutant(
        "a lost connection counts as not sent",
        "transport/response.py",
        "        case aiohttp.ConnectionTimeoutError():\n",
        "        case aiohttp.ConnectionTimeoutError() | aiohttp.ServerDisconnectedError():\n",
        ("transport/test_cuts.py::test_no_cut_is_misjudged",),
    ),
    Mutant(
        "sent headers are not recorded",
        "transport/connection_pool.py",
        "        sent.on_request_headers_sent.append(_record_sent)\n",
        "",
        (
            "lifecycle/test_lost_answers.py::test_a_stalled_answer_is_made_good",
            "transport/test_paid_searches.py::test_a_lost_search_is_not_sent_again",
        ),
    ),
    Mutant(
        "a timeout before sending counts as sent",
        "transport/response.py",
        "        case TimeoutError() if not sent:\n",
        "        case TimeoutError() if False:\n",
        ("transport/test_connections.py::test_a_hanging_connection_was_not_sent",),
    ),
    Mutant(
        "a bad certificate is retried",
        "transport/response.py",
        'is not trusted", transient=False)',
        'is not trusted")',
        ("transport/test_connections.py::test_an_untrusted_certificate_is_refused_at_once",),
    ),
    Mutant(
        "aiohttp's own status 400 for a malformed response counts as the server's",
        "transport/response.py",
        "        case aiohttp.ClientConnectorDNSError():\n",
        "        case aiohttp.ClientResponseError() if error.status == 400:\n"
        '            return Outcome(OutcomeKind.REJECTED, problem="status 400")\n'
        "        case aiohttp.ClientConnectorDNSError():\n",
        ("transport/test_unusable_answers.py::test_malformed_http_is_ambiguous",),
    ),
    Mutant(
        "a response without an id counts as a refusal",
        "transport/response.py",
        "    return Outcome(OutcomeKind.AMBIGUOUS, reply=reply, problem=problem, path=path)\n",
        "    return Outcome(OutcomeKind.REJECTED, reply=reply, problem=problem, path=path)\n",
        ("lifecycle/test_lost_answers.py::test_ambiguous_statuses_are_made_good",),
    ),
    Mutant(
        "a server error counts as a refusal",
        "transport/response.py",
        "    return OutcomeKind.AMBIGUOUS\n",
        "    return OutcomeKind.REJECTED\n",
        ("lifecycle/test_lost_answers.py::test_ambiguous_statuses_are_made_good",),
    ),
    Mutant(
        "a refusal counts as ambiguous",
        "transport/response.py",
        "    if 300 <= status < 400 or status in _REJECTED:\n",
        "    if 300 <= status < 400 or status == 429:\n",
        ("lifecycle/test_lost_answers.py::test_a_rejection_is_raised_at_once",),
    ),
    # What may be sent again.
    Mutant(
        "paid calls are retried like reads",
        "transport/retry.py",
        "        case _ if effect not in {Effect.READS, Effect.IDEMPOTENT}:\n",
        "        case _ if effect not in {Effect.READS, Effect.IDEMPOTENT, Effect.CREATES}:\n",
        (
            "lifecycle/test_lost_answers.py::test_a_lost_answer_raises_if_asked_to",
            "lifecycle/test_lost_answers.py::test_a_stalled_answer_is_made_good",
            "lifecycle/test_lost_answers.py::test_ambiguous_statuses_are_made_good",
            "transport/test_cuts.py::test_no_cut_is_misjudged",
            "transport/test_paid_searches.py::test_a_lost_search_is_not_sent_again",
            "transport/test_unusable_answers.py::test_malformed_http_is_ambiguous",
        ),
    ),
    Mutant(
        "a call that was not sent is not retried",
        "transport/retry.py",
        "            return outcome.transient\n",
        "            return False\n",
        (
            "lifecycle/test_lost_answers.py::test_what_was_not_sent_is_raised_at_once",
            "transport/test_connections.py::test_an_unknown_name_is_reported_as_not_sent",
            "transport/test_connections.py::test_plain_text_on_a_tls_port_was_not_sent",
        ),
    ),
    Mutant(
        "status 429 is not retried",
        "transport/retry.py",
        "        case _ if outcome.status == 429:\n            return True\n",
        "        case _ if outcome.status == 429:\n            return False\n",
        ("lifecycle/test_lost_answers.py::test_too_many_requests_are_waited_out",),
    ),
    # How it travels.
    Mutant(
        "paid calls use pooled connections",
        "transport/connection_pool.py",
        "force_close=True",
        "",
        (
            "transport/test_blocked_loop.py::test_a_blocked_loop_makes_no_call_ambiguous",
            "transport/test_paid_calls.py::test_a_stray_answer_is_nobodys_task",
        ),
    ),
    Mutant(
        "the connector has a queue of its own, which uses up timeouts",
        "transport/connection_pool.py",
        "make_connector(limit=0,",
        "make_connector(limit=25,",
        ("transport/test_connections.py::test_waiting_for_a_slot_is_nobodys_timeout",),
    ),
    Mutant(
        "redirects are followed",
        "transport/connections.py",
        "            allow_redirects=False,\n",
        "            allow_redirects=True,\n",
        ("transport/test_paid_calls.py::test_redirects_are_not_followed",),
    ),
    # How a task is found again.
    Mutant(
        "no submission token is sent with a task",
        "lifecycle/create.py",
        "metadata={**metadata, TOKEN_KEY: token.mark}",
        "metadata=metadata",
        (
            "lifecycle/test_lost_answers.py::test_a_lost_answer_is_made_good",
            "lifecycle/test_lost_answers.py::test_a_lost_answer_raises_if_asked_to",
            "lifecycle/test_lost_answers.py::test_a_stalled_answer_is_made_good",
            "lifecycle/test_searching.py::test_identical_submissions_are_not_mixed_up",
        ),
    ),
    Mutant(
        "the reserved metadata name is allowed",
        "lifecycle/create.py",
        "for each in RESERVED_KEYS if each in metadata",
        "for each in RESERVED_KEYS if each == metadata",
        ("lifecycle/test_preparing.py::test_impossible_metadata_is_refused",),
    ),
    Mutant(
        "reconciling does not wait for the settle window",
        "lifecycle/reconcile.py",
        "            is_last = began >= ends_at() - TICK\n",
        "            is_last = True\n",
        ("lifecycle/test_lost_answers.py::test_a_task_that_was_never_created_is_told",),
    ),
    Mutant(
        "tasks with other texts are fetched for their tokens",
        "lifecycle/reconcile.py",
        "            and self.token.digest == digest_of(row.task)\n",
        "",
        ("lifecycle/test_lost_answers.py::test_a_lost_answer_is_made_good",),
    ),
    Mutant(
        "any new task ends reconciling",
        "lifecycle/reconcile.py",
        "            if search.token.mark == mark and not search.found.done():\n",
        "            if not search.found.done():\n",
        (
            "lifecycle/test_adoption.py::test_an_event_about_another_task_is_not_adopted",
            "lifecycle/test_searching.py::test_identical_submissions_are_not_mixed_up",
        ),
    ),
    Mutant(
        "a webhook event is not remembered for later searches",
        "lifecycle/reconcile.py",
        "        if known:\n",
        "        if False:\n",
        ("lifecycle/test_adoption.py::test_an_event_before_the_answer_saves_the_search",),
    ),
    Mutant(
        "a response that names the task of another submission is accepted",
        "lifecycle/reconcile.py",
        "        if known is not None and (mark is None or known != mark):\n",
        "        if False:\n",
        ("lifecycle/test_replayed_answers.py::test_the_token_finds_the_right_task",),
    ),
    # Whose clock is believed.
    Mutant(
        "a token for another process holds the local time",
        "lifecycle/submission_age.py",
        "        sent_at = service_time - timedelta(seconds=age)\n",
        "        sent_at = self._now()\n",
        ("simulator/test_clocks.py::test_a_window_that_has_passed_is_not_waited_for_again",),
    ),
    Mutant(
        "any machine's time counts as the server's",
        "lifecycle/submission_age.py",
        "        if service_time is None or not token.by_service:\n",
        "        if service_time is None:\n",
        ("simulator/test_clocks.py::test_a_token_that_is_resolved_later_finds_its_task",),
    ),
    Mutant(
        "the age of a submission is measured by the wall clock",
        "lifecycle/submission_age.py",
        "            return asyncio.get_running_loop().time() - sending.loop_time\n",
        "            return (self._now() - sending.wall_time).total_seconds()\n",
        ("simulator/test_clocks.py::test_the_rest_of_the_window_is_waited_for_at_every_skew",),
    ),
    Mutant(
        "one unconfirmed server time ends the wait for a late task",
        "lifecycle/submission_age.py",
        "        return service_time if is_confirmed else None\n",
        "        return service_time\n",
        ("simulator/test_clocks.py::test_a_stamp_that_is_a_day_off_hides_no_task",),
    ),
    Mutant(
        "an implausible Date header is accepted",
        "transport/retry.py",
        "return now if abs((now - previous).total_seconds()) <= CLOCK_TOLERANCE else None",
        "return now",
        ("transport/test_server_clock.py::test_a_single_answer_is_not_believed",),
    ),
    Mutant(
        "one row with an old date ends a scan",
        "lifecycle/reconcile.py",
        "OLD_ROWS = 10 ",
        "OLD_ROWS = 1 ",
        ("lifecycle/test_searching.py::test_a_row_that_claims_to_be_old_does_not_end_the_reading",),
    ),
    Mutant(
        "one row with a new date hides older rows",
        "lifecycle/reconcile.py",
        "        return dates[len(dates) // 2] if date is None else min(dates[-1], date)\n",
        "        return dates[-1]\n",
        ("simulator/test_clocks.py::test_rows_with_absurd_dates_hide_nothing",),
    ),
    Mutant(
        "a cancellation interrupts a request half-way",
        "lifecycle/run.py",
        "        if submission.state is SubmissionState.UNSENT or lost:\n",
        "        if True:\n",
        (
            (
                "lifecycle/test_end_actions.py"
                "::test_cancelling_a_submission_at_every_step_leaves_no_orphan"
            ),
        ),
    ),
)
