"""The guard of routes that need a key: the key of a request, and its scopes."""

from collections.abc import Awaitable, Callable, Collection

import attrs
from aiohttp import web

from browser_use_async.api.endpoint_table import ME
from browser_use_async.server.http.access import ApiKeyCheck
from browser_use_async.server.http.access_log import KEY_OF_REQUEST
from browser_use_async.server.http.errors import HttpError
from browser_use_async.server.keys.api_key import ApiKey, Scope

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
# Also called with the key of the request, which was checked.
KeyHandler = Callable[[web.Request, ApiKey], Awaitable[web.StreamResponse]]


@attrs.frozen(eq=False, repr=False)
class Authorization:
    """Checks the keys and scopes of calls."""

    _keys: ApiKeyCheck

    def guard(self, route: str, scopes: Collection[Scope], handler: KeyHandler) -> Handler:
        """A handler of a route for those whose key has its scopes."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                key = await self._keys.check(request)
            except HttpError as refusal:
                if route == ME.name and refusal.status in {401, 403}:
                    refusal.body = False  # the call that answers whether the key is valid
                raise
            request[KEY_OF_REQUEST] = key
            _check_scopes(key, scopes)
            return await handler(request, key)

        return handle

    def client_of(self, request: web.Request) -> str:
        """The client's address, or for IPv6 the network of one customer."""
        return self._keys.client_of(request)


def _check_scopes(key: ApiKey, scopes: Collection[Scope]) -> None:
    for scope in scopes:
        if scope not in key.scopes:
            missing = f"The API key does not have the scope {scope}, which this needs"
            raise HttpError(403, missing)
