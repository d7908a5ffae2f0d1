"""Which webhooks there are, of this run and of runs before."""

from browser_use_async.server.storage.keeper import Keeper
from browser_use_async.server.webhooks.webhook import Webhook

__all__ = ["Registrations"]

_KIND = "webhook"


class Registrations:
    """The webhooks of one server, in the order of their registration; one for each address."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        restored = [
            Webhook(secret["url"], secret["secret"], id=key)
            for key, secret in keeper.secrets(_KIND)
        ]
        self._webhooks = {webhook.address: webhook for webhook in restored}

    @property
    def all(self) -> tuple[Webhook, ...]:
        """All of them."""
        return tuple(self._webhooks.values())

    def at(self, address: str) -> Webhook | None:
        """The webhook at an address, or None."""
        return self._webhooks.get(address)

    def put(self, webhook: Webhook, *, keep: bool) -> None:
        """Add a webhook, in place of the one at the same address."""
        other = self._webhooks.pop(webhook.address, None)
        if other is not None:
            self._keeper.forget(_KIND, other.id)
        self._webhooks[webhook.address] = webhook
        if keep:
            self._keeper.keep_secret(
                _KIND, webhook.id, {"url": webhook.url, "secret": webhook.secret}
            )

    def remove(self, webhook_id: str) -> bool:
        """Forget a webhook."""
        for webhook in self.all:
            if webhook.id == webhook_id:
                del self._webhooks[webhook.address]
                self._keeper.forget(_KIND, webhook_id)
                return True
        return False
