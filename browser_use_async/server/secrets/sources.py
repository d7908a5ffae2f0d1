"""Secrets that a command line names by a source: `file:PATH` and `env:NAME`."""

import os
from pathlib import Path

from browser_use_async import system
from browser_use_async.errors import ConfigurationError

_FILE, _VARIABLE = "file:", "env:"

WAYS = f"{_FILE}PATH or {_VARIABLE}NAME"
"""The spellings that keep a secret out of the process list."""


def is_source(text: str) -> bool:
    """Whether a text names the source of a secret and is not the secret itself."""
    return text.startswith((_FILE, _VARIABLE))


def file_of(text: str) -> str | None:
    """The path in `file:PATH`, or None."""
    return text.removeprefix(_FILE) if text.startswith(_FILE) else None


def variable_of(text: str) -> str | None:
    """The environment variable in `env:NAME`, or None."""
    return text.removeprefix(_VARIABLE) if text.startswith(_VARIABLE) else None


def read_secret(text: str) -> str:
    """The secret that a text names or is.

    Raises:
        ConfigurationError: The source cannot be read, or is empty. No message shows the text,
            which may be the secret itself.
    """
    if (path := file_of(text)) is not None:
        secret = read_secret_file(path)
        if not secret.strip():
            raise ConfigurationError("the file is blank")
        return secret
    if (variable := variable_of(text)) is not None:
        secret = os.environ.get(variable, "")
        if not secret.strip():
            raise ConfigurationError("the environment variable is not set")
        return secret
    return text


def read_secret_file(path: str) -> str:
    """The text of a file with at most 64 KB, without the ends of lines at its end.

    Raises:
        ConfigurationError: It cannot be read. The message does not show the path, which may be
            the secret itself.
    """
    try:
        return system.read_small_file(Path(path)).decode("utf-8").rstrip("\r\n")
    except ValueError:
        raise ConfigurationError("the file cannot be read as UTF-8 text") from None
    except OSError as error:
        raise ConfigurationError(f"the file cannot be read ({error.strerror})") from None
