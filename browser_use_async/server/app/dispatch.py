"""Dispatch of a request to the operation of its endpoint: key, inputs, response.

Errors are worded as the service words them: those of the key as its framework did in 2025, those
of the inputs as FastAPI does.
"""

import inspect
import json
from collections.abc import Mapping
from email.message import Message
from functools import lru_cache, partial
from typing import Any

import attrs
from aiohttp import web

from browser_use_async.api.converter import unstructure
from browser_use_async.api.endpoint_table import Effect, Endpoint
from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.validation import Problem, validate
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.app.coercion import coerced
from browser_use_async.server.checks import no_such
from browser_use_async.server.errors import InvalidRequestError
from browser_use_async.server.http.access import ClientCheck
from browser_use_async.server.http.authorization import Authorization, Call, CallHandler, Handler
from browser_use_async.server.http.call_quota import CallQuota
from browser_use_async.server.http.errors import HttpError
from browser_use_async.server.http.held_calls import Reader
from browser_use_async.server.http.ready_answers import Ready, ready_response
from browser_use_async.server.http.responses import Json, id_of, json_response
from browser_use_async.server.http.submission_keys import (
    KEYED,
    answer_once,
    key_of,
    search_once,
)
from browser_use_async.server.keys.api_key import DEFAULT_KEY, ApiKey, Scope
from browser_use_async.server.routes import Route
from browser_use_async.server.running_server import RunningServer
from browser_use_async.types import FieldKind, rules_of


async def read_inputs(route: Route, request: web.Request) -> list[Any]:
    """Read and validate the path, query and body objects of a call, in this order.

    Raises:
        InvalidRequestError: The problems found.
        HttpError: 400 for a body that cannot be read, 422 for one of administration.
    """
    endpoint = route.endpoint
    parts: list[tuple[str, type[Any], Mapping[str, Any]]] = []
    if endpoint.parameters is not None:
        parts.append(("path", endpoint.parameters, request.match_info))
    if endpoint.query is not None:
        parts.append(("query", endpoint.query, _query(endpoint.query, request)))
    if endpoint.body is not None and route.is_administration:
        parts.append(("body", endpoint.body, await _read_admin_object(request, endpoint.body)))
    elif endpoint.body is not None:
        parts.append(("body", endpoint.body, await _read_object(request)))
    inputs: list[Any] = []
    problems: list[tuple[str, Problem]] = []
    for part, model, given in parts:
        is_own = part == "body" and route.is_administration
        values, found = validate(model, given, None if is_own else coerced)
        problems += [(part, problem) for problem in found]
        if not found:
            inputs.append(model(**values))
    if problems and route.is_administration:
        raise HttpError(422, "; ".join(problem.sentence for _, problem in problems))
    if problems:
        raise InvalidRequestError(*problems)
    return inputs


def _query(model: type[Any], request: web.Request) -> dict[str, Any]:
    # Of a repeated parameter the last one counts, which is what a dict keeps.
    given: dict[str, Any] = dict(request.query.items())
    for name, rule in rules_of(model).items():
        if rule.kind is FieldKind.TEXT_LIST and name in given:
            given[name] = request.query.getall(name)
    return given


async def _read_admin_object(request: web.Request, model: type[Any]) -> Mapping[str, Any]:
    """The object in the body. Its values are taken as they are, and unknown fields are refused.

    A mistyped name would otherwise make a key with more scopes than it was to have.
    """
    try:
        value = read_json(await request.read())
    except JsonRefusedError as error:
        raise HttpError(422, str(error)) from None
    given = value if isinstance(value, dict) else {}
    names = [each.name for each in attrs.fields(model)]
    for unknown in given.keys() - {*names}:
        raise HttpError(422, f"{unknown}: {no_such(unknown, names)}")
    return given


async def _read_object(request: web.Request) -> Mapping[str, Any]:
    body = await request.read()
    if not body:
        raise _refused_body("missing", "Field required", None)
    if _is_json(request.headers.get("Content-Type")):
        value = _read_json(body)
    else:
        value = body.decode("utf-8", "replace")
    if value is None:
        raise _refused_body("missing", "Field required", None)
    if not isinstance(value, dict):
        message = "Input should be a valid dictionary or object to extract fields from"
        raise _refused_body("model_attributes_type", message, value)
    return value


@lru_cache(maxsize=64)  # clients send the same one with each call
def _is_json(content_type: str | None) -> bool:
    """Whether the service's framework parses a body of this type as JSON, or of no type."""
    if content_type is None:
        return True
    message = Message()
    message["Content-Type"] = content_type
    subtype = message.get_content_subtype()
    is_application = message.get_content_maintype() == "application"
    return is_application and (subtype == "json" or subtype.endswith("+json"))


def _read_json(body: bytes) -> Any:
    encoding = json.detect_encoding(body)
    if encoding != "utf-8":  # Programs on Windows send a byte order mark, or UTF-16
        body = body.decode(encoding, "replace").encode()
    try:
        return read_json(body)
    except JsonRefusedError:
        pass
    # Parsed again by the standard library, which reports where the text stops being JSON.
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        place, reason = error.pos, error.msg
    except (ValueError, RecursionError):
        raise HttpError(400, "There was an error parsing the body") from None
    else:
        raise HttpError(400, "There was an error parsing the body")
    raise _refused_body("json_invalid", "JSON decode error", {}, place, error=reason)


def _refused_body(
    kind: str, message: str, value: Any, *place: int, **context: str
) -> InvalidRequestError:
    return InvalidRequestError(("body", Problem(place, message, kind, value, context)))


def handler_of(
    route: Route,
    server: RunningServer,
    authorization: Authorization,
    check_client: ClientCheck,
    quota: CallQuota | None = None,
) -> Handler:
    """The request handler of a route, whose calls count for a quota if there is one."""
    endpoint = route.endpoint
    hold = server.held_calls.holds.get(endpoint)

    async def answer(request: web.Request, call: Call) -> web.StreamResponse:
        view = server.of(call.key.name, call.key.scopes)
        inputs = await read_inputs(route, request)
        held = None
        if hold is not None:
            held = await hold(request, _reader(call.key, view), *inputs)
        if isinstance(held, web.StreamResponse):
            return held
        result = await _carried_out(route, view, request, call, inputs)
        if endpoint.effect is Effect.CREATES and not isinstance(result, web.Response):
            call.subject = id_of(result)
        return response_of(view, request, endpoint, result, held)

    if endpoint.authenticated:
        handler: CallHandler = answer if quota is None else quota.limit(answer)
        if route.is_administration:
            handler = _administrating(route, answer, check_client)
        is_read = endpoint.method == "GET"
        return authorization.guard(endpoint.name, route.scopes, handler, is_read=is_read)

    async def answer_anybody(request: web.Request) -> web.StreamResponse:
        return await answer(request, Call(DEFAULT_KEY))  # which ping does not look at

    return answer_anybody


def response_of(
    view: RunningServer,
    request: web.Request,
    endpoint: Endpoint,
    result: Any,
    headers: dict[str, str] | None,
) -> web.Response:
    """The response with what an operation gave."""
    if isinstance(result, web.Response):
        return result
    if isinstance(result, Ready):
        return view.answers.admit(view.owner, ready_response(request, result, headers))
    # Clients call .json() on every answer, so a call that returns nothing sends an object.
    if not isinstance(result, (Json, str)):
        result = {} if endpoint.returns is None else unstructure(result)
    return view.answers.admit(view.owner, json_response(result, headers=headers))


async def _carried_out(
    route: Route, view: RunningServer, request: web.Request, call: Call, inputs: list[Any]
) -> Any:
    """What the operation of a call gives; of a call with a submission key, the whole answer."""
    name, stores = route.endpoint.name, view.stores
    if name in KEYED and view.settings.submission_keys and (key := key_of(request)) is not None:
        keys, carry_out = stores.submission_keys, partial(route.operation, view, *inputs)
        if not route.endpoint.leaves_a_trace:
            return await search_once(keys, stores.account, name, key, inputs[-1], carry_out)
        return await answer_once(keys, call, name, key, inputs[-1], carry_out)
    result = route.operation(view, *inputs)
    return await result if inspect.isawaitable(result) else result


def _administrating(route: Route, answer: CallHandler, check_client: ClientCheck) -> CallHandler:
    is_for_operator = Scope.ADMIN in route.scopes

    async def administrate(request: web.Request, call: Call) -> web.StreamResponse:
        if is_for_operator:
            check_client(request)
        try:
            response = await answer(request, call)
        except ConfigurationError as error:
            raise HttpError(422, str(error)) from None
        response.headers["Cache-Control"] = "no-store"  # it may have the text of a key
        return response

    return administrate


def _reader(key: ApiKey, view: RunningServer) -> Reader:
    return Reader(key.id, view.stores.tasks)
