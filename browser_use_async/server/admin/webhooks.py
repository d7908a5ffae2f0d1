"""Administration of webhooks, and what was sent to them."""

import attrs

from browser_use_async.api.serialization import given_fields
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.errors import NotFoundError
from browser_use_async.server.http.responses import Json
from browser_use_async.server.http.routes import admin_operation
from browser_use_async.server.keys.api_key import Scope
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage.outbox import STATES, delivery_as_json, whole_delivery_as_json
from browser_use_async.server.webhooks import Webhook
from browser_use_async.types import UNSET, FieldKind, FieldRule
from browser_use_async.types.base import Unset, ruled

_NO_WEBHOOK = "Webhook not found"
_TEXT = FieldRule(FieldKind.TEXT, nullable=False)
_REQUIRED = attrs.evolve(_TEXT, required=True)
_EVENTS = FieldRule(FieldKind.TEXT_LIST, nullable=False)
_FLAG = FieldRule(FieldKind.BOOLEAN, nullable=False)


def _state_problem(given: str) -> str | None:
    return None if given in {"", *STATES} else f"{given!r} is not one of {', '.join(STATES)}"


@attrs.frozen
class NewWebhook:
    """The webhook that is added.

    Attributes:
        url: Where events are sent.
        secret: What both sides sign with.
        events: The statuses of tasks that are reported: `initializing`, `started`, `paused`,
            `stopped`, `finished` and `failed`; all but `failed` if it is left out.
        is_active: Whether events are sent now.
    """

    url: str = ruled(_REQUIRED)
    secret: str = ruled(_REQUIRED, shown=lambda _: "'***'")
    events: list[str] | Unset = ruled(_EVENTS)
    is_active: bool | Unset = ruled(_FLAG)


@attrs.frozen
class WebhookChange:
    """The fields of a webhook that are changed.

    Attributes:
        url: Where events are sent.
        secret: What both sides sign with.
        events: The statuses of tasks that are reported, in place of the former ones.
        is_active: Whether events are sent now.
    """

    url: str | Unset = ruled(_TEXT)
    secret: str | Unset = ruled(_TEXT, shown=lambda _: "'***'")
    events: list[str] | Unset = ruled(_EVENTS)
    is_active: bool | Unset = ruled(_FLAG)


@attrs.frozen
class WebhookId:
    """The webhook that a call is about.

    Attributes:
        webhook_id: The id of the webhook.
    """

    webhook_id: str = ruled(_REQUIRED)


@attrs.frozen
class DeliveryId:
    """The delivery that a call is about.

    Attributes:
        delivery_id: The id of the delivery.
    """

    delivery_id: str = ruled(_REQUIRED)


@attrs.frozen
class DeliveriesQuery:
    """How many of the latest deliveries are asked for.

    Attributes:
        latest: How many; all that are kept if it is not given.
        state: `pending`, `delivered` or `failed`; all of them if it is not given.
    """

    latest: int | Unset = ruled(
        FieldRule(FieldKind.INTEGER, nullable=False, minimum=1, maximum=10**9)
    )
    state: str = ruled(FieldRule(FieldKind.TEXT, nullable=False, check=_state_problem), default="")


@admin_operation("admin_webhooks", "GET /admin/webhooks", Scope.ADMIN)
async def show_webhooks(server: RunningServer) -> Json:
    """Lists the webhooks, without their secrets."""
    await server.webhooks.refresh()
    return Json(webhooks=[_webhook_as_json(each) for each in server.webhooks.webhooks])


@admin_operation("admin_add_webhook", "POST /admin/webhooks", Scope.ADMIN, body=NewWebhook)
async def add_webhook(server: RunningServer, new: NewWebhook) -> Json:
    """Adds a webhook, if its receiver passes the test event."""
    webhook = Webhook(**given_fields(new))
    await server.webhooks.register(webhook)
    return _webhook_as_json(webhook)


@admin_operation(
    "admin_change_webhook",
    "PATCH /admin/webhooks/{webhook_id}",
    Scope.ADMIN,
    parameters=WebhookId,
    body=WebhookChange,
)
async def change_webhook(server: RunningServer, path: WebhookId, change: WebhookChange) -> Json:
    """Changes the fields of a webhook that are given."""
    fields = given_fields(change)
    if not fields:
        names = ", ".join(each.name for each in attrs.fields(WebhookChange))
        raise ConfigurationError(f"The body must have some of {names}")
    changed = await server.webhooks.change(path.webhook_id, fields)
    if changed is None:
        raise NotFoundError(_NO_WEBHOOK)
    return _webhook_as_json(changed)


@admin_operation(
    "admin_remove_webhook", "DELETE /admin/webhooks/{webhook_id}", Scope.ADMIN, parameters=WebhookId
)
async def remove_webhook(server: RunningServer, path: WebhookId) -> None:
    """Removes a webhook, and gives up its pending events."""
    if not await server.webhooks.remove(path.webhook_id):
        raise NotFoundError(_NO_WEBHOOK)


@admin_operation("admin_deliveries", "GET /admin/deliveries", Scope.READ, query=DeliveriesQuery)
async def show_deliveries(server: RunningServer, query: DeliveriesQuery) -> Json:
    """Lists what was sent to webhooks about the owner's tasks, oldest first."""
    outbox, owner = server.webhooks.outbox, server.owner
    count = await outbox.count_of(owner, query.state)
    shown = count or 1 if query.latest is UNSET else int(query.latest)
    deliveries = await outbox.latest_of(owner, shown, query.state)
    texts = await outbox.latest_tasks_of(owner, shown, query.state)
    rows = [{**delivery_as_json(each), "task": texts.get(each.task_id)} for each in deliveries]
    total = await outbox.count_of(owner, "") if query.state else count
    return Json(deliveries=rows, count=count, total_count=total)


# An answer of a receiver may contain what owners of tasks must not see.
@admin_operation(
    "admin_delivery", "GET /admin/deliveries/{delivery_id}", Scope.ADMIN, parameters=DeliveryId
)
async def show_delivery(server: RunningServer, path: DeliveryId) -> Json:
    """Returns what a delivery sent and got back."""
    delivery = await server.webhooks.outbox.get_of(server.owner, path.delivery_id)
    if delivery is None:
        raise NotFoundError("Delivery not found")
    return Json(whole_delivery_as_json(delivery))


@admin_operation(
    "admin_send_again",
    "POST /admin/deliveries/{delivery_id}/again",
    Scope.RUN,
    parameters=DeliveryId,
)
async def send_again(server: RunningServer, path: DeliveryId) -> Json:
    """Sends the event of a delivery that has ended once more, as a new delivery."""
    delivery = await server.webhooks.send_again(path.delivery_id, server.owner)
    if delivery is None:
        raise NotFoundError("Delivery not found, or it is still being sent")
    return Json(delivery_as_json(delivery))


def _webhook_as_json(webhook: Webhook) -> Json:
    return Json(
        id=webhook.id,
        url=webhook.url,
        events=sorted(webhook.events),
        is_active=webhook.is_active,
    )
