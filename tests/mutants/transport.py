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
        ("B1",),
    ),
    Mutant(
        "aiohttp's automatic retry is on for the user's own session",
        _POOL,
        "(no_hidden_retry, *options.middlewares, *own)",
        "(*options.middlewares, *own)",
        ("B2",),
    ),
    Mutant(
        "the middlewares of the user's own session are dropped",
        _POOL,
        "(no_hidden_retry, *options.middlewares, *own)",
        "(no_hidden_retry, *options.middlewares)",
        ("B2",),
    ),
    # What a server asks for.
    Mutant(
        "Retry-After is parsed by float()",
        _RETRY,
        "    if re.fullmatch(_SECONDS, text, re.ASCII):\n        return float(text)\n",
        "    try:\n        return float(text)\n    except ValueError:\n        pass\n",
        ("B7",),
    ),
    Mutant(
        "a Retry-After date is compared with the local clock",
        _RETRY,
        'now = _http_date(headers.get("Date", "")) or datetime.now(UTC)',
        "now = datetime.now(UTC)",
        ("B8",),
    ),
    Mutant(
        "a Retry-After beyond the cap is shortened",
        _RETRY,
        "        if asked > self.retry_after_cap:\n            return None\n",
        "        if asked > self.retry_after_cap:\n            return jitter\n",
        ("B9",),
    ),
    # Pauses.
    Mutant(
        "backoff has no jitter",
        _RETRY,
        "jitter = rng.uniform(0.0, self.ceiling(failures))",
        "jitter = self.ceiling(failures)",
        ("B14",),
    ),
    Mutant(
        "the backoff of waits has no bound",
        "polling/policy.py",
        "MAX_BACKOFF = 10.0\n",
        "MAX_BACKOFF = 600.0\n",
        ("B13",),
    ),
    Mutant(
        "a retry may start after the deadline",
        _RETRY,
        "        if asyncio.get_running_loop().time() + state.upcoming_sleep > self.ends_at:\n",
        "        if False:\n",
        ("B15",),
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
        ("B20",),
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
        ("B19",),
    ),
    # Time limits.
    Mutant(
        "attempts are limited by aiohttp's total timeout",
        _CONNECTIONS,
        "            timeout=TIMEOUT,\n",
        "            timeout=aiohttp.ClientTimeout(total=self._configuration.timeout),\n",
        ("B16",),
    ),
    Mutant(
        "an attempt has no timeout",
        _CONNECTIONS,
        "asyncio.timeout(self._seconds_for(prepared)) as timeout",
        "asyncio.timeout(None) as timeout",
        ("B18",),
    ),
    Mutant(
        "the state of a task is not checked after a lost stop",
        "transport/retry.py",
        "    if endpoint is STOP_TASK:\n        return _is_doubtful",
        "    if endpoint is STOP_TASK:\n        return False and _is_doubtful",
        ("B3",),
    ),
    Mutant(
        "a pause is sent again after a lost response",
        "transport/retry.py",
        "case _ if effect not in {Effect.READS, Effect.IDEMPOTENT}:",
        "case _ if effect not in {Effect.READS, Effect.IDEMPOTENT, Effect.SWITCHES}:",
        ("B4",),
    ),
    Mutant(
        "a repeated delete that finds nothing is an error",
        "transport/retry.py",
        'return endpoint.method == "DELETE" and outcome.doubted and outcome.status == 404',
        "return False",
        ("B5",),
    ),
    Mutant(
        "a first delete that finds nothing is no error",
        "transport/retry.py",
        'return endpoint.method == "DELETE" and outcome.doubted and outcome.status == 404',
        'return endpoint.method == "DELETE" and outcome.status == 404',
        ("B5",),
    ),
    Mutant(
        "idempotent calls are not retried",
        "transport/retry.py",
        "case _ if effect not in {Effect.READS, Effect.IDEMPOTENT}:",
        "case _ if effect is not Effect.READS:",
        ("B6",),
    ),
    Mutant(
        "an open circuit breaker admits every call once the time is up",
        "transport/rate_limiter.py",
        "        if self._probe_in_flight:\n            return math.inf\n",
        "",
        ("B10",),
    ),
    Mutant(
        "calls are not spread when the circuit breaker closes again",
        "transport/rate_limiter.py",
        "        self._set_ramp(queued, now)\n",
        "        self._set_ramp(0, now)\n",
        ("B10",),
    ),
    Mutant(
        "x-should-retry is ignored",
        "transport/retry.py",
        "        return None\n    said = outcome",
        "        return None\n    return None\n    said = outcome",
        ("B17",),
    ),
    Mutant(
        "the retry budget never runs dry",
        "transport/retry.py",
        "        if self._tokens < RETRY_COST:\n            return False\n",
        "",
        ("B11",),
    ),
    Mutant(
        "the retry budget is never refilled",
        "transport/retry.py",
        "self._tokens = min(self._tokens + gain, self._capacity)",
        "self._tokens = min(self._tokens + 0 * gain, self._capacity)",
        ("B12",),
    ),
)
