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
        ("A1",),
    ),
    Mutant(
        "sent headers are not recorded",
        "transport/connection_pool.py",
        "        sent.on_request_headers_sent.append(_record_sent)\n",
        "",
        ("A10", "A27"),
    ),
    Mutant(
        "a timeout before sending counts as sent",
        "transport/response.py",
        "        case TimeoutError() if not sent:\n",
        "        case TimeoutError() if False:\n",
        ("A4",),
    ),
    Mutant(
        "a bad certificate is retried",
        "transport/response.py",
        'is not trusted", transient=False)',
        'is not trusted")',
        ("A5",),
    ),
    Mutant(
        "aiohttp's own status 400 for a malformed response counts as the server's",
        "transport/response.py",
        "        case aiohttp.ClientConnectorDNSError():\n",
        "        case aiohttp.ClientResponseError() if error.status == 400:\n"
        '            return Outcome(OutcomeKind.REJECTED, problem="status 400")\n'
        "        case aiohttp.ClientConnectorDNSError():\n",
        ("A18",),
    ),
    Mutant(
        "a response without an id counts as a refusal",
        "transport/response.py",
        "    return Outcome(OutcomeKind.AMBIGUOUS, reply=reply, problem=problem, path=path)\n",
        "    return Outcome(OutcomeKind.REJECTED, reply=reply, problem=problem, path=path)\n",
        ("A17",),
    ),
    Mutant(
        "a server error counts as a refusal",
        "transport/response.py",
        "    return OutcomeKind.AMBIGUOUS\n",
        "    return OutcomeKind.REJECTED\n",
        ("A13",),
    ),
    Mutant(
        "a refusal counts as ambiguous",
        "transport/response.py",
        "    if 300 <= status < 400 or status in _REJECTED:\n",
        "    if 300 <= status < 400 or status == 429:\n",
        ("A15",),
    ),
    # What may be sent again.
    Mutant(
        "paid calls are retried like reads",
        "transport/retry.py",
        "        case _ if effect not in {Effect.READS, Effect.IDEMPOTENT}:\n",
        "        case _ if effect not in {Effect.READS, Effect.IDEMPOTENT, Effect.CREATES}:\n",
        ("A1", "A7", "A10", "A13", "A17", "A18", "A27"),
    ),
    Mutant(
        "a call that was not sent is not retried",
        "transport/retry.py",
        "            return outcome.transient\n",
        "            return False\n",
        ("A2", "A3", "A5"),
    ),
    Mutant(
        "status 429 is not retried",
        "transport/retry.py",
        "        case _ if outcome.status == 429:\n            return True\n",
        "        case _ if outcome.status == 429:\n            return False\n",
        ("A14",),
    ),
    # How it travels.
    Mutant(
        "paid calls use pooled connections",
        "transport/connection_pool.py",
        "force_close=True",
        "",
        ("A19", "A20"),
    ),
    Mutant(
        "the connector has a queue of its own, which uses up timeouts",
        "transport/connection_pool.py",
        "make_connector(limit=0,",
        "make_connector(limit=25,",
        ("A6",),
    ),
    Mutant(
        "redirects are followed",
        "transport/connections.py",
        "            allow_redirects=False,\n",
        "            allow_redirects=True,\n",
        ("A16",),
    ),
    # How a task is found again.
    Mutant(
        "no submission token is sent with a task",
        "lifecycle/create.py",
        "metadata={**metadata, TOKEN_KEY: token.mark}",
        "metadata=metadata",
        ("A7", "A8", "A10", "A23"),
    ),
    Mutant(
        "the reserved metadata name is allowed",
        "lifecycle/create.py",
        "for each in RESERVED_KEYS if each in metadata",
        "for each in RESERVED_KEYS if each == metadata",
        ("A22",),
    ),
    Mutant(
        "reconciling does not wait for the settle window",
        "lifecycle/reconcile.py",
        "            is_last = began >= ends_at() - TICK\n",
        "            is_last = True\n",
        ("A9",),
    ),
    Mutant(
        "tasks with other texts are fetched for their tokens",
        "lifecycle/reconcile.py",
        "            and self.token.digest == digest_of(row.task)\n",
        "",
        ("A8",),
    ),
    Mutant(
        "any new task ends reconciling",
        "lifecycle/reconcile.py",
        "            if search.token.mark == mark and not search.found.done():\n",
        "            if not search.found.done():\n",
        ("A23", "A25"),
    ),
    Mutant(
        "a webhook event is not remembered for later searches",
        "lifecycle/reconcile.py",
        "        if known:\n",
        "        if False:\n",
        ("A25",),
    ),
    Mutant(
        "a response that names the task of another submission is accepted",
        "lifecycle/reconcile.py",
        "        if known is not None and (mark is None or known != mark):\n",
        "        if False:\n",
        ("C17",),
    ),
    # Whose clock is believed.
    Mutant(
        "a token for another process holds the local time",
        "lifecycle/submission_age.py",
        "        sent_at = service_time - timedelta(seconds=age)\n",
        "        sent_at = self._now()\n",
        ("B20",),
    ),
    Mutant(
        "any machine's time counts as the server's",
        "lifecycle/submission_age.py",
        "        if service_time is None or not token.by_service:\n",
        "        if service_time is None:\n",
        ("B20",),
    ),
    Mutant(
        "the age of a submission is measured by the wall clock",
        "lifecycle/submission_age.py",
        "            return asyncio.get_running_loop().time() - sending.loop_time\n",
        "            return (self._now() - sending.wall_time).total_seconds()\n",
        ("B20",),
    ),
    Mutant(
        "one unconfirmed server time ends the wait for a late task",
        "lifecycle/submission_age.py",
        "        return service_time if is_confirmed else None\n",
        "        return service_time\n",
        ("B20",),
    ),
    Mutant(
        "an implausible Date header is accepted",
        "transport/retry.py",
        "return now if abs((now - previous).total_seconds()) <= CLOCK_TOLERANCE else None",
        "return now",
        ("B20",),
    ),
    Mutant(
        "one row with an old date ends a scan",
        "lifecycle/reconcile.py",
        "OLD_ROWS = 10 ",
        "OLD_ROWS = 1 ",
        ("C13",),
    ),
    Mutant(
        "one row with a new date hides older rows",
        "lifecycle/reconcile.py",
        "        return dates[len(dates) // 2] if date is None else min(dates[-1], date)\n",
        "        return dates[-1]\n",
        ("C13",),
    ),
    Mutant(
        "a cancellation interrupts a request half-way",
        "lifecycle/run.py",
        "        if submission.state is SubmissionState.UNSENT or lost:\n",
        "        if True:\n",
        ("A21",),
    ),
)
