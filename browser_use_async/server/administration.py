"""Routes for whoever runs the server; they are no part of the API."""

from decimal import Decimal, InvalidOperation
from ipaddress import ip_address

from aiohttp import web

from browser_use_async.contract.strict_json import JsonRefusedError, read_json
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.answers import RefusalError, json_answer
from browser_use_async.server.authentication import check_key
from browser_use_async.server.backend import Backend
from browser_use_async.server.faults import (
    Fault,
    FaultInjector,
    fault_as_json,
    faults_from_json,
)

__all__ = ["add_administration"]

_MOST_CENTS = Decimal(10) ** 12


def add_administration(
    application: web.Application, backend: Backend, api_key: str, faults: FaultInjector
) -> None:
    """Add the routes. They need the API key, and a client on this machine.

    Args:
        application: Where.
        backend: The server's parts.
        api_key: The server's key.
        faults: What goes wrong on purpose.
    """

    async def add_credits(request: web.Request) -> web.Response:
        """Add credit: `{"cents": 500}`."""
        _check_client(request, api_key)
        backend.account.add(_cents_in(await request.read()))
        return json_answer({"balance": str(backend.account.balance_cents)})

    async def show_faults(request: web.Request) -> web.Response:
        """The rules, and how often each fired."""
        _check_client(request, api_key)
        return _faults_answer(faults)

    async def replace_faults(request: web.Request) -> web.Response:
        """Let other rules hold: `{"faults": [{"kind": "reset"}]}`."""
        _check_client(request, api_key)
        faults.set_faults(_faults_in(await request.read()))
        return _faults_answer(faults)

    application.router.add_post("/admin/credits", add_credits, name="admin_credits")
    application.router.add_get("/admin/faults", show_faults, name="admin_faults")
    application.router.add_put("/admin/faults", replace_faults, name="admin_set_faults")


def _check_client(request: web.Request, api_key: str) -> None:
    try:
        local = ip_address(request.remote or "").is_loopback
    except ValueError:
        local = False
    if not local:
        raise RefusalError(403, "Only clients on this machine may do this")
    check_key(request.headers.get("Authorization"), api_key)


def _faults_answer(faults: FaultInjector) -> web.Response:
    rules = [fault_as_json(fault) for fault in faults.faults]
    return json_answer({"faults": rules, "fired": faults.fired})


def _faults_in(body: bytes) -> list[Fault]:
    try:
        return faults_from_json(read_json(body))
    except (JsonRefusedError, ConfigurationError) as error:
        raise RefusalError(422, str(error)) from None


def _cents_in(body: bytes) -> Decimal:
    try:
        cents = Decimal(str(read_json(body)["cents"]))
    except (JsonRefusedError, InvalidOperation, LookupError, TypeError):
        cents = Decimal("NaN")
    if not cents.is_finite() or not 0 < cents <= _MOST_CENTS:
        raise RefusalError(422, 'The body must be {"cents": N} with a number above 0')
    return cents
