"""Exact iteration over pages that shift while they are read."""

from browser_use_async.paging.iterating import PageIterator
from browser_use_async.paging.lists import ListIterator, Rows

__all__ = ["ListIterator", "PageIterator", "Rows"]
