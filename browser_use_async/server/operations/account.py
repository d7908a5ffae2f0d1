"""The API sections User and Health Check."""

from browser_use_async.api.endpoint_table import CHECK_BALANCE, ME, PING
from browser_use_async.server.backend import Backend
from browser_use_async.server.operations.registry import operation
from browser_use_async.types import Balance

__all__ = ["check_balance", "me", "ping"]


@operation(CHECK_BALANCE)
def check_balance(backend: Backend) -> Balance:
    """What is left on the account."""
    return Balance(cents=backend.account.balance_cents)


@operation(ME)
def me(backend: Backend) -> bool:
    """Whether the key is good; a wrong one does not come this far."""
    return True


@operation(PING)
def ping(backend: Backend) -> None:
    """Whether the server is there."""
