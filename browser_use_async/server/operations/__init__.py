"""The operations of the endpoint table, by section; the small sections are in `services`."""

from browser_use_async.api.endpoint_table import ENDPOINTS
from browser_use_async.server.http.routes import ROUTES, Route
from browser_use_async.server.operations import (
    browser_profiles,
    scheduled_tasks,
    services,
    tasks,
)

__all__ = ["API_ROUTES", "browser_profiles", "scheduled_tasks", "services", "tasks"]

# The modules above have registered them.
API_ROUTES: list[Route] = [ROUTES[each.name] for each in ENDPOINTS]
