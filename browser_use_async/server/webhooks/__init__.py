"""Webhooks: events about tasks, sent to registered addresses."""

from browser_use_async.server.webhooks.deliveries import MOST_DELIVERIES, Attempt, Delivery
from browser_use_async.server.webhooks.sender import WebhookSender
from browser_use_async.server.webhooks.webhook import Webhook

__all__ = ["MOST_DELIVERIES", "Attempt", "Delivery", "Webhook", "WebhookSender"]
