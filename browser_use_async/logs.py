"""The log of the package: one logger, and the environment variable that shows it."""

# No handler is attached by default, not even a `NullHandler`: a program that configures no logging
# still sees warnings on stderr, and some of them are about tasks that may have to be paid.

import logging
import os
import sys

from browser_use_async.errors import ConfigurationError

LOGGER = logging.getLogger("browser_use_async")

VARIABLE = "BROWSER_USE_LOG"
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}


class StderrHandler(logging.Handler):
    """Writes records to stderr, until the program has handlers of its own."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as a line."""
        # A program may configure logging after it has made a session: then each line would be
        # shown twice.
        if logging.getLogger().handlers:
            return
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - a log never ends the work that it is about
            self.handleError(record)


def read_environment() -> None:
    """Show what `BROWSER_USE_LOG` asks for; a level that the program has set itself stays."""
    name = os.environ.get(VARIABLE)
    if not name:
        return
    level = _LEVELS.get(name.strip().lower())
    if level is None:
        raise ConfigurationError(
            f"{VARIABLE} is {name[:40]!r}; set it to debug, info or warning, or unset it"
        )
    if LOGGER.level == logging.NOTSET:
        LOGGER.setLevel(level)
        if not LOGGER.hasHandlers():
            handler = StderrHandler()
            handler.setFormatter(
                logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
            )
            LOGGER.addHandler(handler)
