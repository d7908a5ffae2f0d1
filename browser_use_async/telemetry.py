"""OpenTelemetry for a session: `instrument(session)`. Needs the extra `otel`.

A task outlives calls, waits and processes, and a span that is open for hours is exported late or
never. So a task is one span that is written when its end is seen, with the start and the end that
the service tells. It has no parent: it is linked to the span of its submission, as are the spans of
waits and webhooks, in this process and in others. What links them is a `traceparent`, which travels
in `handle.to_token()` and, where the ten pairs of the task leave room, in a reserved metadata pair.
"""

from collections import OrderedDict
from collections.abc import Coroutine, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from browser_use_async.api.limits import price_terms
from browser_use_async.api.submission_token import TRACE_KEY, is_traceparent
from browser_use_async.prices import task_cents
from browser_use_async.types import RunTaskRequest, Task, TaskStatus
from browser_use_async.version import __version__

try:
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, TracerProvider
except ImportError as error:
    raise ImportError(
        "browser_use_async.telemetry needs OpenTelemetry: pip install 'browser-use-async[otel]'"
    ) from error

if TYPE_CHECKING:
    from browser_use_async.session import BrowserUseSession
    from browser_use_async.transport.request import PreparedRequest
    from browser_use_async.transport.response import Outcome
    from browser_use_async.webhooks import TaskStatusUpdate

__all__ = ["Telemetry", "instrument"]

_AGENT = "browser-use"
_REMEMBERED = 10_000  # tasks


def instrument(
    session: "BrowserUseSession", tracer_provider: TracerProvider | None = None
) -> "Telemetry":
    """Write spans of what a session does from now on.

    Spans hold routes, ids, statuses, counts and costs; no key, no task text and no output.

    Args:
        session: The session; it may be open already.
        tracer_provider: Where spans go; by default the global provider.

    Returns:
        What writes them, for webhooks that reach no session: `telemetry.record_webhook(event)`.
    """
    transport = session._transport  # noqa: SLF001 - the part of a session that is instrumented
    transport.telemetry = Telemetry(transport.configuration.base_url, tracer_provider)
    return transport.telemetry


@attrs.frozen
class _Origin:
    """Where a task comes from."""

    traceparent: str | None = None  # of its submission
    model: str | None = None  # the language model that it was submitted with
    max_steps: int | None = None  # how many steps it may take


class Telemetry:
    """Writes the spans of one session."""

    def __init__(self, base_url: str, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("browser_use_async", __version__, tracer_provider)
        url = urlsplit(base_url)
        self._server: dict[str, str | int] = {"server.address": url.hostname or ""}
        if url.port is not None:
            self._server["server.port"] = url.port
        # Bounded, so that a program that runs for months does not remember every task.
        self._origins: OrderedDict[str, _Origin] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()

    # --- where tasks come from ------------------------------------------------------------

    def traceparent_of(self, task_id: str) -> str | None:
        """The traceparent of the submission of a task, as far as it is known here."""
        return self._origins.get(task_id, _Origin()).traceparent

    def record_origin(self, task_id: str, traceparent: str) -> None:
        """Remember where a task comes from, as its token or its metadata says."""
        if is_traceparent(traceparent):
            _put(self._origins, task_id, _Origin(traceparent))

    def record_submission(self, task_id: str, traceparent: str, request: RunTaskRequest) -> None:
        """Remember how this session submitted a task."""
        steps, model = price_terms(request.max_agent_steps, request.llm_model)
        _put(self._origins, task_id, _Origin(traceparent, model, steps))

    # --- spans ----------------------------------------------------------------------------

    async def send(
        self, prepared: "PreparedRequest", sending: "Coroutine[Any, Any, Outcome]"
    ) -> "Outcome":
        """Send a request inside a span: one for each attempt, as HTTP's conventions say."""
        endpoint, resent = prepared.endpoint, prepared.attempts - 1
        attributes = {
            **self._server,
            "http.request.method": endpoint.method,
            "url.template": endpoint.path,
            **({} if resent == 0 else {"http.request.resend_count": resent}),
            **({} if prepared.task_id is None else {"browser_use.task.id": prepared.task_id}),
        }
        with self._span(str(endpoint), attributes, kind=SpanKind.CLIENT) as span:
            outcome = await sending
            status = outcome.status
            if status is not None:
                span.set_attribute("http.response.status_code", status)
            if outcome.problem:
                _fail(span, "no_answer" if status is None else str(status), outcome.problem)
        return outcome

    @contextmanager
    def submission(self) -> "Generator[_Submitting]":
        """The span of one submission, with all its attempts and searches."""
        with self._span(f"submit {_AGENT}", self._server) as span:
            yield _Submitting(self, span)

    async def wait(self, task_id: str, waiting: Coroutine[Any, Any, Task]) -> Task:
        """Wait inside a span, linked to the submission of the task."""
        attributes = {"browser_use.task.id": task_id}
        with self._span(f"wait {_AGENT}", attributes, links=self._links(task_id)):
            return await waiting

    def record_webhook(self, event: "TaskStatusUpdate") -> None:
        """Write the span of a webhook, linked to the submission of the task."""
        if event.traceparent is not None:
            self.record_origin(event.task_id, event.traceparent)
        attributes = {
            "browser_use.task.id": event.task_id,
            "browser_use.webhook.status": str(event.status),
        }
        links = self._links(event.task_id)
        # Its parent is the span of the HTTP request that brought it, if that is traced.
        kind = SpanKind.CONSUMER
        self._tracer.start_span(
            f"webhook {_AGENT}", kind=kind, attributes=attributes, links=links
        ).end()

    def record_task(self, task: Task) -> None:
        """Write the span of a task that has ended; once, however many waits see its end."""
        if task.id in self._ended or task.created_at is None:
            return
        _put(self._ended, task.id, None)
        traceparent = task.extra.get(TRACE_KEY)
        if traceparent is not None and self.traceparent_of(task.id) is None:
            self.record_origin(task.id, str(traceparent))
        span = self._tracer.start_span(
            f"invoke_agent {_AGENT}",
            context=Context(),  # no parent, whatever is going on where its end is seen
            kind=SpanKind.CLIENT,
            attributes={**self._server, **self._attributes_of(task)},
            links=self._links(task.id),
            start_time=_nanoseconds(task.created_at),
        )
        if task.status is not TaskStatus.FINISHED:
            _fail(span, str(task.status), f"task {task.status}")
        finished_at = task.finished_at
        # Without an end of the service's the span ends now, and never before it began.
        span.end(None if finished_at is None else _nanoseconds(max(finished_at, task.created_at)))

    @contextmanager
    def _span(
        self, name: str, attributes: Mapping[str, str | int], **more: Any
    ) -> "Generator[Span]":
        """A span around something, which tells the kind of an error that leaves it."""
        # By itself OpenTelemetry would write the error's text, which may quote a task's output.
        with self._tracer.start_as_current_span(
            name,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
            **more,
        ) as span:
            try:
                yield span
            except Exception as error:
                _fail(span, type(error).__qualname__, type(error).__qualname__)
                raise

    def _attributes_of(self, task: Task) -> dict[str, str | int | float]:
        origin = self._origins.get(task.id, _Origin())
        attributes: dict[str, str | int | float] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.provider.name": "browser_use",
            "gen_ai.agent.name": _AGENT,
            "browser_use.task.id": task.id,
            "browser_use.task.status": str(task.status),
            "browser_use.task.steps": len(task.steps),
        }
        if origin.model is not None:  # else the price of its steps is not known
            cents = task_cents(len(task.steps), origin.model, origin.max_steps)
            attributes["gen_ai.request.model"] = origin.model
            attributes["browser_use.task.cost_cents"] = float(cents)
        return attributes

    def _links(self, task_id: str) -> list[Link]:
        traceparent = self.traceparent_of(task_id)
        return [] if traceparent is None else [Link(_context_of(traceparent))]


class _Submitting:
    """A submission under way, and its span."""

    def __init__(self, telemetry: Telemetry, span: Span) -> None:
        self._telemetry = telemetry
        self._span = span
        context = span.get_span_context()
        self.traceparent: str | None = None
        if context.is_valid:
            flags = int(context.trace_flags)
            self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{flags:02x}"

    def record_task(self, task_id: str, request: RunTaskRequest) -> None:
        """Record which task the submission has become."""
        self._span.set_attribute("browser_use.task.id", task_id)
        if self.traceparent is not None:
            self._telemetry.record_submission(task_id, self.traceparent, request)


def _fail(span: Span, error_type: str, problem: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR, problem)


def _context_of(traceparent: str) -> SpanContext:
    _version, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=trace.TraceFlags(int(flags, 16)),
    )


def _nanoseconds(moment: datetime) -> int:
    # From the microseconds, since a float of nanoseconds is off by hundreds.
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


def _put(memory: "OrderedDict[str, Any]", key: str, value: object) -> None:
    memory[key] = value
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
