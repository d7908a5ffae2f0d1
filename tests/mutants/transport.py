"""Mutants of calls and their repetition."""

from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_CONNECTIONS = "transport/connections.py"
_POOL = "transport/connection_pool.py"
_RETRY = "transport/retry.py"

MUTANTS: tuple[Mutant, ...] = (
    # One attempt is one request.
    Mutant(
        "aiohttp's automatic retry is on",
        _POOL,
        "ConnectionPool._of",
        "no_hidden_retry, *options.middlewares",
        "(*options.middlewares,)",
        ("transport/test_attempts.py::test_a_dying_connection_sees_one_request",),
    ),
    Mutant(
        "aiohttp's automatic retry is on for the user's own session",
        _POOL,
        "ConnectionPool.borrowed",
        "(no_hidden_retry, *options.middlewares, *own)",
        "(*options.middlewares, *own)",
        ("transport/test_attempts.py::test_the_users_session_sees_one_request_too",),
    ),
    Mutant(
        "the middlewares of the user's own session are dropped",
        _POOL,
        "ConnectionPool.borrowed",
        "(no_hidden_retry, *options.middlewares, *own)",
        "(no_hidden_retry, *options.middlewares)",
        ("transport/test_attempts.py::test_the_users_session_sees_one_request_too",),
    ),
    # The pauses that a server asks for.
    Mutant(
        "Retry-After is parsed by float()",
        _RETRY,
        "retry_after_seconds",
        """
            if re.fullmatch(_SECONDS, text, re.ASCII):
                return float(text)
        """,
        """
            try:
                return float(text)
            except ValueError:
                pass
        """,
        ("transport/test_retry_after.py::test_only_plain_seconds_and_dates_count",),
    ),
    Mutant(
        "a Retry-After date is compared with the local clock",
        _RETRY,
        "retry_after_seconds",
        '_http_date(headers.get("Date", "")) or datetime.now(UTC)',
        "datetime.now(UTC)",
        ("transport/test_retry_after.py::test_the_clock_of_this_machine_does_not_matter",),
    ),
    Mutant(
        "a Retry-After beyond the cap is shortened",
        _RETRY,
        "RetryPolicy.pause",
        "return None",
        "return jitter",
        ("transport/test_retry.py::test_a_pause_by_date_is_capped_as_well",),
    ),
    # Pauses.
    Mutant(
        "backoff has no jitter",
        _RETRY,
        "RetryPolicy.pause",
        "rng.uniform(0.0, self.ceiling(failures))",
        "self.ceiling(failures)",
        ("transport/test_retry.py::test_pauses_are_spread_over_the_whole_ceiling",),
    ),
    Mutant(
        "the backoff of waits has no bound",
        "polling/policy.py",
        "",
        "MAX_BACKOFF = 10.0",
        "MAX_BACKOFF = 600.0",
        (
            (
                "polling/test_recovery.py"
                "::test_the_first_answer_of_a_recovered_service_is_not_missed_for_long"
            ),
        ),
    ),
    Mutant(
        "a retry may start after the deadline",
        _RETRY,
        "Retrying._stops",
        "asyncio.get_running_loop().time() + state.upcoming_sleep > self.ends_at",
        "False",
        ("polling/test_recovery.py::test_a_pause_that_would_end_after_the_deadline_is_not_begun",),
    ),
    Mutant(
        "backoff is measured by the wall clock",
        _CONNECTIONS,
        "Connections.sleep",
        """
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        """,
        """
            wall = __import__('time').time
            ends = wall() + seconds
            while wall() < ends:
                await asyncio.sleep(0.5)
            async with asyncio.timeout(0):
                await self._closing.wait()
        """,
        ("transport/test_retry.py::test_a_jump_of_the_wall_clock_changes_nothing",),
    ),
    Mutant(
        "all calls share one tenacity object across an await",
        _RETRY,
        "Retrying.go_on",
        """
            outcome: Outcome = await retrying(once)
            return outcome, int(retrying.statistics["attempt_number"])
        """,
        """
            async def pause(state):
                await asyncio.sleep(0)
                return self._pause(state)

            shared = globals().setdefault("_SHARED", retrying.copy(wait=pause))
            return await shared(once), 2
        """,
        ("transport/test_retry.py::test_calls_that_are_repeated_at_once_stay_apart",),
    ),
    # Time limits.
    Mutant(
        "attempts are limited by aiohttp's total timeout",
        _CONNECTIONS,
        "Connections._request",
        "TIMEOUT",
        "aiohttp.ClientTimeout(total=self._configuration.timeout)",
        ("transport/test_timeouts.py::test_no_loop_of_calls_overruns_its_deadline",),
    ),
    Mutant(
        "an attempt has no timeout",
        _CONNECTIONS,
        "Connections.send",
        "self._seconds_for(prepared)",
        "None",
        ("transport/test_response.py::test_an_answer_that_never_ends_is_stopped",),
    ),
    Mutant(
        "the state of a task is not checked after a lost stop",
        "transport/retry.py",
        "may_be_reached",
        "_is_doubtful(outcome) or outcome.status in _ALREADY",
        "False and _is_doubtful(outcome) or outcome.status in _ALREADY",
        ("transport/test_idempotency.py::test_a_repeated_stop_succeeds",),
    ),
    Mutant(
        "a pause is sent again after a lost response",
        "transport/retry.py",
        "may_try_again",
        "{table.Effect.READS, table.Effect.IDEMPOTENT}",
        "{table.Effect.READS, table.Effect.IDEMPOTENT, table.Effect.SWITCHES}",
        ("transport/test_idempotency.py::test_a_pause_is_not_repeated_over_a_resume",),
    ),
    Mutant(
        "a repeated delete that finds nothing is an error",
        "transport/retry.py",
        "is_deleted",
        'endpoint.method == "DELETE" and outcome.doubted and outcome.status == 404',
        "False",
        ("transport/test_idempotency.py::test_a_delete_whose_answer_is_lost_succeeds",),
    ),
    Mutant(
        "a first delete that finds nothing is no error",
        "transport/retry.py",
        "is_deleted",
        'endpoint.method == "DELETE" and outcome.doubted and outcome.status == 404',
        'endpoint.method == "DELETE" and outcome.status == 404',
        ("transport/test_idempotency.py::test_a_delete_of_nothing_is_refused",),
    ),
    Mutant(
        "idempotent calls are not retried",
        "transport/retry.py",
        "may_try_again",
        "effect not in {table.Effect.READS, table.Effect.IDEMPOTENT}",
        "effect is not table.Effect.READS",
        ("transport/test_idempotency.py::test_an_update_whose_answer_is_lost_is_sent_again",),
    ),
    Mutant(
        "every call begins once the time of a pause is up",
        "transport/limiter.py",
        "Pause.admits_at",
        "math.inf if self._is_probing else max(self.until, self._next_at)",
        "max(self.until, self._next_at)",
        ("polling/test_rate_limits.py::test_a_limited_service_is_probed_by_one",),
    ),
    Mutant(
        "all calls begin at once when a pause has ended",
        "transport/limiter.py",
        "Pause.end",
        "self._follow(FIRST_GAP, now)",
        "self._follow(0.0, now)",
        ("transport/test_overload.py::test_calls_that_a_pause_held_back_begin_one_by_one",),
    ),
    Mutant(
        "x-should-retry is ignored",
        "transport/retry.py",
        "_retry_hint",
        'said = outcome.reply.headers.get("X-Should-Retry", "").strip().lower()',
        """
            return None
            said = outcome.reply.headers.get("X-Should-Retry", "").strip().lower()
        """,
        ("transport/test_rate_limiter.py::test_what_the_server_says_about_repeating",),
    ),
    Mutant(
        "the retry budget never runs dry",
        "transport/retry.py",
        "RetryBudget.spend",
        """
            if self._tokens < RETRY_COST:
                return False
        """,
        "",
        ("transport/test_overload.py::test_ten_minutes_of_503_are_asked_once_per_call",),
    ),
    Mutant(
        "the retry budget is never refilled",
        "transport/retry.py",
        "RetryBudget.record_success",
        "self._tokens + gain",
        "self._tokens + 0 * gain",
        ("transport/test_overload.py::test_ten_percent_of_errors_are_made_good",),
    ),
)
