"""The thin layer: one file per API section, one method per HTTP call, no state of its own."""

from browser_use_async.endpoints.account import AccountEndpoints
from browser_use_async.endpoints.building import build_request
from browser_use_async.endpoints.tasks import TaskEndpoints

__all__ = ["AccountEndpoints", "TaskEndpoints", "build_request"]
