"""How the package introduces itself."""

import sys
from functools import cache

__all__ = ["package_version", "user_agent"]


@cache
def package_version() -> str:
    """The installed version, or `0` in a checkout that is not installed."""
    # Reading metadata imports as much as a tenth of this package: only when somebody asks.
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        return version("browser-use-async")
    except PackageNotFoundError:
        return "0"


@cache
def user_agent() -> str:
    """The value of the header `User-Agent`."""
    return f"browser-use-async/{package_version()} Python/{sys.version.partition(' ')[0]}"
