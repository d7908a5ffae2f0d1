"""The command line `browser-use-async`. rich makes it prettier and is not needed."""

from browser_use_async.cli.program import main

__all__ = ["main"]
