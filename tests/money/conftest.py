"""A fake API and a session with it, both in the test's own loop."""

from tests.support.api_bench import api, nothing_leaks, open_session

__all__ = ["api", "nothing_leaks", "open_session"]
