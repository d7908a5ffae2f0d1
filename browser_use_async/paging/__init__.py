"""Exact iteration over pages that shift while they are read."""

from browser_use_async.paging.iterators import ListIterator, PageIterator

__all__ = ["ListIterator", "PageIterator"]
