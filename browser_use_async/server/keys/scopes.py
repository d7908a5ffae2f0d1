"""Which scope each route needs: one table for the calls of the API and for administration."""

from collections.abc import Mapping

from browser_use_async.api.endpoint_table import ENDPOINTS, ME, Endpoint
from browser_use_async.server.http.errors import HttpError
from browser_use_async.server.keys.api_key import ApiKey, Scope

# The route whose numbers a monitoring system reads every few seconds.
METRICS = "metrics"


def _scope_of(endpoint: Endpoint) -> Scope | None:
    if endpoint is ME or not endpoint.authenticated:
        return None  # whether a key is good is for the key to ask, whatever it may do
    return Scope.READ if endpoint.method == "GET" else Scope.RUN


# By the name of the route; None for those that any key may ask.
SCOPES: Mapping[str, Scope | None] = {
    **{endpoint.name: _scope_of(endpoint) for endpoint in ENDPOINTS},
    "task_gif": Scope.READ,
    # What the pages show of a client's own tasks
    "admin_costs": Scope.READ,
    "admin_deliveries": Scope.READ,
    "admin_key": None,
    "admin_delete_upload": Scope.RUN,
    "admin_files": Scope.READ,
    "admin_next_runs": Scope.READ,
    "admin_overview": Scope.READ,
    "admin_overview_task": Scope.READ,
    "admin_send_again": Scope.RUN,
    "admin_share": Scope.RUN,
    "admin_unshare": Scope.RUN,
    **dict.fromkeys(
        (
            "admin_credits",
            "admin_delivery",
            "admin_faults",
            "admin_set_faults",
            "admin_revoke_links",
            "admin_webhooks",
            "admin_add_webhook",
            "admin_change_webhook",
            "admin_remove_webhook",
            "admin_keys",
            "admin_add_key",
            "admin_revoke_key",
            "admin_audit",
            METRICS,
        ),
        Scope.ADMIN,
    ),
}

# Routes whose answers are links to all of a task, which their holder reads without a key.
_SHOWING = {"admin_share"}


def check_scope(key: ApiKey, route: str) -> None:
    """Refuse what a key has no scope for.

    Raises:
        HttpError: 403, which names the scope.
    """
    for scope in (SCOPES[route], Scope.READ if route in _SHOWING else None):
        if scope is not None and scope not in key.scopes:
            missing = f"The API key does not have the scope {scope}, which this needs"
            raise HttpError(403, missing)
