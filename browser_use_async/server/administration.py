"""Administration routes, which are not part of the API."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address

from aiohttp import web

from browser_use_async.api.converter import unstructure
from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.access import ApiKeyCheck, was_forwarded
from browser_use_async.server.backend import Backend
from browser_use_async.server.faults import (
    Fault,
    FaultInjector,
    fault_as_json,
    faults_from_json,
)
from browser_use_async.server.responses import RefusalError, json_response
from browser_use_async.server.webhooks import Webhook, WebhookSender
from browser_use_async.server.webhooks.deliveries import delivery_as_json
from browser_use_async.types import Balance

ClientCheck = Callable[[web.Request], None]
"""Raises `RefusalError` for a client that may not administrate the server."""

_MOST_CENTS = Decimal(10) ** 12


def add_administration(
    application: web.Application,
    backend: Backend,
    keys: ApiKeyCheck,
    faults: FaultInjector,
    webhooks: WebhookSender,
    check_client: ClientCheck,
) -> None:
    """Add the routes, which need the API key; all but two are for whoever runs the server."""

    def check(request: web.Request) -> None:
        check_client(request)
        keys.check(request)

    async def add_credits(request: web.Request) -> web.Response:
        """Add credit: `{"cents": 500}`."""
        check(request)
        await backend.account.add(_read_cents(await request.read()))
        return json_response(unstructure(Balance(await backend.account.balance_cents())))

    async def show_faults(request: web.Request) -> web.Response:
        """Return the fault rules, and how often each fired."""
        check(request)
        return _faults_response(faults)

    async def replace_faults(request: web.Request) -> web.Response:
        """Replace the fault rules: `{"faults": [{"kind": "reset"}]}`."""
        check(request)
        faults.set_faults(_read_faults(await request.read()))
        return _faults_response(faults)

    async def show_costs(request: web.Request) -> web.Response:
        """Return the cost of tasks in US cents: `?task_id=A&task_id=B`. The home page asks it."""
        keys.check(request)
        records = [await backend.tasks.get(each) for each in request.query.getall("task_id", [])]
        costs = {each.id: str(each.cost_cents) for each in records if each is not None}
        return json_response({"costs": costs})

    async def revoke_links(request: web.Request) -> web.Response:
        """Take back the links to the pages of a task, which then has others."""
        check(request)
        if not await backend.tasks.revoke_links(request.match_info["task_id"]):
            raise RefusalError(404, "Task not found")
        return json_response({})

    application.router.add_delete("/admin/links/{task_id}", revoke_links, name="admin_revoke_links")
    application.router.add_get("/admin/costs", show_costs, name="admin_costs")
    application.router.add_post("/admin/credits", add_credits, name="admin_credits")
    application.router.add_get("/admin/faults", show_faults, name="admin_faults")
    application.router.add_put("/admin/faults", replace_faults, name="admin_set_faults")
    _add_webhooks(application, keys, webhooks, check)


def _add_webhooks(
    application: web.Application, keys: ApiKeyCheck, webhooks: WebhookSender, check: ClientCheck
) -> None:
    async def show_webhooks(request: web.Request) -> web.Response:
        """List the webhooks, without their secrets."""
        check(request)
        return json_response({"webhooks": [_webhook_as_json(each) for each in webhooks.webhooks]})

    async def add_webhook(request: web.Request) -> web.Response:
        """Add a webhook: `{"url": "https://...", "secret": "..."}`."""
        check(request)
        webhook = _read_webhook(await request.read())
        await _register(webhooks, webhook)
        return json_response(_webhook_as_json(webhook))

    async def remove_webhook(request: web.Request) -> web.Response:
        """Remove a webhook."""
        check(request)
        if not await webhooks.remove(request.match_info["webhook_id"]):
            raise RefusalError(404, "Webhook not found")
        return json_response({})

    async def show_deliveries(request: web.Request) -> web.Response:
        """List deliveries, oldest first: `?latest=20`. The home page asks it."""
        keys.check(request)
        count = await webhooks.outbox.count()
        shown = _latest(request.query.get("latest", str(count or 1)))
        deliveries = [delivery_as_json(each) for each in await webhooks.outbox.latest(shown)]
        return json_response({"deliveries": deliveries, "count": count})

    router = application.router
    router.add_get("/admin/webhooks", show_webhooks, name="admin_webhooks")
    router.add_post("/admin/webhooks", add_webhook, name="admin_add_webhook")
    router.add_delete("/admin/webhooks/{webhook_id}", remove_webhook, name="admin_remove_webhook")
    router.add_get("/admin/deliveries", show_deliveries, name="admin_deliveries")


def _latest(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not int(text):
        raise RefusalError(422, "latest must be a whole number above 0")
    return int(text)


def _webhook_as_json(webhook: Webhook) -> dict[str, str]:
    return {"id": webhook.id, "url": webhook.url}


async def _register(webhooks: WebhookSender, webhook: Webhook) -> None:
    # A function of its own: the frame of the route holds the server's key.
    try:
        await webhooks.register(webhook)
    except ConfigurationError as error:
        raise RefusalError(422, str(error)) from None


def _read_webhook(body: bytes) -> Webhook:
    try:
        value = read_json(body)
    except JsonRefusedError as error:
        raise RefusalError(422, str(error)) from None
    if not isinstance(value, dict) or value.keys() != {"url", "secret"}:
        raise RefusalError(422, 'The body must be {"url": "https://...", "secret": "..."}')
    try:
        return Webhook(value["url"], value["secret"])
    except ConfigurationError as error:
        raise RefusalError(422, str(error)) from None


def check_local_client(request: web.Request) -> None:
    """Refuse clients on other machines, also those for whom a proxy on this one asks."""
    try:
        local = ip_address(request.remote or "").is_loopback
    except ValueError:
        local = False
    if not local or was_forwarded(request):
        raise RefusalError(403, "Only clients on this machine may do this")


def check_direct_client(request: web.Request) -> None:
    """Refuse what a proxy has passed on to the listener that is for this machine."""
    if was_forwarded(request):
        raise RefusalError(403, "Only clients on this machine may do this")


def refuse_client(request: web.Request) -> None:
    """Refuse everybody: behind a proxy nobody can be told from the proxy itself."""
    raise RefusalError(
        403,
        "Behind a proxy this is done on a listener of its own, which only this machine reaches: "
        "admin_socket or admin_port (--admin-socket, --admin-port)",
    )


def _faults_response(faults: FaultInjector) -> web.Response:
    rules = [fault_as_json(fault) for fault in faults.faults]
    return json_response({"faults": rules, "fired": faults.fired})


def _read_faults(body: bytes) -> list[Fault]:
    try:
        return faults_from_json(read_json(body))
    except (JsonRefusedError, ConfigurationError) as error:
        raise RefusalError(422, str(error)) from None


def _read_cents(body: bytes) -> Decimal:
    try:
        # Through str, because Decimal(float) has the binary rounding of the float.
        cents = Decimal(str(read_json(body)["cents"]))
    except (JsonRefusedError, InvalidOperation, LookupError, TypeError):
        cents = Decimal("NaN")
    if not cents.is_finite() or not 0 < cents <= _MOST_CENTS:
        raise RefusalError(422, 'The body must be {"cents": N} with a number above 0')
    return cents
