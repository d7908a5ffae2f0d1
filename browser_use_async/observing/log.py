"""The lines that a session writes to the log: its events and, for debugging, its requests."""

import logging
from functools import partial

from browser_use_async.events import SessionEvent
from browser_use_async.logs import LOGGER
from browser_use_async.observing.observers import AttemptEnded, Observers


def attach(observers: Observers) -> None:
    """Log what is observed."""
    # The level may change at any time. A call pays for its line only where there is a reader.
    is_read = partial(LOGGER.isEnabledFor, logging.DEBUG)
    observers.add({AttemptEnded: _log_attempt}, when=is_read)
    observers.add({SessionEvent: _log_event})


def _log_event(event: SessionEvent, _about: object) -> None:
    LOGGER.log(event.level, "%s", event, extra={"event": event})


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
