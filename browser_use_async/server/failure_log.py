"""Failures logged by what they are and where they happened, never by the values involved."""

import logging
import traceback

__all__ = ["log_failure"]


def log_failure(logger: logging.Logger, message: str, error: BaseException) -> None:
    """Log an exception without its text, which may hold a secret."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: %s\n%s", message, type(error).__name__, frames)
