"""Administration routes, which are not part of the API."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from typing import Any

from aiohttp import web

from browser_use_async.api.converter import unstructure
from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.access import was_forwarded
from browser_use_async.server.backend import Backend
from browser_use_async.server.faults import (
    Fault,
    FaultInjector,
    fault_as_json,
    faults_from_json,
)
from browser_use_async.server.http.errors import HttpError
from browser_use_async.server.keys.admin_client import NO_KEY
from browser_use_async.server.keys.administration import MAX_ENTRIES
from browser_use_async.server.keys.api_key import DEFAULT_NAME, Scope
from browser_use_async.server.keys.authorization import Authorization, Call, CallHandler
from browser_use_async.server.keys.new_key import new_key_from_json
from browser_use_async.server.keys.scopes import SCOPES
from browser_use_async.server.responses import json_response
from browser_use_async.server.storage.account import Account
from browser_use_async.server.webhooks import Webhook, WebhookSender
from browser_use_async.server.webhooks.deliveries import delivery_as_json, whole_delivery_as_json
from browser_use_async.types import Balance

# Raises `HttpError` for a client that may not administrate the server.
ClientCheck = Callable[[web.Request], None]

AddRoute = Callable[[str, str, str, CallHandler], None]

_MOST_CENTS = Decimal(10) ** 12
_WEBHOOK_FIELDS = ("url", "secret", "events", "is_active")
_LATEST_ENTRIES = 1000  # of the audit trail, unless the request says how many


def add_administration(
    application: web.Application,
    backend: Backend,
    authorization: Authorization,
    faults: FaultInjector,
    webhooks: WebhookSender,
    check_client: ClientCheck,
) -> None:
    """Add the routes, which need an API key; most are for the operator."""

    def add(method: str, path: str, route: str, handler: CallHandler) -> None:
        async def check_and_answer(request: web.Request, call: Call) -> web.StreamResponse:
            if SCOPES[route] is Scope.ADMIN:
                check_client(request)
            return await handler(request, call)

        handle = authorization.guard(route, check_and_answer)
        application.router.add_route(method, path, handle, name=route)

    _add_credit_and_faults(add, backend, faults)
    _add_webhooks(add, webhooks, backend.account)
    _add_deliveries(add, webhooks)
    _add_keys(add, backend)
    _add_revoking_of_keys(add, backend)


def _add_credit_and_faults(add: AddRoute, backend: Backend, faults: FaultInjector) -> None:
    async def add_credits(request: web.Request, _call: Call) -> web.Response:
        """Add credit: `{"cents": 500}`."""
        await backend.account.add(_read_cents(await request.read()))
        return json_response(unstructure(Balance(await backend.account.balance_cents())))

    async def show_faults(_request: web.Request, _call: Call) -> web.Response:
        """Return the fault rules, and how often each fired."""
        return _faults_response(faults)

    async def replace_faults(request: web.Request, _call: Call) -> web.Response:
        """Replace the fault rules: `{"faults": [{"kind": "reset"}]}`."""
        rules = _read_faults(await request.read())
        try:
            faults.set_faults(rules)
        except ConfigurationError as error:
            raise HttpError(422, str(error)) from None
        return _faults_response(faults)

    async def show_costs(request: web.Request, call: Call) -> web.Response:
        """Return the cost of tasks in US cents: `?task_id=A&task_id=B`. The home page asks it."""
        tasks = backend.of(call.key.name).tasks
        records = [await tasks.get(each) for each in request.query.getall("task_id", [])]
        costs = {each.id: str(each.cost_cents) for each in records if each is not None}
        return json_response({"costs": costs})

    async def revoke_links(request: web.Request, _call: Call) -> web.Response:
        """Take back the links to the pages of a task, which then has others."""
        if not await backend.tasks.revoke_links(request.match_info["task_id"]):
            raise HttpError(404, "Task not found")
        return json_response({})

    add("DELETE", "/admin/links/{task_id}", "admin_revoke_links", revoke_links)
    add("GET", "/admin/costs", "admin_costs", show_costs)
    add("POST", "/admin/credits", "admin_credits", add_credits)
    add("GET", "/admin/faults", "admin_faults", show_faults)
    add("PUT", "/admin/faults", "admin_set_faults", replace_faults)


def _add_webhooks(add: AddRoute, webhooks: WebhookSender, account: Account) -> None:
    async def show_webhooks(_request: web.Request, _call: Call) -> web.Response:
        """List the webhooks, without their secrets."""
        await webhooks.refresh()
        return json_response({"webhooks": [_webhook_as_json(each) for each in webhooks.webhooks]})

    async def add_webhook(request: web.Request, call: Call) -> web.Response:
        """Add a webhook: `{"url": "https://...", "secret": "..."}`."""
        account.require_subscription("Creating webhooks")
        webhook = _read_webhook(await request.read())
        await _register(webhooks, webhook)
        call.subject = webhook.id
        return json_response(_webhook_as_json(webhook))

    async def change_webhook(request: web.Request, _call: Call) -> web.Response:
        """Change a webhook: `{"url": "https://...", "events": ["finished"], "is_active": true}`."""
        fields = _read_fields(await request.read())
        changed = await _change(webhooks, request.match_info["webhook_id"], fields)
        if changed is None:
            raise HttpError(404, "Webhook not found")
        return json_response(_webhook_as_json(changed))

    async def remove_webhook(request: web.Request, _call: Call) -> web.Response:
        """Remove a webhook."""
        if not await webhooks.remove(request.match_info["webhook_id"]):
            raise HttpError(404, "Webhook not found")
        return json_response({})

    add("GET", "/admin/webhooks", "admin_webhooks", show_webhooks)
    add("POST", "/admin/webhooks", "admin_add_webhook", add_webhook)
    add("PATCH", "/admin/webhooks/{webhook_id}", "admin_change_webhook", change_webhook)
    add("DELETE", "/admin/webhooks/{webhook_id}", "admin_remove_webhook", remove_webhook)


def _add_deliveries(add: AddRoute, webhooks: WebhookSender) -> None:
    async def show_deliveries(request: web.Request, call: Call) -> web.Response:
        """List deliveries, oldest first: `?latest=20`. The home page asks it."""
        owner = call.key.name
        count = await webhooks.outbox.count_of(owner)
        shown = _latest(request.query.get("latest", str(count or 1)))
        deliveries = await webhooks.outbox.latest_of(owner, shown)
        texts = await webhooks.outbox.latest_tasks_of(owner, shown)
        rows = [{**delivery_as_json(each), "task": texts.get(each.task_id)} for each in deliveries]
        return json_response({"deliveries": rows, "count": count})

    async def show_delivery(request: web.Request, call: Call) -> web.Response:
        """Show what a delivery sent and got back, for the operator only."""
        # An answer can tell of the receiver what is not for the owners of tasks.
        delivery_id = request.match_info["delivery_id"]
        delivery = await webhooks.outbox.get_of(call.key.name, delivery_id)
        if delivery is None:
            raise HttpError(404, "Delivery not found")
        return json_response(whole_delivery_as_json(delivery))

    async def send_again(request: web.Request, call: Call) -> web.Response:
        """Send the event of a delivery that has ended once more, as a new delivery."""
        delivery = await webhooks.send_again(request.match_info["delivery_id"], call.key.name)
        if delivery is None:
            raise HttpError(404, "Delivery not found, or it is still being sent")
        return json_response(delivery_as_json(delivery))

    add("GET", "/admin/deliveries/{delivery_id}", "admin_delivery", show_delivery)
    add("POST", "/admin/deliveries/{delivery_id}/again", "admin_send_again", send_again)
    add("GET", "/admin/deliveries", "admin_deliveries", show_deliveries)


def _add_keys(add: AddRoute, backend: Backend) -> None:
    keys = backend.keys

    async def show_keys(_request: web.Request, _call: Call) -> web.Response:
        """List the keys, without their texts."""
        return json_response({"keys": await keys.all()})

    async def add_key(request: web.Request, call: Call) -> web.Response:
        """Add a key: `{"name": "shop"}`. Only this answer has its text."""
        try:
            added = await keys.add(new_key_from_json(read_json(await request.read())))
        except (JsonRefusedError, ConfigurationError) as error:
            raise HttpError(422, str(error)) from None
        call.subject = added["id"]
        return json_response(added, headers={"Cache-Control": "no-store"})

    async def show_audit(request: web.Request, _call: Call) -> web.Response:
        """List the audit trail, oldest first: `?latest=100&name=shop`."""
        latest = _latest(request.query.get("latest", str(_LATEST_ENTRIES)))
        if latest > MAX_ENTRIES:
            raise HttpError(422, f"latest may be {MAX_ENTRIES} at most")
        entries = await keys.entries(latest, request.query.get("name"))
        return json_response({"entries": entries})

    add("GET", "/admin/keys", "admin_keys", show_keys)
    add("POST", "/admin/keys", "admin_add_key", add_key)
    add("GET", "/admin/audit", "admin_audit", show_audit)


def _add_revoking_of_keys(add: AddRoute, backend: Backend) -> None:
    keys = backend.keys

    async def revoke_key(request: web.Request, _call: Call) -> web.Response:
        """Revoke a key, and end what is held for it."""
        revoked = await keys.revoke(request.match_info["key_id"])
        if revoked is None:
            raise HttpError(404, NO_KEY)
        backend.held_calls.end(revoked["id"])
        owner = revoked["name"]
        if owner != DEFAULT_NAME and not await keys.has_valid(owner):
            # The holder of a link to a task of theirs may steer it no longer.
            await backend.tasks.of(owner).revoke_links_at_work()
        return json_response(revoked)

    add("DELETE", "/admin/keys/{key_id}", "admin_revoke_key", revoke_key)


def _latest(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not int(text):
        raise HttpError(422, "latest must be a whole number above 0")
    return int(text)


def _webhook_as_json(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": sorted(webhook.events),
        "is_active": webhook.is_active,
    }


async def _register(webhooks: WebhookSender, webhook: Webhook) -> None:
    # A function of its own: the frame of the route holds the server's key.
    try:
        await webhooks.register(webhook)
    except ConfigurationError as error:
        raise HttpError(422, str(error)) from None


async def _change(
    webhooks: WebhookSender, webhook_id: str, fields: dict[str, Any]
) -> Webhook | None:
    try:
        return await webhooks.change(webhook_id, fields)
    except ConfigurationError as error:
        raise HttpError(422, str(error)) from None


def _read_webhook(body: bytes) -> Webhook:
    fields = _read_fields(body)
    if not {"url", "secret"} <= fields.keys():
        raise HttpError(422, 'The body must be {"url": "https://...", "secret": "..."}')
    try:
        return Webhook(**fields)
    except ConfigurationError as error:
        raise HttpError(422, str(error)) from None


def _read_fields(body: bytes) -> dict[str, Any]:
    try:
        value = read_json(body)
    except JsonRefusedError as error:
        raise HttpError(422, str(error)) from None
    if not isinstance(value, dict) or not value or not value.keys() <= {*_WEBHOOK_FIELDS}:
        raise HttpError(422, f"The body must be an object of {', '.join(_WEBHOOK_FIELDS)}")
    return value


def check_local_client(request: web.Request) -> None:
    """Refuse clients on other machines, also through a proxy on this one."""
    try:
        local = ip_address(request.remote or "").is_loopback
    except ValueError:
        local = False
    if not local or was_forwarded(request):
        raise HttpError(403, "Only clients on this machine may do this")


def check_direct_client(request: web.Request) -> None:
    """Refuse what a proxy has passed on to the listener that is for this machine."""
    if was_forwarded(request):
        raise HttpError(403, "Only clients on this machine may do this")


def refuse_client(request: web.Request) -> None:
    """Refuse all clients: behind a proxy each of them looks like the proxy."""
    raise HttpError(
        403,
        "Behind a proxy this is done on a listener of its own, which only this machine reaches: "
        "admin_socket (--admin-socket)",
    )


def _faults_response(faults: FaultInjector) -> web.Response:
    rules = [fault_as_json(fault) for fault in faults.faults]
    return json_response({"faults": rules, "fired": faults.fired})


def _read_faults(body: bytes) -> list[Fault]:
    try:
        return faults_from_json(read_json(body))
    except (JsonRefusedError, ConfigurationError) as error:
        raise HttpError(422, str(error)) from None


def _read_cents(body: bytes) -> Decimal:
    try:
        # Through str, because Decimal(float) has the binary rounding of the float.
        cents = Decimal(str(read_json(body)["cents"]))
    except (JsonRefusedError, InvalidOperation, LookupError, TypeError):
        cents = Decimal("NaN")
    if not cents.is_finite() or not 0 < cents <= _MOST_CENTS:
        raise HttpError(422, 'The body must be {"cents": N} with a number above 0')
    return cents
