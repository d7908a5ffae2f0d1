"""Exit codes, and errors as the command line reports them. Scripts rely on the numbers."""

from enum import IntEnum

from browser_use_async import errors
from browser_use_async.cli.console import Console
from browser_use_async.errors import BrowserUseError, SubmissionUnknownError

__all__ = ["ExitCode", "exit_code_of", "report_error"]


class ExitCode(IntEnum):
    """The exit codes. Ended by a signal, a command exits with 128 + its number: 130 for Ctrl-C."""

    FINISHED = 0
    TASK_FAILED = 1
    USAGE = 2
    API = 3
    UNREACHABLE = 4
    TIMED_OUT = 124


# Most special first: the timeouts and the task errors are all `BrowserUseError`s.
_BY_ERROR: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (errors.WaitTimeoutError, ExitCode.TIMED_OUT),
    (errors.TaskError, ExitCode.TASK_FAILED),
    (errors.OutputValidationError, ExitCode.TASK_FAILED),
    (errors.ConfigurationError, ExitCode.USAGE),
    (errors.InvalidRequestError, ExitCode.USAGE),
    (errors.UnsafeFileNameError, ExitCode.USAGE),
    (errors.UnsupportedFileError, ExitCode.USAGE),
    (errors.BatchInputError, ExitCode.USAGE),
    (errors.LedgerError, ExitCode.USAGE),
    (errors.APIConnectionError, ExitCode.UNREACHABLE),
    (errors.WaitInterruptedError, ExitCode.UNREACHABLE),
)


def exit_code_of(error: errors.BrowserUseError) -> ExitCode:
    """The exit code that tells a script what went wrong."""
    for kind, code in _BY_ERROR:
        if isinstance(error, kind):
            return code
    return ExitCode.API


def report_error(error: BrowserUseError, console: Console) -> ExitCode:
    """Say what went wrong and what to do about it."""
    console.error(str(error))
    if isinstance(error, SubmissionUnknownError) and error.submission_token is not None:
        console.info(
            f"to find out, free of charge: browser-use-async watch {error.submission_token}"
        )
    return exit_code_of(error)
