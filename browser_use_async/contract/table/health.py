"""The row of the API section Health Check."""

from browser_use_async.api.endpoint_table import Effect, Endpoint

__all__ = ["PING"]

PING = Endpoint("ping", "GET", "/ping", None, Effect.READS, "Health Check", authenticated=False)
