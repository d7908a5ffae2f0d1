"""The API sections User and Health Check."""

from browser_use_async.api.endpoint_table import CHECK_BALANCE, ME, PING
from browser_use_async.server.backend import Backend, operation
from browser_use_async.types import Balance


@operation(CHECK_BALANCE)
async def check_balance(backend: Backend) -> Balance:
    """Return the balance of the account."""
    return Balance(cents=await backend.account.balance_cents())


@operation(ME)
def me(backend: Backend) -> bool:
    """Return True; a request with a wrong key is refused before."""
    return True


@operation(PING)
def ping(backend: Backend) -> None:
    """Answer that the server is there."""
