"""Spans: one for a task, whichever process sees its end, and links across processes."""

import asyncio
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from browser_use_async import BrowserUseSession, errors
from browser_use_async.api.submission_token import TOKEN_KEY, TRACE_KEY
from browser_use_async.observing.telemetry import instrument
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.webhooks.events import Event, read_event
from tests.support.fake_api import Fault
from tests.support.fake_task import lives
from tests.support.hygiene import KEY, SECRET, raises

ROOT = Path(__file__).parents[2]


class Spans:
    """The spans of one process, in the order of their ends."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def __iter__(self) -> Any:
        return iter(self._exporter.get_finished_spans())

    def only(self, name: str) -> ReadableSpan:
        """The one span of a name."""
        (span,) = self.named(name)
        return span

    def named(self, name: str) -> list[ReadableSpan]:
        """The spans of a name."""
        return [each for each in self if each.name == name]


def _context(span: ReadableSpan) -> tuple[int, int]:
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


def _links(span: ReadableSpan) -> list[tuple[int, int]]:
    return [(each.context.trace_id, each.context.span_id) for each in span.links]


@attrs.frozen
class Source:
    """Delivers webhooks that a test has made."""

    callbacks: list[Callable[[Event], None]] = attrs.field(factory=list)

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Subscribe a function to each event."""
        self.callbacks.append(callback)


@pytest.mark.looptime
async def test_a_task_is_one_span_linked_across_sessions(api, open_session):
    """One session submits and another one waits: the task's span has the service's times."""
    here, there = Spans(), Spans()
    session, other = await open_session(), await open_session()
    instrument(session, here.provider)
    instrument(other, there.provider)
    api.next_tasks = [lives(40.0)]

    handle = await session.submit("Buy milk", llm_model="o3")
    task = await other.handle(handle.to_token()).wait()
    await session.wait(handle.id)

    submit = here.only("submit browser-use")
    assert here.only("POST /run-task").parent == submit.get_span_context()
    for process in (here, there):
        span = process.only("invoke_agent browser-use")
        assert _links(span) == _links(process.only("wait browser-use")) == [_context(submit)]
        assert span.parent is None
        assert span.get_span_context().trace_id != _context(submit)[0]  # type: ignore[union-attr]
        assert task.created_at is not None
        assert task.finished_at is not None
        assert span.start_time == pytest.approx(task.created_at.timestamp() * 1e9, abs=1000)
        assert span.end_time == pytest.approx(task.finished_at.timestamp() * 1e9, abs=1000)
    said = dict(here.only("invoke_agent browser-use").attributes or {})
    assert said.pop("server.address") == "127.0.0.1"
    assert said.pop("server.port")
    assert said == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "browser_use",
        "gen_ai.agent.name": "browser-use",
        "gen_ai.request.model": "o3",
        "browser_use.task.id": handle.id,
        "browser_use.task.status": "finished",
        "browser_use.task.steps": len(task.steps),
        "browser_use.task.cost_cents": 1.0 + len(task.steps),
    }


@pytest.mark.looptime
async def test_the_metadata_links_processes_without_a_token(api, open_session):
    """A process with only the task's id, or a webhook, finds the trace in a reserved pair."""
    here, there = Spans(), Spans()
    session, other = await open_session(), await open_session()
    instrument(session, here.provider)
    instrument(other, there.provider)
    source = Source()
    other.attach(source)

    handle = await session.submit("Buy milk", metadata={"mine": "1"})
    (call,) = (each for each in api.calls if each.route == "run")
    payload = {"task_id": handle.id, "status": "started", "metadata": call.body["metadata"]}
    event = read_event({"type": "agent.task.status_update", "payload": payload})
    task = await other.wait(handle.id)
    for callback in source.callbacks:
        callback(event)

    submit = _context(here.only("submit browser-use"))
    assert _links(there.only("invoke_agent browser-use")) == [submit]
    assert _links(there.only("webhook browser-use")) == [submit]
    assert there.only("webhook browser-use").kind is SpanKind.CONSUMER
    assert sorted(call.body["metadata"]) == [TOKEN_KEY, TRACE_KEY, "mine"]
    assert len(call.body["metadata"][TOKEN_KEY]) == 32  # which searches compare with the mark
    assert task.metadata == getattr(event, "metadata", None) == {"mine": "1"}


@pytest.mark.looptime
async def test_pairs_of_the_users_own_come_first(api, session):
    """Nine own pairs leave room for one, which is the mark; the token has the trace."""
    spans = Spans()
    instrument(session, spans.provider)
    pairs = {f"pair {number}": "x" for number in range(9)}

    handle = await session.submit("Buy milk", metadata=pairs)

    (call,) = api.calls
    assert sorted(call.body["metadata"]) == sorted([TOKEN_KEY, *pairs])
    trace_id, span_id = _context(spans.only("submit browser-use"))
    expected = rf"bu-task\.2\.00-{trace_id:032x}-{span_id:016x}-0[13]\.{handle.id}"
    assert re.fullmatch(expected, handle.to_token())


async def test_tokens_of_every_kind_are_read(api, session):
    """Old tokens, new ones in a session without spans, and texts that only begin like one."""
    traceparent = f"00-{'a1' * 16}-{'b2' * 8}-01"

    assert session.handle("bu-task.1.t.1").id == "t.1"
    assert session.handle(f"bu-task.2.{traceparent}.t.1").id == "t.1"
    assert session.handle(f"bu-task.2.{traceparent}.t.1").to_token() == "bu-task.1.t.1"
    assert session.handle("bu-task.2.t1").id == "bu-task.2.t1"
    with raises(errors.InvalidRequestError):
        session.handle(f"bu-task.2.{traceparent}.")


@pytest.mark.looptime
async def test_each_attempt_is_a_span(api, session):
    """By HTTP's conventions: a span for each request, with the number of the repetition."""
    spans = Spans()
    instrument(session, spans.provider)
    task = api.add()
    api.break_calls("status", {1: Fault(status=503), 2: Fault(cut=True)})

    await session.tasks.get_status(task.id)

    said = [dict(each.attributes or {}) for each in spans.named("GET /task/{task_id}/status")]
    names = ("http.response.status_code", "http.request.resend_count", "error.type")
    assert [tuple(each.get(name) for name in names) for each in said] == [
        (503, None, "503"),
        (None, 1, "no_answer"),
        (200, 2, None),
    ]
    assert {each["browser_use.task.id"] for each in said} == {task.id}
    assert [each.status.status_code for each in spans] == [
        StatusCode.ERROR,
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]


@pytest.mark.looptime
async def test_a_task_that_failed(api, session):
    """The span says so, and the searches for a lost answer belong to the submission."""
    spans = Spans()
    instrument(session, spans.provider)
    api.next_tasks = [lives(5.0, "failed")]
    api.break_calls("run", {1: Fault(cut=True, done=True)})

    with raises(errors.TaskFailedError):
        await session.run_and_wait("Buy milk")

    span = spans.only("invoke_agent browser-use")
    submit = spans.only("submit browser-use")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "failed"
    assert spans.named("GET /tasks")[0].parent == submit.get_span_context()
    assert _links(span) == [_context(submit)]


@pytest.mark.looptime
async def test_spans_contain_no_secret(api, session):
    """No key, no task secret, no text of a task, for any error."""
    spans = Spans()
    instrument(session, spans.provider)
    api.break_calls("run", {1: Fault(status=400, body=json.dumps({"detail": SECRET}))})

    with raises(errors.BadRequestError):
        await session.submit("Buy milk", secrets={"a": SECRET}, allowed_domains=["a.example"])
    shown = "".join(each.to_json() for each in spans)

    assert "submit browser-use" in shown
    assert [each for each in (KEY, SECRET, "Buy milk") if each in shown] == []


async def test_an_exception_of_a_middleware_is_recorded_by_its_type(api, open_session):
    """A program's own error may quote a task: the spans have its type, not its text."""

    async def refuse(
        request: aiohttp.ClientRequest, _handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        raise LookupError(f"no row for Buy milk in {request.method}")

    spans = Spans()
    session = await open_session(middlewares=[refuse])
    instrument(session, spans.provider)

    with pytest.raises(LookupError):
        await session.submit("Buy milk")
    span = spans.only("submit browser-use")

    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "LookupError"
    assert "Buy milk" not in "".join(each.to_json() for each in spans)


@pytest.mark.looptime
async def test_a_second_instrumenting_replaces_the_first(api, open_session):
    """Each span is written once, to the newest provider."""
    session, first, second = await open_session(), Spans(), Spans()
    instrument(session, first.provider)
    instrument(session, second.provider)

    await session.run_and_wait("Buy milk")

    assert [*first] == []
    assert len(second.named("submit browser-use")) == 1
    assert len(second.named("invoke_agent browser-use")) == 1


class _Broken(SpanProcessor):
    """Raises when a span begins or ends."""

    def on_start(self, *_arguments: Any, **_more: Any) -> None:
        """Raise."""
        raise RuntimeError("no room for a span")

    def on_end(self, *_arguments: Any) -> None:
        """Raise."""
        raise RuntimeError("no room for a span")


@pytest.mark.looptime
async def test_a_span_that_cannot_be_written_ends_no_call(api, open_session, caplog):
    """An exception of a span processor is logged; the task is created once, awaited and read."""
    session, provider = await open_session(), TracerProvider()
    provider.add_span_processor(_Broken())
    instrument(session, provider)

    task = await session.run_and_wait("Buy milk")

    assert task.id == api.only_task().id
    assert "telemetry raised" in caplog.text


@pytest.mark.looptime
async def test_without_telemetry_nothing_is_added(api, session):
    """A session without instrumentation sends the mark alone."""
    handle = await session.submit("Buy milk")

    (call,) = api.calls
    assert list(call.body["metadata"]) == [TOKEN_KEY]
    assert handle.to_token() == f"bu-task.1.{handle.id}"


@pytest.mark.looptime
async def test_the_name_of_the_pair_is_reserved(session):
    """A user's pair of that name would be mistaken for a trace."""
    with raises(errors.InvalidRequestError):
        await session.submit("Buy milk", metadata={TRACE_KEY: "x"})


PROGRAM = """
import asyncio, sys
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from browser_use_async import BrowserUseSession
from browser_use_async.observing.telemetry import instrument

async def main(key, base_url, token):
    provider = TracerProvider()
    line = lambda span: span.to_json(indent=None) + "\\n"
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=line)))
    async with BrowserUseSession(key, base_url=base_url) as session:
        instrument(session, provider)
        await session.handle(token).wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.long
async def test_another_process_writes_the_span_of_the_task():
    """A real process that has only the token writes the task's span, linked with those here."""
    spans = Spans()
    executor = ScriptedExecutor(default=Scenario(step_seconds=0.05))
    async with (
        LocalServer(executor=executor) as server,
        BrowserUseSession(server.api_key, base_url=server.base_url) as session,
    ):
        instrument(session, spans.provider)
        handle = await session.submit("Buy milk")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", PROGRAM, server.api_key, server.base_url, handle.to_token()),
            env={"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _nothing = await process.communicate()

    written = {each["name"]: each for each in map(json.loads, output.decode().splitlines())}
    task = written["invoke_agent browser-use"]
    trace_id, span_id = _context(spans.only("submit browser-use"))
    (link,) = task["links"]
    assert (link["context"]["trace_id"], link["context"]["span_id"]) == (
        f"0x{trace_id:032x}",
        f"0x{span_id:016x}",
    )
    assert task["parent_id"] is None
    assert written["wait browser-use"]["links"] == [link]
    assert spans.named("invoke_agent browser-use") == []
