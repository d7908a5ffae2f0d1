"""The secret of webhooks: from a file or a variable, never from the command line itself."""

import os
from pathlib import Path

from browser_use_async.errors import ConfigurationError

__all__ = ["secret_from_file", "secret_from_variable"]

# No message shows what was given: whoever wrote the secret itself there must not see it logged.


def secret_from_file(file: str, option: str) -> str:
    """The secret that a file holds.

    Raises:
        ConfigurationError: The file cannot be read, or holds nothing.
    """
    try:
        secret = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        raise ConfigurationError(f"{option} cannot be read as UTF-8 text") from None
    if not secret.strip():
        raise ConfigurationError(f"the file given with {option} is blank")
    return secret


def secret_from_variable(variable: str, option: str) -> str:
    """The secret that an environment variable holds.

    Raises:
        ConfigurationError: It is not set, or blank.
    """
    secret = os.environ.get(variable, "")
    if not secret.strip():
        raise ConfigurationError(f"the environment variable named with {option} is not set")
    return secret
