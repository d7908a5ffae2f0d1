"""Which session a call of a tool uses: one for each API key."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from browser_use_async.session import BrowserUseSession

MAX_IDLE = 100  # sessions that no call uses now

OpenSession = Callable[[str], BrowserUseSession]


class KeySessions:
    """Sessions by API key, opened when a key first comes, and closed when it has not come lately.

    The server that they talk to judges the keys.
    """

    def __init__(self, open_session: OpenSession) -> None:
        self._open = open_session
        self._sessions: dict[str, BrowserUseSession] = {}  # the latest used come last
        self._users: Counter[str] = Counter()  # calls that use a session now

    @asynccontextmanager
    async def session(self, key: str) -> AsyncGenerator[BrowserUseSession, None]:
        """The session of a key, which stays open while it is used."""
        session = self._sessions.pop(key, None)
        self._sessions[key] = session = self._open(key) if session is None else session
        self._users[key] += 1
        try:
            yield session
        finally:
            self._users[key] -= 1
            await self._close_idle()

    async def _close_idle(self) -> None:
        idle = [key for key in self._sessions if not self._users[key]]
        for key in idle[: max(len(idle) - MAX_IDLE, 0)]:
            # Out of the table before it is closed: a call that comes meanwhile opens another one.
            del self._users[key]
            await self._sessions.pop(key).aclose()

    async def aclose(self) -> None:
        """Close all of them."""
        while self._sessions:
            _key, session = self._sessions.popitem()
            await session.aclose()
