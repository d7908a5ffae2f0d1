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
        "middlewares = no_hidden_retry, *options.middlewares\n",
        "middlewares = (*options.middlewares,)\n",
        ("transport/test_attempts.py::test_a_dying_connection_sees_one_request",),
    ),
    Mutant(
        "aiohttp's automatic retry is on for the user's own session",
        _POOL,
        "(no_hidden_retry, *options.middlewares, *own)",
        "(*options.middlewares, *own)",
        ("transport/test_attempts.py::test_the_users_session_sees_one_request_too",),
    ),
    Mutant(
        "the middlewares of the user's own session are dropped",
        _POOL,
        "(no_hidden_retry, *options.middlewares, *own)",
        "(no_hidden_retry, *options.middlewares)",
        ("transport/test_attempts.py::test_the_users_session_sees_one_request_too",),
    ),
    # What a server asks for.
    Mutant(
        "Retry-After is parsed by float()",
        _RETRY,
        "    if re.fullmatch(_SECONDS, text, re.ASCII):\n        return float(text)\n",
        "    try:\n        return float(text)\n    except ValueError:\n        pass\n",
        ("transport/test_retry_after.py::test_only_plain_seconds_and_dates_count",),
    ),
    Mutant(
        "a Retry-After date is compared with the local clock",
        _RETRY,
        'now = _http_date(headers.get("Date", "")) or datetime.now(UTC)',
        "now = datetime.now(UTC)",
        ("transport/test_retry_after.py::test_the_clock_of_this_machine_does_not_matter",),
    ),
    Mutant(
        "a Retry-After beyond the cap is shortened",
        _RETRY,
        "        if asked > self.retry_after_cap:\n            return None\n",
        "        if asked > self.retry_after_cap:\n            return jitter\n",
        ("transport/test_retry.py::test_a_pause_by_date_is_capped_as_well",),
    ),
    # Pauses.
    Mutant(
        "backoff has no jitter",
        _RETRY,
        "jitter = rng.uniform(0.0, self.ceiling(failures))",
        "jitter = self.ceiling(failures)",
        ("transport/test_retry.py::test_pauses_are_spread_over_the_whole_ceiling",),
    ),
    Mutant(
        "the backoff of waits has no bound",
        "polling/policy.py",
        "MAX_BACKOFF = 10.0\n",
        "MAX_BACKOFF = 600.0\n",
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
        "        if asyncio.get_running_loop().time() + state.upcoming_sleep > self.ends_at:\n",
        "        if False:\n",
        ("polling/test_recovery.py::test_a_pause_that_would_end_after_the_deadline_is_not_begun",),
    ),
    Mutant(
        "backoff is measured by the wall clock",
        _CONNECTIONS,
        "            async with asyncio.timeout(seconds):\n",
        "            wall = __import__('time').time\n"
        "            ends = wall() + seconds\n"
        "            while wall() < ends:\n"
        "                await asyncio.sleep(0.5)\n"
        "            async with asyncio.timeout(0):\n",
        ("transport/test_retry.py::test_a_jump_of_the_wall_clock_changes_nothing",),
    ),
    Mutant(
        "all calls share one tenacity object across an await",
        _RETRY,
        "        last: Outcome = await retrying(once)\n"
        '        return last, int(retrying.statistics["attempt_number"])\n'
        "\n"
        "    def _may_try_again(self, outcome: Outcome) -> bool:\n"
        "        return not outcome.repeated and may_try_again(self._effect, outcome)\n"
        "\n"
        '    def _pause(self, state: "tenacity.RetryCallState") -> float:\n',
        "        shared = globals().setdefault('_SHARED', retrying)\n"
        "        last: Outcome = await shared(once)\n"
        "        return last, 2\n"
        "\n"
        "    def _may_try_again(self, outcome: Outcome) -> bool:\n"
        "        return not outcome.repeated and may_try_again(self._effect, outcome)\n"
        "\n"
        '    async def _pause(self, state: "tenacity.RetryCallState") -> float:\n'
        "        await asyncio.sleep(0)\n",
        ("transport/test_retry.py::test_calls_that_are_repeated_at_once_stay_apart",),
    ),
    # Time limits.
    Mutant(
        "attempts are limited by aiohttp's total timeout",
        _CONNECTIONS,
        "            timeout=TIMEOUT,\n",
        "            timeout=aiohttp.ClientTimeout(total=self._configuration.timeout),\n",
        ("transport/test_timeouts.py::test_no_loop_of_calls_overruns_its_deadline",),
    ),
    Mutant(
        "an attempt has no timeout",
        _CONNECTIONS,
        "asyncio.timeout(self._seconds_for(prepared)) as timeout",
        "asyncio.timeout(None) as timeout",
        ("transport/test_response.py::test_an_answer_that_never_ends_is_stopped",),
    ),
    Mutant(
        "the state of a task is not checked after a lost stop",
        "transport/retry.py",
        "    if endpoint is STOP_TASK:\n        return _is_doubtful",
        "    if endpoint is STOP_TASK:\n        return False and _is_doubtful",
        ("transport/test_idempotency.py::test_a_repeated_stop_succeeds",),
    ),
    Mutant(
        "a pause is sent again after a lost response",
        "transport/retry.py",
        "case _ if effect not in {Effect.READS, Effect.IDEMPOTENT}:",
        "case _ if effect not in {Effect.READS, Effect.IDEMPOTENT, Effect.SWITCHES}:",
        ("transport/test_idempotency.py::test_a_pause_is_not_repeated_over_somebodys_resume",),
    ),
    Mutant(
        "a repeated delete that finds nothing is an error",
        "transport/retry.py",
        'return endpoint.method == "DELETE" and outcome.doubted and outcome.status == 404',
        "return False",
        ("transport/test_idempotency.py::test_a_delete_whose_answer_is_lost_succeeds",),
    ),
    Mutant(
        "a first delete that finds nothing is no error",
        "transport/retry.py",
        'return endpoint.method == "DELETE" and outcome.doubted and outcome.status == 404',
        'return endpoint.method == "DELETE" and outcome.status == 404',
        ("transport/test_idempotency.py::test_a_delete_of_nothing_is_refused",),
    ),
    Mutant(
        "idempotent calls are not retried",
        "transport/retry.py",
        "case _ if effect not in {Effect.READS, Effect.IDEMPOTENT}:",
        "case _ if effect is not Effect.READS:",
        ("transport/test_idempotency.py::test_an_update_whose_answer_is_lost_is_sent_again",),
    ),
    Mutant(
        "an open circuit breaker admits every call once the time is up",
        "transport/rate_limiter.py",
        "        if self._probe_in_flight:\n            return math.inf\n",
        "",
        ("polling/test_rate_limits.py::test_a_limited_service_is_probed_by_one",),
    ),
    Mutant(
        "calls are not spread when the circuit breaker closes again",
        "transport/rate_limiter.py",
        "        self._set_ramp(queued, now)\n",
        "        self._set_ramp(0, now)\n",
        ("transport/test_overload.py::test_many_callers_send_one_probe_per_pause",),
    ),
    Mutant(
        "x-should-retry is ignored",
        "transport/retry.py",
        "        return None\n    said = outcome",
        "        return None\n    return None\n    said = outcome",
        ("transport/test_rate_limiter.py::test_what_the_server_says_about_repeating",),
    ),
    Mutant(
        "the retry budget never runs dry",
        "transport/retry.py",
        "        if self._tokens < RETRY_COST:\n            return False\n",
        "",
        ("transport/test_overload.py::test_ten_minutes_of_503_are_asked_once_per_call",),
    ),
    Mutant(
        "the retry budget is never refilled",
        "transport/retry.py",
        "self._tokens = min(self._tokens + gain, self._capacity)",
        "self._tokens = min(self._tokens + 0 * gain, self._capacity)",
        ("transport/test_overload.py::test_ten_percent_of_errors_are_made_good",),
    ),
)
