"""The bundled server of Cloud API v1."""

from browser_use_async.server.local_server import LocalServer

__all__ = ["LocalServer"]
