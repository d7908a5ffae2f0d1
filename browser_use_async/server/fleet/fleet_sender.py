"""The sender of webhook events in a fleet, where jobs hand out the deliveries."""

from browser_use_async.server.webhooks import Webhook, WebhookSender
from browser_use_async.server.webhooks.events import retry_delay


class FleetSender(WebhookSender):
    """Sends one event for each job that this server takes."""

    async def register(self, webhook: Webhook, *, save: bool = True) -> None:
        """Register a webhook for all servers: it is always saved."""
        await super().register(webhook, save=True)

    async def deliver(self, number: int) -> float | None:
        """Try once to deliver an event; returns the seconds until the next attempt, or None.

        The caller ensures that events about one task come one after the other.
        """
        delivery = await self.outbox.get(number)
        if delivery is None or delivery.state != "pending":
            return None
        await self.refresh()
        webhook = self._webhooks.get(delivery.address)
        if webhook is not None:
            attempt = await self._attempt(webhook, delivery)
            if attempt.succeeded:
                await self.outbox.save(delivery, "delivered")
                return None
            seconds = retry_delay(len(delivery.attempts), self._first_retry)
            if seconds is not None:
                await self.outbox.save(delivery)
                return seconds
        await self._give_up(webhook, delivery)
        return None

    def _work_on(self, address: str, task_id: str) -> None:
        """Do nothing: each event has a job, written with it."""

    async def aclose(self) -> None:
        """Do nothing: the other servers deliver the rest."""
