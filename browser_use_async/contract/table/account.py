"""The rows of the API section User."""

from browser_use_async.api.converter import read_balance
from browser_use_async.api.endpoint_table import Effect, Endpoint
from browser_use_async.types import Balance

__all__ = ["CHECK_BALANCE", "ME"]

CHECK_BALANCE = Endpoint(
    "check_balance", "GET", "/balance", Balance, Effect.READS, "User", read=read_balance
)
ME = Endpoint("me", "GET", "/me", bool, Effect.READS, "User")
