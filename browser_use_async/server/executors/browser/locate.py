"""Finds the browser and Playwright on this machine, and checks their versions."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from browser_use_async.errors import ConfigurationError
from browser_use_async.server.executors.settings import CHROMIUM_VARIABLE as VARIABLE
from browser_use_async.server.executors.settings import ChromiumSettings

BROWSER_EXTRA = "pip install 'browser-use-async[browser]'"
"""The command that installs Playwright."""

LEAST_VERSION = 148
"""The oldest major version of Chromium without a warning.

About half a year older than this release. Each newer version has closed security holes.
"""

_LEAST_DRIVEN = 120
"""The oldest supported major version: older ones lack required commands."""

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
_VERSION = re.compile(r"\b(\d{2,4})\.\d+\.\d+")
_VERSION_SECONDS = 20.0
_WORDS = 300  # characters of what a program says when it fails


def named_browser(path: str | os.PathLike[str] | None = None) -> str:
    """Return the browser that the settings or the environment name; empty if none is named."""
    return os.fspath(path or ChromiumSettings().browser or "")


def find_browser(path: str | os.PathLike[str] | None = None) -> str | None:
    """Return the path of the browser to start, or None if this machine has none."""
    if named := named_browser(path):
        found = shutil.which(named)
        if found is None:
            raise ConfigurationError(f"there is no browser {named!r} that can be started")
        return found
    usual = (shutil.which(name) for name in (*_NAMES, *_PLACES))
    return next((found for found in usual if found is not None), None)


def require_browser(path: str | os.PathLike[str] | None = None) -> str:
    """Return the path of the browser to start, after a check that it runs and is not too old."""
    found = find_browser(path)
    if found is None:
        raise ConfigurationError(
            "no Chromium or Chrome was found; install one (Debian and Ubuntu: apt-get install "
            "chromium; Fedora: dnf install chromium; macOS: brew install --cask chromium), or "
            f"name it in the environment variable {VARIABLE}"
        )
    version = _version(found)
    if version is not None and version < _LEAST_DRIVEN:
        raise ConfigurationError(
            f"{found} is version {version}, and versions before {_LEAST_DRIVEN} cannot be used; "
            f"update it, or name another in the environment variable {VARIABLE}"
        )
    return found


def missing_playwright() -> str | None:
    """Return the sentence that asks for the extra; None if Playwright and its driver exist."""
    missing = [name for name in ("playwright", "PIL") if find_spec(name) is None]
    found = None if missing else find_spec("playwright")
    if found is None or found.origin is None:
        names = ", ".join(missing) or "playwright"
        return f"The executors with a browser need the extra `browser` ({names}): {BROWSER_EXTRA}"
    # Some distributions package Playwright without the program that drives the browser.
    driver = Path(found.origin).parent / "driver"
    node = os.environ.get("PLAYWRIGHT_NODEJS_PATH") or driver / "node"
    if not Path(node).is_file() or not (driver / "package" / "cli.js").is_file():
        return (
            f"Playwright has no driver in {driver}; install it anew from a wheel for this "
            "machine: pip install --force-reinstall playwright"
        )
    return None


def version_warning(program: str) -> str | None:
    """Return the warning for the operator about a browser's version, or None."""
    version = _version(program)
    if version is None or version >= LEAST_VERSION:
        return None
    return (
        f"{program} is version {version}, older than {LEAST_VERSION}: it lacks fixes for "
        "holes that pages can use against this machine; update it"
    )


def _version(program: str) -> int | None:
    """The major version of a browser; None if its answer has none.

    Raises:
        ConfigurationError: The program does not even tell its version.
    """
    try:
        answer = subprocess.run(  # noqa: S603 - the browser that the operator has chosen
            [program, "--version"],
            check=False,
            capture_output=True,
            timeout=_VERSION_SECONDS,
            text=True,
        )
    except subprocess.TimeoutExpired:
        return None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{program} cannot be started: {error}") from None
    if answer.returncode != 0:
        words = answer.stderr.strip()[-_WORDS:] or f"it ended with code {answer.returncode}"
        raise ConfigurationError(f"{program} cannot be started: {words}")
    match = _VERSION.search(answer.stdout)
    return int(match[1]) if match else None
