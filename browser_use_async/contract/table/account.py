"""The rows of the API section User."""

from browser_use_async.contract.balance import read_balance
from browser_use_async.contract.endpoint import Effect, Endpoint
from browser_use_async.models import Balance

__all__ = ["CHECK_BALANCE", "ME"]

CHECK_BALANCE = Endpoint(
    "check_balance", "GET", "/balance", Balance, Effect.READS, "User", read=read_balance
)
ME = Endpoint("me", "GET", "/me", bool, Effect.READS, "User")
