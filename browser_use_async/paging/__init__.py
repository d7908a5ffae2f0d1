"""Exact iteration over pages that shift while they are read."""

from browser_use_async.paging.iterating import PageIterator

__all__ = ["PageIterator"]
