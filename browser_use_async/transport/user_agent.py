"""How the package introduces itself."""

import sys
from importlib.metadata import PackageNotFoundError, version

__all__ = ["USER_AGENT", "package_version"]


def package_version() -> str:
    """The installed version, or `0` in a checkout that is not installed."""
    try:
        return version("browser-use-async")
    except PackageNotFoundError:
        return "0"


USER_AGENT = f"browser-use-async/{package_version()} Python/{sys.version.partition(' ')[0]}"
