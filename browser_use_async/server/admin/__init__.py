"""The calls below `/admin`: what the server's own pages ask, and what its operator does."""

from browser_use_async.server.admin import (
    account,
    backup,
    batches,
    files,
    keys,
    scripts,
    summary,
    tasks,
    webhooks,
)
from browser_use_async.server.http.routes import ROUTES, Route

__all__ = [
    "ADMIN_ROUTES",
    "account",
    "backup",
    "batches",
    "files",
    "keys",
    "scripts",
    "summary",
    "tasks",
    "webhooks",
]

# The modules above have registered them.
ADMIN_ROUTES: list[Route] = [each for each in ROUTES.values() if each.is_administration]
