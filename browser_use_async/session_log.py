"""The lines that a session writes to the log, about what it observes of itself."""

import logging
from functools import partial

from browser_use_async import events
from browser_use_async.logs import LOGGER
from browser_use_async.observers import AttemptEnded, Observers
from browser_use_async.types import TaskStatus


class SessionLog:
    """Logs events and, at the level of debugging, requests."""

    def __init__(self, base_url: str, observers: Observers) -> None:
        self._base_url = base_url
        self._unknown_statuses: set[TaskStatus] = set()
        # The level may change at any time. A call pays for its line only where there is a reader.
        is_read = partial(LOGGER.isEnabledFor, logging.DEBUG)
        observers.add({AttemptEnded: _log_attempt}, when=is_read)
        kinds = (events.RetryScheduled, events.SlotAwaited, events.SubmissionAdopted)
        observers.add(
            {
                **dict.fromkeys(kinds, _log_event),
                events.EndActionAttempted: _log_end_action,
                events.KeyIgnored: _log_warning,
                events.ServiceRecovered: self._log_recovery,
                events.ServiceUnreachable: self._log_outage,
                events.UnknownStatusSeen: self._log_unknown_status,
            }
        )

    def _log_unknown_status(self, event: events.UnknownStatusSeen, _about: object) -> None:
        if event.status in self._unknown_statuses:
            return  # one warning, however many tasks have it
        self._unknown_statuses.add(event.status)
        text = "task %s has the status %r, which this version does not know; it is taken to be "
        text += "alive, and so is every other task with it"
        LOGGER.warning(text, event.task_id, str(event.status))

    def _log_outage(self, event: events.ServiceUnreachable, _about: object) -> None:
        text = "no answer from %s for %.0f s, after %d requests: %s"
        details = self._base_url, event.seconds, event.failures, event.reason
        LOGGER.warning(text, *details, extra={"event": event})

    def _log_recovery(self, event: events.ServiceRecovered, _about: object) -> None:
        text = "%s answers again, after %.0f s and %d failed requests"
        LOGGER.info(text, self._base_url, event.seconds, event.failures, extra={"event": event})


def _log_event(event: object, _about: object) -> None:
    LOGGER.info("%s", event, extra={"event": event})


def _log_warning(event: object, _about: object) -> None:
    LOGGER.warning("%s", event, extra={"event": event})


def _log_end_action(event: events.EndActionAttempted, _about: object) -> None:
    if event.problem is None:
        text = "the service was asked to %s task %s"
        LOGGER.info(text, event.action, event.task_id, extra={"event": event})
    else:
        text = "could not %s task %s: %s; it may still run and cost money: session.tasks.%s(%r)"
        details = event.action, event.task_id, event.problem, event.action, event.task_id
        LOGGER.warning(text, *details, extra={"event": event})


def _log_attempt(ended: AttemptEnded, _about: object) -> None:
    """Log one attempt: its route and not its URL, whose query could be a secret."""
    began = ended.began
    result = "cancelled" if ended.problem is None else ended.problem
    about = "" if began.task_id is None else f", task {began.task_id}"
    if ended.status is not None:
        result = str(ended.status)
        if ended.request_id is not None:
            # The server's own text, which must not begin another line.
            shown = "".join(each for each in ended.request_id[:100] if each.isprintable())
            about += f", request id {shown}"
    attempt = f"{began.attempt} of {max(began.attempt, began.most_attempts)}"
    milliseconds = ended.seconds * 1000
    text = "#%d %s %s in %.0f ms, attempt %s%s"
    LOGGER.debug(text, began.request, began.endpoint, result, milliseconds, attempt, about)
