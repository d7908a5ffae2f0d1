"""Errors as a person at the command line gets to see them."""

from browser_use_async.cli.console import Console
from browser_use_async.cli.exit_codes import ExitCode, exit_code_of
from browser_use_async.errors import BrowserUseError, SubmissionUnknownError

__all__ = ["report_error"]


def report_error(error: BrowserUseError, console: Console) -> ExitCode:
    """Say what went wrong and what to do about it."""
    console.failure(str(error))
    if isinstance(error, SubmissionUnknownError) and error.submission_token is not None:
        console.say(
            f"to find out, free of charge: browser-use-async watch {error.submission_token}"
        )
    return exit_code_of(error)
