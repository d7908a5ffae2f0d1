"""The command line `browser-use-async`. rich adds colours and is optional."""

from browser_use_async.cli.program import main

__all__ = ["main"]
