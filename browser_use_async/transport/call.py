"""What the thin layer knows of the transport."""

from typing import Any, Protocol

from browser_use_async.api.endpoint_table import Endpoint

__all__ = ["Call"]


class Call(Protocol):
    """Makes one call and gives its typed answer."""

    async def __call__(self, endpoint: Endpoint, request: Any = None, body: Any = None) -> Any:
        """Make a call."""
