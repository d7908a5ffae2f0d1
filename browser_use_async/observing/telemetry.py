"""OpenTelemetry for a session: `instrument(session)`. Needs the extra `otel`.

A task outlives calls, waits and processes, and a span that is open for hours is exported late or
never. So a task is one span that is written when its end is seen, with the start and the end that
the service reports. It has no parent: it is linked to the span of its submission, as are spans of
waits and webhooks, in this process and in others. What links them is a `traceparent`, which travels
in `handle.to_token()` and, where the ten pairs of the task leave room, in a reserved metadata pair.
"""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import attrs

from browser_use_async.api.endpoint_table import Endpoint
from browser_use_async.api.limits import MAX_METADATA_PAIRS
from browser_use_async.api.submission_token import TRACE_KEY, is_traceparent
from browser_use_async.lifecycle.create import Submission
from browser_use_async.logs import LOGGER
from browser_use_async.money.amounts import TaskPrice
from browser_use_async.observing.observers import (
    AttemptBegan,
    AttemptEnded,
    CreationEnded,
    Observe,
    Observers,
    OriginKnown,
    TaskEnded,
    WaitBegan,
    WaitEnded,
)
from browser_use_async.session import BrowserUseSession
from browser_use_async.types import Task, TaskStatus
from browser_use_async.types.enums import price_terms
from browser_use_async.version import __version__
from browser_use_async.webhooks import TaskStatusUpdate

try:
    from opentelemetry import context, trace
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span, SpanContext, SpanKind, StatusCode, TracerProvider
except ImportError as error:
    raise ImportError(
        "browser_use_async.observing.telemetry needs OpenTelemetry: "
        "pip install 'browser-use-async[otel]'"
    ) from error

__all__ = ["Telemetry", "instrument"]

_AGENT = "browser-use"
_REMEMBERED = 10_000  # tasks


def instrument(
    session: BrowserUseSession, tracer_provider: TracerProvider | None = None
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
    earlier = getattr(transport.observers.traceparent_of, "__self__", None)
    if isinstance(earlier, Telemetry):
        earlier.leave(transport.observers)
    telemetry = Telemetry(transport.configuration.base_url, tracer_provider)
    telemetry.join(transport.observers)
    return telemetry


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
        self._open: dict[object, _OpenSpan] = {}  # by what began it, or by the submission
        self._table: dict[type, Observe] = {
            AttemptBegan: self._attempt_began,
            AttemptEnded: self._attempt_ended,
            CreationEnded: self._creation_ended,
            OriginKnown: lambda seen, task_id: self.record_origin(task_id, seen.traceparent),
            TaskEnded: self._task_ended,
            TaskStatusUpdate: lambda event, _about: self.record_webhook(event),
            WaitBegan: self._wait_began,
            WaitEnded: lambda seen, _about: self._end(seen.began, seen.error),
        }

    def join(self, observers: Observers) -> None:
        """Observe a session from now on."""
        observers.admissions.append(self._mark)
        observers.traceparent_of = self.traceparent_of
        observers.add(self._table, name="telemetry")

    def leave(self, observers: Observers) -> None:
        """Observe it no more, since another one takes its place."""
        observers.admissions.remove(self._mark)
        observers.remove(self._table)

    # --- where tasks come from ------------------------------------------------------------

    def traceparent_of(self, task_id: str) -> str | None:
        """The traceparent of the submission of a task, or None if it is unknown here."""
        return self._origins.get(task_id, _Origin()).traceparent

    def record_origin(self, task_id: str, traceparent: str) -> None:
        """Remember where a task comes from, as its token or its metadata says."""
        if is_traceparent(traceparent):
            _put(self._origins, task_id, _Origin(traceparent))

    # --- spans ----------------------------------------------------------------------------

    def _attempt_began(self, began: AttemptBegan, _about: object) -> None:
        """Begin the span of one attempt, as HTTP's conventions say."""
        endpoint, resent = began.endpoint, began.attempt - 1
        attributes = {
            **self._server,
            "http.request.method": endpoint.method,
            "url.template": endpoint.path,
            **({} if resent == 0 else {"http.request.resend_count": resent}),
            **({} if began.task_id is None else {"browser_use.task.id": began.task_id}),
        }
        self._begin(began, str(endpoint), attributes, kind=SpanKind.CLIENT)

    def _attempt_ended(self, ended: AttemptEnded, _about: object) -> None:
        opened = self._open.get(ended.began)
        if opened is None:  # it began before this observed
            return
        if ended.status is not None:
            opened.span.set_attribute("http.response.status_code", ended.status)
        if ended.problem:
            kind = "no_answer" if ended.status is None else str(ended.status)
            _fail(opened.span, kind, ended.problem)
        self._end(ended.began, ended.error)

    async def _mark(self, _endpoint: Endpoint, body: Any, about: object) -> Any:
        """Begin the span of a submission, with all its attempts and searches, and name it."""
        if not isinstance(about, Submission) or about in self._open:
            return body
        try:
            span = self._begin(about, f"submit {_AGENT}", self._server)
        except Exception:  # of a span processor: a submission does without its span
            LOGGER.exception("telemetry raised")
            return body
        traceparent = _traceparent(span)
        metadata = body.metadata if isinstance(body.metadata, Mapping) else {}
        if traceparent is None or len(metadata) >= MAX_METADATA_PAIRS:
            return body  # there is no room for another pair
        return attrs.evolve(body, metadata={**metadata, TRACE_KEY: traceparent})

    def _creation_ended(self, ended: CreationEnded, about: object) -> None:
        opened = self._open.get(about)
        if opened is None or not isinstance(about, Submission):
            return
        if ended.task_id is not None:
            opened.span.set_attribute("browser_use.task.id", ended.task_id)
            if (traceparent := _traceparent(opened.span)) is not None:
                request = about.request
                steps, model = price_terms(request.max_agent_steps, request.llm_model)
                _put(self._origins, ended.task_id, _Origin(traceparent, model, steps))
        self._end(about, ended.error)

    def _wait_began(self, began: WaitBegan, task_id: Any) -> None:
        attributes = {"browser_use.task.id": task_id}
        self._begin(began, f"wait {_AGENT}", attributes, links=self._links(task_id))

    def _task_ended(self, ended: TaskEnded, _about: object) -> None:
        if ended.is_watched:
            self.record_task(ended.task)

    def record_webhook(self, event: TaskStatusUpdate) -> None:
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

    def _begin(
        self, key: object, name: str, attributes: Mapping[str, str | int], **more: Any
    ) -> Span:
        """Begin a span that is the current one until it is ended, in the same asyncio task."""
        span = self._tracer.start_span(name, attributes=attributes, **more)
        self._open[key] = _OpenSpan(span, context.attach(trace.set_span_in_context(span)))
        return span

    def _end(self, key: object, error: BaseException | None) -> None:
        opened = self._open.pop(key, None)
        if opened is None:  # it began before this observed
            return
        # By itself OpenTelemetry would write the error's text, which may quote a task's output.
        if isinstance(error, Exception):
            _fail(opened.span, type(error).__qualname__, type(error).__qualname__)
        context.detach(opened.token)
        opened.span.end()

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
            cents = TaskPrice.of_terms(origin.max_steps, origin.model).cost(task)
            attributes["gen_ai.request.model"] = origin.model
            attributes["browser_use.task.cost_cents"] = float(cents)
        return attributes

    def _links(self, task_id: str) -> list[Link]:
        traceparent = self.traceparent_of(task_id)
        return [] if traceparent is None else [Link(_context_of(traceparent))]


@attrs.frozen
class _OpenSpan:
    span: Span
    token: Any  # with which the span stops being the current one


def _traceparent(span: Span) -> str | None:
    about = span.get_span_context()
    if not about.is_valid:
        return None
    return f"00-{about.trace_id:032x}-{about.span_id:016x}-{int(about.trace_flags):02x}"


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
