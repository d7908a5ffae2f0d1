"""Whether the browser of this machine is too old to open pages of strangers."""

import re
import subprocess

LEAST_VERSION = 148
"""The oldest major version of Chromium that is used without a warning.

About half a year behind this release: each version since has closed holes that a page could use.
"""

_VERSION = re.compile(r"\b(\d{2,4})\.\d+\.\d+")
_SECONDS = 20.0


def version_warning(program: str) -> str | None:
    """What to tell the operator about a browser, or None if there is nothing to tell.

    Args:
        program: Its file, which is asked for its version; takes a fraction of a second.
    """
    try:
        answer = subprocess.run(  # noqa: S603 - the browser that the operator has chosen
            [program, "--version"], check=False, capture_output=True, timeout=_SECONDS, text=True
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None  # it says so itself when it is needed
    match = _VERSION.search(answer.stdout)
    if match is None or int(match[1]) >= LEAST_VERSION:
        return None
    return (
        f"{program} is version {match[1]}, older than {LEAST_VERSION}: it lacks fixes for "
        "holes that pages can use against this machine; update it"
    )
