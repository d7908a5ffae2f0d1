"""Finding the browser on this machine."""

import os
import shutil

from browser_use_async.errors import ConfigurationError

VARIABLE = "BROWSER_USE_SERVER_CHROMIUM"
"""The environment variable that names the browser."""

_NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "brave-browser",
)
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def find_browser(path: str | os.PathLike[str] | None = None) -> str | None:
    """The browser to start, or None if this machine has none.

    Args:
        path: What the operator named: a file, or a name to look up in `PATH`.

    Raises:
        ConfigurationError: The one that was named, here or in `BROWSER_USE_SERVER_CHROMIUM`,
            cannot be started.
    """
    named = os.fspath(path) if path is not None else os.environ.get(VARIABLE, "")
    if named:
        found = shutil.which(named)
        if found is None:
            raise ConfigurationError(f"there is no browser {named!r} that can be started")
        return found
    usual = (shutil.which(name) for name in (*_NAMES, *_PLACES))
    return next((found for found in usual if found is not None), None)


def require_browser(path: str | os.PathLike[str] | None = None) -> str:
    """The browser to start.

    Args:
        path: What the operator named.

    Raises:
        ConfigurationError: There is none; the text says how to get one.
    """
    found = find_browser(path)
    if found is None:
        raise ConfigurationError(
            "no Chromium or Chrome was found; install one (Debian and Ubuntu: apt-get install "
            "chromium; Fedora: dnf install chromium; macOS: brew install --cask chromium), or "
            f"name it with --browser or the environment variable {VARIABLE}"
        )
    return found
