"""Shared bounds and checks: rows, pairs, files, numbers, and local hosts."""

import ipaddress
import sys
from pathlib import PurePath
from typing import Any, get_args

from browser_use_async.errors import ConfigurationError, InvalidRequestError

# Rows on one page of the task list.
MAX_TASK_PAGE = 100

# Pairs of metadata on one task.
MAX_METADATA_PAIRS = 10

# How the bundled server's answer begins if the key's own budget refuses a call; it says what to do.
KEY_BUDGET = "The budget of this API key"


def is_count(value: object) -> bool:
    """Whether a value is a count: a whole number of 1 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def is_seconds(value: object) -> bool:
    """Whether a value is a duration in seconds: a finite number of 0 or more."""
    # True is an int in Python, but no duration.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= sys.float_info.max


def check_counts(**options: object) -> None:
    """Raise `ConfigurationError` for an option that is no count."""
    for name, value in options.items():
        if not is_count(value):
            raise ConfigurationError(f"{name} must be a whole number from 1, not {value!r}")


def check_seconds(
    *, is_optional: bool = False, is_positive: bool = False, **options: object
) -> None:
    """Raise `ConfigurationError` for an option that is no duration."""
    for name, value in options.items():
        if is_optional and value is None:
            continue
        if not is_seconds(value) or (is_positive and value == 0):
            least = "above 0" if is_positive else "of 0 or more"
            raise ConfigurationError(f"{name} must be a number of seconds {least}, not {value!r}")


def check_flags(**options: object) -> None:
    """Raise `ConfigurationError` for the first option that is neither True nor False."""
    for name, value in options.items():
        if not isinstance(value, bool):
            raise ConfigurationError(f"{name} must be True or False, not {value!r:.60}")


def check_word(name: str, value: object, kind: Any) -> None:
    """Raise `InvalidRequestError` for an option of a call that is none of the words of a Literal.

    Such an option says what becomes of a task that costs money.
    """
    words = get_args(kind)
    if value not in words:
        either = f"{', '.join(map(repr, words[:-1]))} or {words[-1]!r}"
        problem = f"{name} must be {either}, not {value!r:.60}; nothing was sent"
        raise InvalidRequestError(problem, field=name)


# The largest file, in bytes.
MAX_FILE_BYTES = 10 * 1024 * 1024

# The largest size of all files of one task together, in bytes.
MAX_TASK_FILE_BYTES = 50 * 1024 * 1024

_OFFICE = "application/vnd.openxmlformats-officedocument"

# The supported suffixes, in lower case, and the content type of each.
CONTENT_TYPES: dict[str, str] = {
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".json": "application/json",
    ".xml": "application/xml",
    ".html": "text/html",
    ".md": "text/markdown",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".doc": "application/msword",
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
}

_CONTENT_TYPE_ALIASES = {
    "text/xml": "application/xml",
    "text/json": "application/json",
    "text/x-markdown": "text/markdown",
    "application/csv": "text/csv",
    "application/xhtml+xml": "text/html",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "application/x-pdf": "application/pdf",
}


def is_supported_content_type(content_type: str) -> bool:
    """Whether uploads may have a content type; its parameters and usual aliases are ignored."""
    name = content_type.partition(";")[0].strip().lower()
    return _CONTENT_TYPE_ALIASES.get(name, name) in CONTENT_TYPES.values()


def content_type_of(file_name: str) -> str | None:
    """The content type of a file name's ending, or None if the API does not accept it."""
    return CONTENT_TYPES.get(PurePath(file_name).suffix.lower())


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its text only; names are not resolved."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
