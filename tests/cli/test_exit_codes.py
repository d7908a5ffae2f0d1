import inspect

import pytest

from browser_use_async import errors
from browser_use_async.cli.exit import ExitCode, exit_code_of

EXPECTED = {
    "APIConnectionError": 4,
    "APITimeoutError": 4,
    "BatchInputError": 2,
    "ConfigurationError": 2,
    "InvalidRequestError": 2,
    "UnsafeFileNameError": 2,
    "UnsupportedFileError": 2,
    "LedgerCorruptError": 2,
    "LedgerError": 2,
    "LedgerLockedError": 2,
    "LedgerMismatchError": 2,
    "LedgerVersionError": 2,
    "OutputValidationError": 1,
    "TaskError": 1,
    "TaskFailedError": 1,
    "TaskStoppedError": 1,
    "WaitInterruptedError": 4,
    "WaitTimeoutError": 124,
}
"""The errors that are not simply 3. `APINotServedError` is: something answers, but not the API."""

CLASSES = [
    kind
    for _name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.BrowserUseError)
]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_error_has_its_exit_code(kind):
    """Each public error maps to the exit code that the documentation promises."""
    error = kind.__new__(kind)

    assert exit_code_of(error) == EXPECTED.get(kind.__name__, 3)


def test_numbers():
    """The numbers themselves are fixed."""
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 74, 124]
