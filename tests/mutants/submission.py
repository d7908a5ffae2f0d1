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
        "nothing notes that the headers were sent",
        "transport/connection_pool.py",
        "    trace.on_request_headers_sent.append(_set_sent_flag)\n",
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
        "a bad certificate is tried again",
        "transport/response.py",
        'is not trusted", transient=False)',
        'is not trusted")',
        ("A5",),
    ),
    Mutant(
        "the status 400 that aiohttp gives to garbage is believed",
        "transport/response.py",
        "        case aiohttp.ClientConnectorDNSError():\n",
        "        case aiohttp.ClientResponseError() if error.status == 400:\n"
        '            return Outcome(OutcomeKind.REJECTED, problem="status 400")\n'
        "        case aiohttp.ClientConnectorDNSError():\n",
        ("A18",),
    ),
    Mutant(
        "an answer without an id counts as a refusal",
        "transport/response.py",
        "    return Outcome(OutcomeKind.AMBIGUOUS, reply=reply, problem=problem, path=path)\n",
        "    return Outcome(OutcomeKind.REJECTED, reply=reply, problem=problem, path=path)\n",
        ("A17",),
    ),
    Mutant(
        "an error of the server counts as a refusal",
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
        "calls that cost money are sent again like reads",
        "transport/idempotency.py",
        "        case _ if effect not in {Effect.READS, Effect.IDEMPOTENT}:\n",
        "        case _ if effect not in {Effect.READS, Effect.IDEMPOTENT, Effect.CREATES}:\n",
        ("A1", "A7", "A10", "A13", "A17", "A18", "A27"),
    ),
    Mutant(
        "what was not sent is not tried again",
        "transport/idempotency.py",
        "            return outcome.transient\n",
        "            return False\n",
        ("A2", "A3", "A5"),
    ),
    Mutant(
        "too many requests are not waited out",
        "transport/idempotency.py",
        "        case _ if outcome.status == 429:\n            return True\n",
        "        case _ if outcome.status == 429:\n            return False\n",
        ("A14",),
    ),
    # How it travels.
    Mutant(
        "calls that cost money use pooled connections",
        "transport/connection_pool.py",
        "            force_close=True,\n",
        "",
        ("A19", "A20"),
    ),
    Mutant(
        "a second queue, in the connector, eats timeouts",
        "transport/connection_pool.py",
        "            # time of the attempt.\n            limit=0,\n",
        "            limit=25,\n",
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
        "no token travels with the task",
        "lifecycle/create.py",
        "metadata={**metadata, TOKEN_KEY: token.mark}",
        "metadata=metadata",
        ("A7", "A8", "A10", "A23"),
    ),
    Mutant(
        "the reserved name may be used",
        "lifecycle/create.py",
        "for each in RESERVED_KEYS if each in metadata",
        "for each in RESERVED_KEYS if each == metadata",
        ("A22",),
    ),
    Mutant(
        "the settle window is not waited for",
        "lifecycle/reconcile.py",
        "            is_last = began >= ends_at() - TICK\n",
        "            is_last = True\n",
        ("A9",),
    ),
    Mutant(
        "tasks of other texts are asked for their marks",
        "lifecycle/reconcile.py",
        "            and self.token.digest == digest_of(row.task)\n",
        "",
        ("A8",),
    ),
    Mutant(
        "any new task ends a search",
        "lifecycle/reconcile.py",
        "            if search.token.mark == mark and not search.found.done():\n",
        "            if not search.found.done():\n",
        ("A23", "A25"),
    ),
    Mutant(
        "what an event told is forgotten",
        "lifecycle/reconcile.py",
        "        if known:\n",
        "        if False:\n",
        ("A25",),
    ),
    Mutant(
        "an answer that names the task of another submission is believed",
        "lifecycle/reconcile.py",
        "        if known is not None and (mark is None or known != mark):\n",
        "        if False:\n",
        ("C17",),
    ),
    # Whose clock is believed.
    Mutant(
        "a token for another process holds this machine's time",
        "lifecycle/submission_age.py",
        "        sent_at = service_time - timedelta(seconds=age)\n",
        "        sent_at = self._now()\n",
        ("B20",),
    ),
    Mutant(
        "the time of any machine is taken for the service's",
        "lifecycle/submission_age.py",
        "        if service_time is None or not token.by_service:\n",
        "        if service_time is None:\n",
        ("B20",),
    ),
    Mutant(
        "what was sent here is timed by the wall clock",
        "lifecycle/submission_age.py",
        "            return asyncio.get_running_loop().time() - sending.loop_time\n",
        "            return (self._now() - sending.wall_time).total_seconds()\n",
        ("B20",),
    ),
    Mutant(
        "one host's time is enough to end a wait for a late task",
        "lifecycle/submission_age.py",
        "        return service_time if is_confirmed else None\n",
        "        return service_time\n",
        ("B20",),
    ),
    Mutant(
        "an untrue Date is believed",
        "transport/retry.py",
        "return now if abs((now - previous).total_seconds()) <= CLOCK_TOLERANCE else None",
        "return now",
        ("B20",),
    ),
    Mutant(
        "one row that claims to be old ends the reading",
        "lifecycle/reconcile.py",
        "OLD_ROWS = 10 ",
        "OLD_ROWS = 1 ",
        ("C13",),
    ),
    Mutant(
        "one row that claims to be new hides what is older",
        "lifecycle/reconcile.py",
        "        return dates[len(dates) // 2] if date is None else min(dates[-1], date)\n",
        "        return dates[-1]\n",
        ("C13",),
    ),
    Mutant(
        "a cancellation tears the request in two",
        "lifecycle/run.py",
        "        if submission.state is SubmissionState.UNSENT or lost:\n",
        "        if True:\n",
        ("A21",),
    ),
)
