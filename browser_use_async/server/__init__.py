"""The bundled server of Cloud API v1.

Names are loaded when they are first used, so that its smaller parts come without the whole.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from browser_use_async.server.executors.agent.settings import AgentSettings
    from browser_use_async.server.executors.chromium.settings import ChromiumSettings
    from browser_use_async.server.faults import Fault
    from browser_use_async.server.local_server import LocalServer
    from browser_use_async.server.webhooks import Webhook

__all__ = ["AgentSettings", "ChromiumSettings", "Fault", "LocalServer", "Webhook"]

_HOMES = {
    "AgentSettings": "executors.agent.settings",
    "ChromiumSettings": "executors.chromium.settings",
    "Fault": "faults",
    "LocalServer": "local_server",
    "Webhook": "webhooks",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All public names, whether they are loaded or not."""
    return [*__all__]
