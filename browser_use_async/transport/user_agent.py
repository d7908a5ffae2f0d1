"""How the package introduces itself."""

import sys

from browser_use_async.version import __version__

__all__ = ["USER_AGENT"]

USER_AGENT = f"browser-use-async/{__version__} Python/{sys.version.partition(' ')[0]}"
"""The value of the header `User-Agent`."""
