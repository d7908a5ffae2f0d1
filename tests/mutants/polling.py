"""Mutants of polling."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

MUTANTS: tuple[Mutant, ...] = (
    # Outages.
    Mutant(
        "a task counts as reported on from the answer to run-task on",
        "lifecycle/run.py",
        "SubmissionRunner._create",
        "submission.sent_at",
        "asyncio.get_running_loop().time()",
        ("polling/test_long_poll.py::test_an_end_before_the_stream_begins_is_noticed",),
    ),
    Mutant(
        "an outage is one failed request",
        "transport/service.py",
        "ServiceHealth._report_outage",
        "self._is_due and self._is_certain and self._failures > 1",
        "True",
        (
            "polling/test_outage_events.py::test_an_unanswered_call_and_a_much_later_one_are_no_outage",
        ),
    ),
    Mutant(
        "a task that was never seen is waited for",
        "polling/poller.py",
        "TaskPoller._give_up_unknown",
        "failed < self.transport.retry.max_attempts or not self.transport.health.is_down",
        "True",
        ("polling/test_outage_events.py::test_a_task_that_was_never_seen_is_not_waited_for",),
    ),
    Mutant(
        "a timeout does not say what failed",
        "lifecycle/waits.py",
        "timed_out",
        "failure = poller.last_failure(first)",
        "failure: BaseException | None = None",
        ("polling/test_outage_events.py::test_a_timeout_quotes_the_refused_connection",),
    ),
    Mutant(
        "what cannot be read is asked for again for long",
        "polling/watched_task.py",
        "",
        "MAX_UNDECODABLE = 5",
        "MAX_UNDECODABLE = 50",
        ("polling/test_undecodable.py::test_a_stream_of_statuses_ends_with_the_end",),
    ),
    # What heals, and what does not.
    Mutant(
        "a server error ends a wait",
        "transport/response.py",
        "is_transient",
        """
            if isinstance(error, errors.APIStatusError) and (
                error.status in TRANSIENT_STATUSES or is_redirect(error.status)
            ):
                return True
        """,
        """
            if isinstance(error, errors.APIStatusError):
                return False
            if False:
                return True
        """,
        (
            "polling/test_outages.py::test_each_failure_in_a_row_counts_anew",
            "polling/test_outages.py::test_random_failures_lose_no_task",
        ),
    ),
    Mutant(
        "a redirect ends a wait",
        "transport/response.py",
        "is_transient",
        "error.status in TRANSIENT_STATUSES or is_redirect(error.status)",
        "error.status in TRANSIENT_STATUSES",
        ("polling/test_outages.py::test_a_redirect_ends_no_wait",),
    ),
    Mutant(
        "a service that only redirects is no outage",
        "transport/service.py",
        "_says_outage",
        "is_redirect(status) or (status >= 500 and status in TRANSIENT_STATUSES)",
        "status >= 500 and status in TRANSIENT_STATUSES",
        ("polling/test_outages.py::test_a_service_that_only_redirects_is_an_outage",),
    ),
    Mutant(
        "an outage of five minutes is too long",
        "polling/policy.py",
        "PollPolicy",
        "outage_timeout: float = 600.0",
        "outage_timeout: float = 60.0",
        ("polling/test_outages.py::test_an_outage_within_the_tolerance_is_survived",),
    ),
    Mutant(
        "a refused key counts as a transient error",
        "transport/error_factory.py",
        "",
        "errors.AuthenticationError",
        "errors.ConflictError",
        ("polling/test_faults.py::test_a_refusal_ends_the_wait_at_once",),
    ),
    Mutant(
        "a new task has no grace period",
        "lifecycle/run.py",
        "SubmissionRunner._create",
        "submission.sent_at",
        "-3600.0",
        ("polling/test_faults.py::test_an_own_new_task_may_be_missing_at_first",),
    ),
    Mutant(
        "a missing task counts as an outage",
        "transport/error_factory.py",
        "",
        "errors.NotFoundError",
        "errors.InternalServerError",
        ("polling/test_faults.py::test_a_task_that_disappears_is_an_error",),
    ),
    # Hints.
    Mutant(
        "a long poll that breaks is the only one to ask",
        "polling/long_poll.py",
        "LongPolls._lose",
        "held, self._held = self._held, None",
        "return",
        ("polling/test_long_poll.py::test_a_proxy_that_cuts_calls_after_five_seconds",),
    ),
    Mutant(
        "a stream that goes on has missed nothing",
        "polling/long_poll.py",
        "LongPolls._record_lines",
        "each.is_reset or self._since == math.inf",
        "self._since == math.inf",
        ("polling/test_long_poll.py::test_changes_that_a_stream_has_missed_are_polled",),
    ),
    Mutant(
        "an end that was forgotten was never reported",
        "polling/hints.py",
        "Hints.hint",
        "self.remembered_since = math.nextafter(forgotten, math.inf)",
        "pass",
        ("polling/test_long_poll.py::test_what_is_kept_of_unwatched_tasks_is_bounded",),
    ),
    Mutant(
        "long polls that are answered at once are made again at once",
        "polling/long_poll.py",
        "LongPolls._record_answer",
        "NEWS_WEIGHT if is_news else 1.0",
        "0.0",
        ("polling/test_long_poll_liars.py::test_a_status_call_that_is_not_held_though_it_says_so",),
    ),
    Mutant(
        "a source is relied on whatever it keeps to itself",
        "polling/hints.py",
        "Hints.record_end",
        "self.distrust(each)",
        "pass",
        (
            "polling/test_long_poll_liars.py::test_a_stream_that_keeps_changes_to_itself",
            "polling/test_safety.py::test_lost_events_are_noticed",
        ),
    ),
    Mutant(
        "an end that is reported again and again is fetched each time",
        "polling/hints.py",
        "Hints.hint",
        "not watched.end_reported",
        "True",
        ("polling/test_long_poll_liars.py::test_a_stream_that_lies_costs_a_few_requests",),
    ),
    # Lists that lag.
    Mutant(
        "an end that the list has shown late says nothing of the list",
        "polling/list_reader.py",
        "ListReader.record_end",
        "self._record_lag(listed_at - ended_at - self._clock_error, watched.task_id)",
        "pass",
        ("polling/test_late_lists.py::test_a_list_that_lags_is_left_alone",),
    ),
    Mutant(
        "a row that contradicts get-task says nothing of the list",
        "polling/list_reader.py",
        "ListReader._record_page",
        "status.is_known and not status.is_terminal",
        "False",
        ("polling/test_late_lists.py::test_a_list_that_lags_is_left_alone",),
    ),
    Mutant(
        "the clocks of a service agree",
        "polling/list_reader.py",
        "ListReader.record_end",
        "listed_at - ended_at - self._clock_error",
        "listed_at - ended_at",
        ("polling/test_late_lists.py::test_a_list_that_is_right_is_read",),
    ),
    # Statuses.
    Mutant(
        "an unknown status is terminal",
        "types/enums.py",
        "TaskStatus.is_terminal",
        "self in _TERMINAL",
        "self in _TERMINAL or not self.is_known",
        (
            "polling/test_faults.py::test_an_unknown_status_for_ever_ends_at_the_deadline",
            "polling/test_faults.py::test_an_unknown_status_is_alive",
        ),
    ),
    Mutant(
        "an unknown status counts as known",
        "types/enums.py",
        "OpenEnum.is_known",
        "type(self).__members__.get(self.name) is self",
        "isinstance(self.name, str)",
        (
            "polling/test_faults.py::test_an_unknown_status_is_alive",
            "polling/test_faults.py::test_an_unknown_status_with_an_end_ends_the_wait",
        ),
    ),
    Mutant(
        "paused is terminal",
        "types/enums.py",
        "",
        "{TaskStatus.FINISHED, TaskStatus.STOPPED, TaskStatus.FAILED}",
        "{TaskStatus.PAUSED, TaskStatus.FINISHED, TaskStatus.STOPPED, TaskStatus.FAILED}",
        (
            "polling/test_faults.py::test_paused_is_alive",
            "polling/test_streams.py::test_flapping_statuses_are_changes",
        ),
    ),
    # Time.
    Mutant(
        "a wait ends a second late",
        "lifecycle/waits.py",
        "deadline_of",
        "asyncio.get_running_loop().time() + seconds",
        "asyncio.get_running_loop().time() + seconds + 1.0",
        (
            "lifecycle/test_end_actions.py::test_on_timeout",
            "polling/test_faults.py::test_an_unknown_status_for_ever_ends_at_the_deadline",
            "polling/test_faults.py::test_paused_for_ever_ends_at_the_deadline",
            "polling/test_polling.py::test_the_deadline_is_checked_first_after_a_block",
        ),
    ),
    Mutant(
        "polls have no jitter",
        "polling/policy.py",
        "_random_part",
        "rng.random()",
        "0.5",
        ("polling/test_policy.py::test_jitter_is_spread_evenly",),
    ),
    Mutant(
        "a wait fetches whole tasks",
        "lifecycle/waits.py",
        "wait",
        "Subscriber(_resolve, settled, deadline_of(poller, timeout))",
        "Subscriber(_resolve, settled, deadline_of(poller, timeout), Interest.STEPS)",
        ("polling/test_polling.py::test_a_finished_task_costs_two_requests",),
    ),
    Mutant(
        "an ended task is watched until the deadline of its wait",
        "polling/schedule.py",
        "Schedule.discard",
        "del self.watched[watched.task_id]",
        "pass",
        ("polling/test_weight.py::test_ended_waits_are_released",),
    ),
    # Streams.
    Mutant(
        "a stream leaves its subscription behind",
        "lifecycle/handle.py",
        "TaskHandle._subscribed",
        "self._poller.unsubscribe(watched, subscriber)",
        "pass",
        (
            "polling/test_streams.py::test_a_consumer_that_breaks_leaves_nothing",
            "polling/test_streams.py::test_closing_a_stream_stops_its_polls",
        ),
    ),
    Mutant(
        "steps are yielded in the order of the response",
        "lifecycle/handle.py",
        "TaskHandle.stream_steps",
        "sorted(new.keys() - given)",
        "[each for each in new if each not in given]",
        ("polling/test_streams.py::test_odd_step_lists_repeat_nothing",),
    ),
    # Many at once.
    Mutant(
        "every wait polls for itself",
        "polling/schedule.py",
        "Schedule._update_pace",
        "self.policy.shared and len(self.shared) >= MIN_SHARED",
        "False",
        (
            "polling/test_sharing.py::test_looks_per_task_are_few",
            "polling/test_trouble.py::test_waits_that_start_together_are_few_requests",
        ),
    ),
    Mutant(
        "an unconfirmed status ends a wait",
        "polling/watched_task.py",
        "WatchedTask.record_task",
        "task.has_ended",
        "task.status",
        (
            "polling/test_events.py::test_a_wrong_event_ends_no_wait",
            "polling/test_faults.py::test_a_terminal_status_counts_once_the_task_agrees",
        ),
    ),
    Mutant(
        "a page of the list is as it was if it is as long",
        "api/serialization.py",
        "read_status_page",
        "known.digest == digest",
        "digest",
        (
            "polling/test_sharing.py::test_a_wait_that_joins_finds_its_task_on_a_page_that_stays_the_same",
        ),
    ),
    # Trouble.
    Mutant(
        "a failed list page is replaced by status calls at once",
        "polling/list_reader.py",
        "",
        "PAGE_ATTEMPTS = 3",
        "PAGE_ATTEMPTS = 1",
        ("polling/test_trouble.py::test_a_share_of_calls_fails",),
    ),
    Mutant(
        "a slow list page delays its tasks",
        "polling/schedule.py",
        "Schedule._update_pace",
        "max(self.interval if self.is_sharing else 0.0, 4 * self.reply_time, 0.5)",
        "60.0",
        ("polling/test_trouble.py::test_a_slow_reply_delays_no_other",),
    ),
    Mutant(
        "tasks are searched for in an outage",
        "polling/list_reader.py",
        "ListReader.next_search",
        "first is None or self._schedule.is_down",
        "first is None",
        ("polling/test_outages.py::test_an_outage_ends_although_the_list_goes_on_failing",),
    ),
    Mutant(
        "a list that alone is limited is waited for",
        "polling/list_reader.py",
        "ListReader._postpone",
        "is_limited and self._schedule.answered_at > self._failed_since",
        "False",
        ("polling/test_rate_limits.py::test_a_list_that_alone_is_limited_delays_no_wait",),
    ),
    Mutant(
        "a limited search makes its tasks lost",
        "polling/list_reader.py",
        "ListReader._search",
        "missed and isinstance(error, errors.RateLimitError)",
        "False",
        ("polling/test_rate_limits.py::test_a_service_that_limits_all_calls_gets_few",),
    ),
    Mutant(
        "a cancelled poll is not rescheduled",
        "polling/poller.py",
        "TaskPoller._finished",
        "again, moment = unanswered(tasks, started), max(moment, started + AFTER_CANCEL)",
        "return",
        ("polling/test_trouble.py::test_a_middleware_that_raises_now_and_then_ends_no_wait",),
    ),
    Mutant(
        "an unexpected exception ends a wait at once",
        "polling/watched_task.py",
        "",
        "MAX_BROKEN = 5",
        "MAX_BROKEN = 1",
        ("polling/test_trouble.py::test_a_middleware_that_raises_now_and_then_ends_no_wait",),
    ),
    Mutant(
        "useless list pages are read without end",
        "polling/policy.py",
        "Break.record_useless",
        "self._useless >= MAX_USELESS",
        "self._useless < 0",
        ("polling/test_sharing.py::test_a_list_that_does_not_work_is_left_alone",),
    ),
    Mutant(
        "statuses of the list are never audited",
        "polling/watched_task.py",
        "",
        "FIRST_AUDIT = 300.0",
        "FIRST_AUDIT = 1000000000.0",
        ("polling/test_trouble.py::test_a_list_that_never_shows_an_end_is_found_out",),
    ),
    Mutant(
        "tasks at unknown places are polled one by one",
        "polling/list_reader.py",
        "ListReader.request_for",
        "len(unknown) >= MIN_SHARED",
        "False",
        ("polling/test_trouble.py::test_waits_that_start_together_are_few_requests",),
    ),
    Mutant(
        "a whole line of a stream of changes has any length",
        "polling/long_poll.py",
        "_read_lines",
        "len(rest) > wire.MAX_LINE or any(len(line) > wire.MAX_LINE for line in lines)",
        "len(rest) > wire.MAX_LINE",
        (
            (
                "polling/test_long_poll_liars.py"
                "::test_a_whole_line_is_no_longer_than_half_a_line_may_be"
            ),
        ),
    ),
    Mutant(
        "a cursor is sent back whatever it is",
        "api/long_poll.py",
        "read_change",
        "isinstance(value, dict) and isinstance(cursor, str) and _CURSOR.fullmatch(cursor)",
        "isinstance(value, dict) and isinstance(cursor, str)",
        ("polling/test_long_poll_liars.py::test_a_cursor_that_no_header_can_carry_is_not_sent",),
    ),
    # Webhooks.
    Mutant(
        "no webhook reaches the poller",
        "session.py",
        "BrowserUseSession.attach",
        "receiver.subscribe(take)",
        "del receiver, take",
        (
            "polling/test_events.py::test_an_event_settles_a_lost_submission",
            "polling/test_events.py::test_an_event_wakes_a_wait_at_once",
        ),
    ),
    Mutant(
        "the poll interval has no cap",
        "polling/policy.py",
        "PollPolicy._max_pause",
        "MAX_PAUSE if self.latency_target is None else float(self.latency_target)",
        "1e6",
        ("polling/test_events.py::test_lost_events_cost_a_poll",),
    ),
)
