"""Webhooks: events about tasks, sent to registered addresses."""

from browser_use_async.server.webhooks.deliveries import Attempt, Delivery
from browser_use_async.server.webhooks.sender import WebhookSender
from browser_use_async.server.webhooks.webhook import Webhook

__all__ = ["Attempt", "Delivery", "Webhook", "WebhookSender"]
