"""Events: each brings its level, its sentence and its entry, and no reader has a table of kinds."""

import io
import logging
from datetime import UTC, datetime

import attrs
import pytest

from browser_use_async import TaskStatus, events
from browser_use_async.cli.connect import EventReporter
from browser_use_async.cli.console import Console
from browser_use_async.observing import log
from browser_use_async.observing.observers import Observers
from browser_use_async.observing.timeline import TimelineRecorder

INFO, WARNING = logging.INFO, logging.WARNING
UNRELIABLE = (
    "the answer to run_task does not send the submission key back, though an earlier answer did: "
    "keys are not relied on any more"
)
ALIVE = "which this version does not know; every task with it is taken to be alive"

EVENTS: list[tuple[events.SessionEvent, int, str, tuple[str, str] | None]] = [
    (
        events.RetryScheduled("get_task_status", "t-1", 2, 0.51, "status 503"),
        INFO,
        "get_task_status of task t-1 failed (status 503), attempt 2; again in 0.5 s",
        ("retried", "after 0.5 s"),
    ),
    (
        events.RetryScheduled("ping", None, 1, 1, "status 503"),
        INFO,
        "ping failed (status 503), attempt 1; again in 1.0 s",
        ("retried", "after 1.0 s"),
    ),
    (
        events.SlotAwaited(600),
        INFO,
        "run_task waits up to 600 s for a free agent slot",
        ("waited", "for a free agent slot"),
    ),
    (
        events.SubmissionAdopted("t-1", 2.04),
        INFO,
        "the answer to run_task was lost; task t-1, which it created, was found after 2.0 s",
        ("adopted", "task t-1"),
    ),
    (events.KeyIgnored("run_task", "t-2", False), WARNING, UNRELIABLE, None),
    (
        events.KeyIgnored("run_task", "t-2", True),
        WARNING,
        f"{UNRELIABLE}; t-2 may be the second one of the same call: compare the list of tasks",
        None,
    ),
    (
        events.UnknownStatusSeen("t-1", TaskStatus("archived")),
        WARNING,
        f"task t-1 has the status 'archived', {ALIVE}",
        None,
    ),
    (
        events.ServiceUnreachable(2.1, 3, "status 503"),
        WARNING,
        "no answer for 2 s: status 503",
        None,
    ),
    (
        events.ServiceRecovered(61, 7),
        INFO,
        "the service answers again, after 61 s and 7 failed requests",
        None,
    ),
    (
        events.EndActionAttempted("t-1", "pause", None),
        INFO,
        "the service was asked to pause task t-1",
        None,
    ),
    (
        events.EndActionAttempted("t-1", "stop", "status 403"),
        WARNING,
        "could not stop task t-1: status 403; it may still run and cost money",
        None,
    ),
]


@attrs.frozen
class TaskPaused(events.SessionEvent):
    """An event that no reader knows."""

    task_id: str

    def _level(self) -> int:
        return logging.WARNING

    def _entry(self) -> tuple[str, str]:
        return "paused", "by a person"

    def __str__(self) -> str:
        return f"task {self.task_id} is paused"


@pytest.mark.parametrize(("event", "level", "sentence", "entry"), EVENTS)
def test_an_event_brings_all_that_is_shown(event, level, sentence, entry):
    """Its level, its sentence, and its entry in a timeline."""
    assert (event.level, str(event), event.entry) == (level, sentence, entry)


def test_each_event_has_its_rows():
    """The rows above have every event that users can import."""
    public = [getattr(events, name) for name in events.__all__]
    kinds = {each for each in public if issubclass(each, events.SessionEvent)}

    assert kinds - {events.SessionEvent} == {type(event) for event, *_ in EVENTS}


@pytest.mark.parametrize("event", [each for each, *_ in EVENTS] + [TaskPaused("t-1")])
def test_every_reader_shows_what_an_event_brings(event, caplog):
    """The log, `on_event` and the timeline take any event, also one that they do not know."""
    caplog.set_level(logging.INFO)
    heard: list[object] = []
    observers, moment = Observers(), datetime(2026, 1, 1, tzinfo=UTC)
    recorder = TimelineRecorder(observers, lambda: moment)
    log.attach(observers)
    observers.add({events.SessionEvent: lambda each, _about: heard.append(each)})

    observers.notify(event, "t-1")

    assert heard == [event]
    (line,) = caplog.records
    assert (line.levelno, line.getMessage()) == (event.level, str(event))
    entries = [] if event.entry is None else [events.TimelineEntry(moment, *event.entry)]
    assert [*recorder.timeline("t-1")] == entries


@pytest.mark.parametrize("event", [each for each, *_ in EVENTS] + [TaskPaused("t-1")])
async def test_the_command_line_shows_what_an_event_brings(event):
    """Its sentence, as a note or as a warning; after an attempt to end a task a command, too."""
    text = io.StringIO()
    reporter = EventReporter(Console(stdout=io.StringIO(), stderr=text))

    reporter.report(event)
    reporter.close()

    label, _, shown = text.getvalue().rstrip("\n").partition(": ")
    is_outage = isinstance(event, events.ServiceUnreachable)
    assert label == ("warning" if event.level == WARNING and not is_outage else "note")
    sentence, _, command = shown.partition(": browser-use-async ")
    assert sentence.removesuffix("; to continue it") == str(event)
    if isinstance(event, events.EndActionAttempted):
        assert command == ("resume t-1" if event.problem is None else "stop t-1")
