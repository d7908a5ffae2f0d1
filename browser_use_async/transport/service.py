"""What all answers together show of the service: whether it answers, and whether it keeps keys."""

import asyncio
import contextvars
import math

from browser_use_async.api.endpoint_table import LIST_TASKS, Effect, Endpoint
from browser_use_async.api.submission_key import KEY_HEADER, REPLAYED_HEADER, TRUE, are_same
from browser_use_async.events import KeyIgnored, ServiceRecovered, ServiceUnreachable
from browser_use_async.observing.observers import Observers
from browser_use_async.transport.request import PreparedRequest
from browser_use_async.transport.response import (
    TRANSIENT_STATUSES,
    Outcome,
    OutcomeKind,
    Reply,
    is_redirect,
    says_supported,
)

GRACE = 1.8  # seconds from the first failed request to the report, which must come within 2
SETTLE = 0.1  # seconds after a failure in which requests sent with it may still be answered
FORGOTTEN = 30.0  # seconds without a request after which an earlier failure no longer counts


class ServiceHealth:
    """Detects outages: reports each once when it is certain, and once when it is over."""

    # An outage begins with a request without an answer (refused, unresolved, timed out, cut), or
    # with one of the 5xx statuses of a service that is down, or with a redirect, as of a
    # maintenance page. Any other answer to any call ends it: a 401, 404 or 429 shows that the
    # service runs, and if one route fails while another is answered, that is no outage. The outage
    # is reported GRACE seconds after its first failure if no answer came meanwhile and two requests
    # have failed that were sent after the last answer. So a lost request that succeeds when it is
    # repeated is not reported. A failed request that was under way when another one was answered
    # only raises a suspicion. An answer that cannot be decoded does not count: a proxy's web page
    # with status 200 says nothing about the service behind it.

    def __init__(self, observers: Observers) -> None:
        self.is_down = False  # whether a reported outage goes on
        self.served: set[str] = set()  # the names of the calls that were accepted so far
        self._observers = observers
        self._failures = 0  # requests that were sent after the last answer
        self._since = 0.0  # the loop time from which no request has been answered
        self._failed_at = self._answered_at = -math.inf
        self._reason = ""
        self._is_certain = False  # whether more than a page of the task list has failed
        self._is_suspected = False  # whether any request has failed since the last answer
        self._is_due = False  # whether GRACE is over
        self._timer: asyncio.TimerHandle | None = None

    def record(
        self, endpoint: Endpoint, outcome: Outcome, sent_at: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Record the outcome of one request that was sent at a loop time."""
        if outcome.kind is OutcomeKind.ACCEPTED:
            self.served.add(endpoint.name)
        elif outcome.path is not None:
            return
        elif outcome.status is None or _says_outage(outcome.status):
            self._record_failure(endpoint, outcome, sent_at, loop)
            return
        self._answered_at = loop.time()
        if self._is_suspected:
            self._record_recovery()

    def aclose(self) -> None:
        """Report nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _record_failure(
        self, endpoint: Endpoint, outcome: Outcome, sent_at: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        if not self.is_down and sent_at - self._failed_at > FORGOTTEN:
            self._forget()
        if not self._is_suspected:
            self._is_suspected = True
            self._since = max(sent_at, self._answered_at)
            self._report_after(GRACE, loop)
        if sent_at > self._answered_at:
            self._failures += 1
        self._failed_at = loop.time()
        self._reason = outcome.problem
        # After a page that failed the poller asks for a status, which shows whether only the list
        # fails. What could not even be sent fails for every route.
        is_other = endpoint.name != LIST_TASKS.name or outcome.kind is OutcomeKind.NOT_SENT
        self._is_certain = self._is_certain or is_other
        if self._is_due and self._timer is None and not self.is_down:
            self._report_after(SETTLE, loop)

    def _report_after(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        # The report belongs to no caller, so it runs without the context variables of one.
        context = contextvars.Context()
        self._timer = loop.call_later(seconds, self._end_grace, loop, context=context)

    def _end_grace(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        was_due, self._is_due = self._is_due, True
        if not was_due and loop.time() - self._failed_at < SETTLE:
            self._report_after(SETTLE, loop)
        else:
            self._report_outage(loop)

    def _report_outage(self, loop: asyncio.AbstractEventLoop) -> None:
        is_proven = self._is_due and self._is_certain and self._failures > 1
        if is_proven and not self.is_down:
            self.is_down = True
            event = ServiceUnreachable(loop.time() - self._since, self._failures, self._reason)
            self._observers.notify(event)

    def _record_recovery(self) -> None:
        was_down = self.is_down
        event = ServiceRecovered(self._answered_at - self._since, self._failures)
        self._forget()
        if was_down:
            self._observers.notify(event)

    def _forget(self) -> None:
        self.aclose()
        self.is_down = self._is_due = self._is_certain = self._is_suspected = False
        self._failures = 0


def _says_outage(status: int) -> bool:
    # 501 and 505 are answers about the request.
    return is_redirect(status) or (status >= 500 and status in TRANSIENT_STATUSES)


# --- submission keys --------------------------------------------------------------------------


class SubmissionKeys:
    """Whether the service supports keys, as far as one session knows.

    A server may be behind a proxy that removes the header. So only an answer that sends the key
    back counts.
    """

    def __init__(self, observers: Observers) -> None:
        self._observers = observers
        # None until an answer shows it: one that echoes the key, or one about something that was
        # created, without the key.
        self._kept: bool | None = None

    @property
    def are_kept(self) -> bool:
        """Whether a creating call can be repeated with its key without a risk of paying twice."""
        return self._kept is True

    @property
    def are_unknown(self) -> bool:
        """Whether no answer has shown yet if the service keeps keys."""
        return self._kept is None

    def record(self, prepared: PreparedRequest, outcome: Outcome, *, is_repeated: bool) -> None:
        """Record the answer to a call with a key; `is_repeated` after a lost answer to it."""
        reply, key = outcome.reply, prepared.key
        if reply is None or key is None or self._kept is False:
            return
        if echoes(reply, key):
            self._kept = True
        elif prepared.endpoint.effect is Effect.CREATES and outcome.kind is OutcomeKind.ACCEPTED:
            was_kept, self._kept = self.are_kept, False
            if was_kept:
                task_id = getattr(outcome.value, "id", None)
                event = KeyIgnored(prepared.endpoint.name, task_id, is_repeated)
                self._observers.notify(event, prepared.about)


def echoes(reply: Reply, key: str) -> bool:
    """Whether an answer sends this key back, as servers that keep keys do."""
    return says_supported(reply) and are_same(reply.headers.get(KEY_HEADER, ""), key)


def is_replayed(reply: Reply | None) -> bool:
    """Whether an answer is the one of an earlier call with the same key."""
    return reply is not None and reply.headers.get(REPLAYED_HEADER, "").strip() == TRUE
