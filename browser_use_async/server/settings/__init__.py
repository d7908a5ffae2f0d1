"""The settings of a server, and the address that it listens on."""

from browser_use_async.server.settings.settings import GROUPS, ServerSettings

__all__ = ["GROUPS", "ServerSettings"]
