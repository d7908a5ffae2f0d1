"""Mutants of paying once."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    # The outcome of one attempt.
    Mutant(
        "a lost connection counts as not sent",
        "transport/response.py",
        "classify_error",
        "not_sent = _why_not_sent(error, sent=sent)",
        """
            is_lost = isinstance(error, aiohttp.ServerDisconnectedError)
            not_sent = _not_sent("lost") if is_lost else _why_not_sent(error, sent=sent)
        """,
        ("transport/test_cuts.py::test_no_cut_is_misjudged",),
    ),
    Mutant(
        "sent headers are not recorded",
        "transport/connection_pool.py",
        "_PayingRequest.send",
        "prepared is not None and transport is not None and not transport.is_closing()",
        "prepared is transport",
        (
            "lifecycle/test_lost_answers.py::test_a_stalled_answer_is_made_good",
            "transport/test_paid_searches.py::test_a_lost_search_is_not_sent_again",
        ),
    ),
    Mutant(
        "a timeout before sending counts as sent",
        "transport/response.py",
        "_why_not_sent",
        "not sent",
        "False",
        ("transport/test_connections.py::test_a_hanging_connection_was_not_sent",),
    ),
    Mutant(
        "a bad certificate is retried",
        "transport/response.py",
        "_why_not_sent",
        '_not_sent(f"the certificate of {error.host} is not trusted", transient=False)',
        '_not_sent(f"the certificate of {error.host} is not trusted")',
        ("transport/test_connections.py::test_an_untrusted_certificate_is_refused_at_once",),
    ),
    Mutant(
        "aiohttp's own status 400 for a malformed response counts as the server's",
        "transport/response.py",
        "classify_error",
        "not_sent = _why_not_sent(error, sent=sent)",
        """
            if isinstance(error, aiohttp.ClientResponseError) and error.status == 400:
                return Outcome(OutcomeKind.REJECTED, problem="status 400")
            not_sent = _why_not_sent(error, sent=sent)
        """,
        ("transport/test_unusable_answers.py::test_malformed_http_is_ambiguous",),
    ),
    Mutant(
        "a response without an id counts as a refusal",
        "transport/request.py",
        "classify_reply",
        "OutcomeKind.AMBIGUOUS",
        "OutcomeKind.REJECTED",
        ("lifecycle/test_lost_answers.py::test_ambiguous_statuses_are_made_good",),
    ),
    Mutant(
        "a server error counts as a refusal",
        "transport/response.py",
        "kind_of_status",
        "OutcomeKind.AMBIGUOUS",
        "OutcomeKind.REJECTED",
        ("lifecycle/test_lost_answers.py::test_ambiguous_statuses_are_made_good",),
    ),
    Mutant(
        "a refusal counts as ambiguous",
        "transport/response.py",
        "kind_of_status",
        "status in _REJECTED",
        "status == 429",
        ("lifecycle/test_lost_answers.py::test_a_rejection_is_raised_at_once",),
    ),
    Mutant(
        "a redirect after a paid call counts as a refusal",
        "transport/response.py",
        "",
        "{301, 307, 308}",
        "{301, 302, 303, 307, 308}",
        (
            "lifecycle/test_lost_answers.py::test_ambiguous_statuses_are_made_good",
            "money/test_lost_answers.py::test_what_is_answered_with_a_redirect_stays_reserved",
        ),
    ),
    # Money.
    Mutant(
        "a budget looks for a lost submission before its window has passed",
        "money/budgets.py",
        "Charge.is_lost_for_good",
        "now >= self.lost_at + lost.token.settle_window",
        "now >= self.lost_at",
        ("money/test_lost_answers.py::test_a_call_that_does_not_fit_waits_for_no_window",),
    ),
    # Which requests may be sent again.
    Mutant(
        "paid calls are retried like reads",
        "transport/retry.py",
        "may_try_again",
        "{table.Effect.READS, table.Effect.IDEMPOTENT}",
        "{table.Effect.READS, table.Effect.IDEMPOTENT, table.Effect.CREATES}",
        (
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
        "may_try_again",
        "outcome.transient",
        "False",
        (
            "lifecycle/test_lost_answers.py::test_what_was_not_sent_is_raised_at_once",
            "transport/test_connections.py::test_an_unknown_name_is_reported_as_not_sent",
            "transport/test_connections.py::test_plain_text_on_a_tls_port_was_not_sent",
        ),
    ),
    Mutant(
        "status 429 is not retried",
        "transport/retry.py",
        "may_try_again",
        "return True",
        "return False",
        ("lifecycle/test_lost_answers.py::test_too_many_requests_are_waited_out",),
    ),
    # How requests are sent.
    Mutant(
        "paid calls use pooled connections",
        "transport/connection_pool.py",
        "ConnectionPool.paying",
        "options.connector(force_close=True)",
        "options.connector()",
        (
            "transport/test_blocked_loop.py::test_a_blocked_loop_makes_no_call_ambiguous",
            "transport/test_paid_calls.py::test_a_stray_answer_is_no_task",
        ),
    ),
    Mutant(
        "the connector has a queue of its own, which uses up timeouts",
        "transport/connection_pool.py",
        "PoolOptions.connector",
        "self.make_connector(limit=0, ssl=self.ssl or True, **settings)",
        "self.make_connector(limit=25, ssl=self.ssl or True, **settings)",
        ("transport/test_connections.py::test_waiting_for_a_slot_is_no_timeout",),
    ),
    Mutant(
        "redirects are followed",
        "transport/connections.py",
        "Connections._request",
        "allow_redirects=False",
        "allow_redirects=True",
        ("transport/test_paid_calls.py::test_redirects_are_not_followed",),
    ),
    # How a task is found.
    Mutant(
        "no submission token is sent with a task",
        "lifecycle/create.py",
        "TaskCreator.prepare",
        "{**metadata, TOKEN_KEY: mark}",
        "metadata",
        (
            "lifecycle/test_lost_answers.py::test_a_lost_answer_is_made_good",
            "lifecycle/test_lost_answers.py::test_a_stalled_answer_is_made_good",
            "lifecycle/test_searching.py::test_identical_submissions_are_not_mixed_up",
        ),
    ),
    Mutant(
        "the reserved metadata name is allowed",
        "lifecycle/create.py",
        "TaskCreator.prepare",
        "each in metadata",
        "each == metadata",
        ("lifecycle/test_preparing.py::test_impossible_metadata_is_refused",),
    ),
    Mutant(
        "reconciling does not wait for the settle window",
        "lifecycle/reconcile.py",
        "Reconciler._find",
        "began >= ends_at() - TICK",
        "True",
        ("lifecycle/test_lost_answers.py::test_a_task_that_was_never_created_is_reported",),
    ),
    Mutant(
        "tasks with other texts are fetched for their tokens",
        "lifecycle/reconcile.py",
        "_Search.could_match",
        """
            not self.found.done()
            and self.token.digest == digest_of(row.task)
            and not _is_older(row.created_at, oldest)
        """,
        "not self.found.done() and (not _is_older(row.created_at, oldest))",
        ("lifecycle/test_lost_answers.py::test_a_lost_answer_is_made_good",),
    ),
    Mutant(
        "any new task ends reconciling",
        "lifecycle/reconcile.py",
        "Reconciler.record",
        "search.token.mark == mark and not search.found.done()",
        "not search.found.done()",
        (
            "lifecycle/test_adoption.py::test_an_event_about_another_task_is_not_adopted",
            "lifecycle/test_searching.py::test_identical_submissions_are_not_mixed_up",
        ),
    ),
    Mutant(
        "a webhook event is not remembered for later searches",
        "lifecycle/reconcile.py",
        "Reconciler._search",
        """
            if known:
                return known[0]
        """,
        """
            if False:
                return known[0]
        """,
        ("lifecycle/test_adoption.py::test_an_event_before_the_answer_saves_the_search",),
    ),
    Mutant(
        "a response that names the task of another submission is accepted",
        "lifecycle/reconcile.py",
        "Reconciler.claim",
        "known is not None and (mark is None or known != mark)",
        "False",
        ("lifecycle/test_replayed_answers.py::test_the_token_finds_the_right_task",),
    ),
    # Which clock is believed.
    Mutant(
        "a token for another process has the local time",
        "lifecycle/submission_age.py",
        "SubmissionAges._stamped",
        "service_time - timedelta(seconds=age)",
        "self._now()",
        ("proofs/world/test_clocks.py::test_a_window_that_has_passed_is_not_waited_for_again",),
    ),
    Mutant(
        "any machine's time counts as the server's",
        "lifecycle/submission_age.py",
        "SubmissionAges._age_by_service",
        "service_time is None or not token.by_service",
        "service_time is None",
        ("proofs/world/test_clocks.py::test_a_token_that_is_resolved_later_finds_its_task",),
    ),
    Mutant(
        "the age of a submission is measured by the wall clock",
        "lifecycle/submission_age.py",
        "SubmissionAges.min_age",
        "asyncio.get_running_loop().time() - sending.loop_time",
        "(self._now() - sending.wall_time).total_seconds()",
        ("proofs/world/test_clocks.py::test_the_rest_of_the_window_is_waited_for_at_every_skew",),
    ),
    Mutant(
        "one unconfirmed server time ends the wait for a late task",
        "lifecycle/submission_age.py",
        "SubmissionAges._confirmed_time",
        "service_time if is_confirmed else None",
        "service_time",
        ("proofs/world/test_clocks.py::test_a_stamp_that_is_a_day_off_hides_no_task",),
    ),
    Mutant(
        "an implausible Date header is accepted",
        "transport/retry.py",
        "ServerClock.now",
        "now if abs((now - previous).total_seconds()) <= CLOCK_TOLERANCE else None",
        "now",
        ("transport/test_server_clock.py::test_a_single_answer_is_not_believed",),
    ),
    Mutant(
        "one row with an old date ends a scan",
        "lifecycle/reconcile.py",
        "",
        "OLD_ROWS = 10",
        "OLD_ROWS = 1",
        ("lifecycle/test_searching.py::test_a_row_that_claims_to_be_old_does_not_end_the_reading",),
    ),
    Mutant(
        "one row with a new date hides older rows",
        "lifecycle/reconcile.py",
        "Reconciler._newest_of",
        "dates[len(dates) // 2] if date is None else min(dates[-1], date)",
        "dates[-1]",
        ("proofs/world/test_clocks.py::test_rows_with_absurd_dates_hide_nothing",),
    ),
    Mutant(
        "a cancellation interrupts a request half-way",
        "lifecycle/run.py",
        "SubmissionRunner._end",
        "submission.state is create.SubmissionState.UNSENT or lost",
        "True",
        (
            (
                "lifecycle/test_end_actions.py"
                "::test_cancelling_a_submission_at_every_step_leaves_no_orphan"
            ),
        ),
    ),
)
