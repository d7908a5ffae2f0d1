"""From an HTTP request to the operation of its row, and back."""

import inspect
from collections.abc import Awaitable, Callable

from aiohttp import web

from browser_use_async.api.converter import unstructure
from browser_use_async.api.endpoint_table import ME, Endpoint
from browser_use_async.server.answers import RefusalError, json_answer
from browser_use_async.server.authentication import check_key
from browser_use_async.server.backend import Backend
from browser_use_async.server.inputs import read_inputs
from browser_use_async.server.operations import OPERATIONS

__all__ = ["Handler", "handler_of"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def handler_of(endpoint: Endpoint, backend: Backend, api_key: str) -> Handler:
    """The handler that answers a row."""
    answer_call = OPERATIONS[endpoint.name]

    async def handle(request: web.Request) -> web.StreamResponse:
        if endpoint.authenticated:
            try:
                check_key(request.headers.get("Authorization"), api_key)
            except RefusalError as refusal:
                if endpoint is ME and refusal.status == 401:
                    refusal.body = False  # the one call whose answer is about the key
                raise
        inputs = await read_inputs(endpoint, request)
        result = answer_call(backend, *inputs)
        if inspect.isawaitable(result):
            result = await result
        # Clients call .json() on answers that say nothing, so there is an object.
        return json_answer({} if endpoint.returns is None else unstructure(result))

    return handle
