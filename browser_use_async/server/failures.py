"""A log of failures without secrets."""

import logging
import traceback


def log_failure(logger: logging.Logger, message: str, error: BaseException) -> None:
    """Log the type and traceback of an exception, without its text."""
    # The text of an exception may contain a secret: a key, a cookie, a page's text. In an endless
    # recursion the last frames are enough.
    frames = "".join(traceback.format_tb(error.__traceback__, limit=-20))
    logger.error("%s: %s\n%s", message, type(error).__name__, frames)
