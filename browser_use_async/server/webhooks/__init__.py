"""Webhooks: events about tasks, sent to registered addresses."""

from browser_use_async.server.storage.outbox import MOST_DELIVERIES, Attempt, Delivery
from browser_use_async.server.storage.webhooks import Webhook
from browser_use_async.server.webhooks.sender import WebhookSender

__all__ = ["MOST_DELIVERIES", "Attempt", "Delivery", "Webhook", "WebhookSender"]
