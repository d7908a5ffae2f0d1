"""The bundled server of Cloud API v1.

Names are loaded when they are first used, so that its smaller parts come without the whole.
"""

from typing import TYPE_CHECKING

from browser_use_async.lazy import load_on_first_use

if TYPE_CHECKING:
    from browser_use_async.server.executors.settings import AgentSettings, ChromiumSettings
    from browser_use_async.server.faults import Fault
    from browser_use_async.server.local_server import LocalServer
    from browser_use_async.server.settings import ServerSettings
    from browser_use_async.server.webhooks import Webhook

__all__ = [
    "AgentSettings",
    "ChromiumSettings",
    "Fault",
    "LocalServer",
    "ServerSettings",
    "Webhook",
]

_HOMES = {
    "AgentSettings": "executors.settings",
    "ChromiumSettings": "executors.settings",
    "Fault": "faults",
    "LocalServer": "local_server",
    "ServerSettings": "settings",
    "Webhook": "webhooks",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = load_on_first_use(__name__, _HOMES)
