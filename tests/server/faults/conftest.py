"""Fixtures that check for leaks."""

from tests.support.hygiene import nothing_leaks

__all__ = ["nothing_leaks"]
