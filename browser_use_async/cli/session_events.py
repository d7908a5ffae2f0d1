"""Session events as messages on stderr, and an outage in the status line while it lasts."""

import asyncio
import re

from browser_use_async import events
from browser_use_async.cli.console import Console
from browser_use_async.cli.screen import Style

_TICK = 1.0  # seconds between two updates of the status line
# Left out: the address is known from the options, and a status line is short.
_ADDRESS = re.compile(r"no connection to \S+: (?=\S)")
_DONE = {
    "stop": "the service was asked to stop task {0}",
    "pause": "the service was asked to pause task {0}; to continue it: "
    "browser-use-async resume {0}",
}
_NOT_DONE = {
    "stop": "task {0} could not be stopped: {1}; it may still run and cost money: "
    "browser-use-async stop {0}",
    "pause": "task {0} could not be paused: {1}; it may still run and cost money: "
    "browser-use-async pause {0}",
}


class EventReporter:
    """Shows the events of one session; call `close` at its end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._reason = ""
        self._down_since = 0.0  # the loop time at which the outage began
        self._timer: asyncio.TimerHandle | None = None

    def report(self, event: events.SessionEvent) -> None:
        """Show an event."""
        match event:
            case events.ServiceUnreachable():
                self._begin_outage(event)
            case events.ServiceRecovered():
                self.close()
                from browser_use_async.cli.times import time_span  # noqa: PLC0415 - rare

                self._note(f"the service answers again, after {time_span(event.seconds)}")
            case events.EndActionAttempted(task_id=task_id, action=action, problem=None):
                self._console.info(_DONE[action].format(task_id))
            case events.EndActionAttempted(task_id=task_id, action=action, problem=problem):
                text = _NOT_DONE[action].format(task_id, problem)
                self._console.labelled([("warning: ", Style.BAD)], text)
            case _:
                self._note(_text_of(event))

    def close(self) -> None:
        """Stop showing an outage."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._console.set_notice(None)

    def _begin_outage(self, event: events.ServiceUnreachable) -> None:
        self._down_since = asyncio.get_running_loop().time() - event.seconds
        self._reason = _brief(event.reason)
        text = self._tick()
        # A terminal shows it in the status line; any other output gets a line.
        if not self._console.is_interactive:
            self._note(text)

    def _tick(self) -> str:
        loop = asyncio.get_running_loop()
        text = f"no answer for {loop.time() - self._down_since:.0f} s: {self._reason}"
        self._console.set_notice(text)
        self._timer = loop.call_later(_TICK, self._tick)
        return text

    def _note(self, text: str) -> None:
        self._console.labelled([("note: ", Style.WAITING)], text)


def _brief(reason: str) -> str:
    """The reason without the address; the first letter is small, as in the middle of a line."""
    brief = _ADDRESS.sub("", reason)
    # "TLS" stays in capitals.
    is_word = brief[1:2].islower()
    return brief[:1].lower() + brief[1:] if brief != reason and is_word else brief


def _text_of(event: events.SessionEvent) -> str:
    match event:
        case events.RetryScheduled():
            return f"{event.reason}; trying again in {event.pause:.1f} s ({event.operation})"
        case events.SlotAwaited():
            return "too many tasks run at once; the task is created when one of them has ended"
        case events.KeyIgnored():
            return str(event)
        case events.SubmissionAdopted():
            return f"the answer was lost, and task {event.task_id} found: nothing is paid twice"
        case _:
            assert isinstance(event, events.UnknownStatusSeen)
            return f"task {event.task_id} is {event.status}, a status that is new to this version"
