"""Administration of API keys."""

from typing import Any

import attrs

from browser_use_async.server.errors import NotFoundError
from browser_use_async.server.http.responses import Json
from browser_use_async.server.http.routes import admin_operation
from browser_use_async.server.keys.api_key import NO_KEY, ApiKey, NewKey, Scope
from browser_use_async.server.keys.api_keys import ListedKey
from browser_use_async.server.records import DEFAULT_OWNER
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.storage.rows import to_moment
from browser_use_async.types import FieldKind, FieldRule
from browser_use_async.types.base import ruled


@attrs.frozen
class KeyId:
    """The key that a call is about.

    Attributes:
        key_id: The id of the key, which is not its text.
    """

    key_id: str = ruled(FieldRule(FieldKind.TEXT, required=True))


@admin_operation("admin_keys", "GET /admin/keys", Scope.ADMIN)
async def show_keys(server: RunningServer) -> Json:
    """Lists the API keys, oldest first, without their texts."""
    return Json(keys=[_listed_as_json(each) for each in await server.stores.api_keys.all()])


@admin_operation("admin_add_key", "POST /admin/keys", Scope.ADMIN, body=NewKey)
async def add_key(server: RunningServer, new: NewKey) -> Json:
    """Makes an API key. Only this answer has its text."""
    key, text = await server.stores.api_keys.add(new)
    return Json(**_key_as_json(key), key=text)


@admin_operation("admin_revoke_key", "DELETE /admin/keys/{key_id}", Scope.ADMIN, parameters=KeyId)
async def revoke_key(server: RunningServer, path: KeyId) -> Json:
    """Revokes an API key, and ends the calls that wait for a change with it."""
    revoked = await server.stores.api_keys.revoke(path.key_id)
    if revoked is None:
        raise NotFoundError(NO_KEY)
    server.held_calls.end(revoked.id)
    if revoked.name != DEFAULT_OWNER and not await server.stores.api_keys.has_valid(revoked.name):
        # The holder of a link to a task of theirs may steer it no longer.
        await server.stores.tasks.of(revoked.name).revoke_links_at_work()
    return Json(_key_as_json(revoked))


def _key_as_json(key: ApiKey) -> dict[str, Any]:
    moments = ("created_at", "expires_at", "revoked_at", "last_used_at")
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        **{name: to_moment(getattr(key, name)) for name in moments},
    }


def _listed_as_json(listed: ListedKey) -> dict[str, Any]:
    budget = listed.budget_cents
    return {
        **_key_as_json(listed.key),
        # Strings, as in the API: JSON numbers would round fractions of a cent.
        "spent_cents": f"{listed.spent_cents.normalize():f}",
        "budget_cents": None if budget is None else f"{budget.normalize():f}",
        "concurrency": listed.concurrency,
        "is_valid": listed.is_valid,
    }
