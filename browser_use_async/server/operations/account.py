"""The API sections User and Health Check."""

from browser_use_async.api.endpoint_table import CHECK_BALANCE, ME, PING
from browser_use_async.server.backend import Backend, operation
from browser_use_async.server.executors.protocol import RemoteAccount
from browser_use_async.server.responses import RefusalError
from browser_use_async.server.storage.database import DEFAULT_OWNER
from browser_use_async.types import Balance


@operation(CHECK_BALANCE)
async def check_balance(backend: Backend) -> Balance:
    """Return the balance of the account that pays."""
    remote = await _remote_account(backend)
    if remote is None:
        return Balance(cents=await backend.account.balance_cents())
    if remote.cents is None:  # an old amount would be taken for credit that may be gone
        raise RefusalError(503, f"The balance is not known. {remote.problem}")
    left = await backend.account.budget_left_cents()
    return Balance(cents=remote.cents if left is None else min(remote.cents, left))


@operation(ME)
async def me(backend: Backend) -> bool:
    """Return True; a request with a wrong key is refused before."""
    remote = await _remote_account(backend)
    if remote is not None and remote.cents is None:
        raise RefusalError(401 if remote.is_key_refused else 503, remote.problem)
    return True


@operation(PING)
def ping(backend: Backend) -> None:
    """Answer that the server is there."""


async def _remote_account(backend: Backend) -> RemoteAccount | None:
    """What another service says of the account that pays it, to the server's own key only."""
    ask = backend.runner.capabilities.account
    return await ask() if ask is not None and backend.account.owner == DEFAULT_OWNER else None
