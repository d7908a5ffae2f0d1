"""Dispatch of a request to the operation of its endpoint: key, inputs, response.

Errors are worded as the service words them: those of the key as its framework did in 2025, those
of the inputs as FastAPI does.
"""

import inspect
import json
from collections.abc import Mapping, Sequence
from email.message import Message
from functools import lru_cache, partial
from typing import Any

import attrs
from aiohttp import web

from browser_use_async.api.converter import unstructure
from browser_use_async.api.endpoint_table import Endpoint
from browser_use_async.api.json import JsonRefusedError, read_json
from browser_use_async.api.validation import Coerce, Problem, validate
from browser_use_async.errors import ConfigurationError
from browser_use_async.server.app.coercion import coerced
from browser_use_async.server.checks import no_such
from browser_use_async.server.errors import InvalidRequestError
from browser_use_async.server.http.access import ClientCheck
from browser_use_async.server.http.authorization import Authorization, Handler, KeyHandler
from browser_use_async.server.http.call_quota import CallQuota
from browser_use_async.server.http.errors import HttpError
from browser_use_async.server.http.responses import Json, json_response
from browser_use_async.server.http.routes import ALL_OWNERS, OWNER, Route
from browser_use_async.server.http.submission_keys import (
    KEYED,
    answer_once,
    key_of,
    search_once,
)
from browser_use_async.server.keys.api_key import DEFAULT_KEY, ApiKey, Scope
from browser_use_async.server.records import EVERY_OWNER
from browser_use_async.server.running_server import RunningServer
from browser_use_async.types import FieldKind, rules_of

_Models = Sequence[tuple[str, type[Any]]]  # of the inputs of a call, with their parts


def _models_of(endpoint: Endpoint) -> _Models:
    parts = {"path": endpoint.parameters, "query": endpoint.query, "body": endpoint.body}
    return [(part, model) for part, model in parts.items() if model is not None]


async def _read_inputs(
    models: _Models, request: web.Request, coerce: Coerce, *, is_administration: bool
) -> list[Any]:
    """Read and validate the path, query and body objects of a call, in this order.

    Raises:
        InvalidRequestError: The problems found.
        HttpError: 400 for a body that cannot be read, 422 for one of administration.
    """
    inputs: list[Any] = []
    problems: list[tuple[str, Problem]] = []
    for part, model in models:
        is_own = is_administration and part == "body"
        given: Mapping[str, Any] = request.match_info
        if part == "query":
            given = _query(model, request)
        elif is_own:
            given = await _read_admin_object(request, model)
        elif part == "body":
            given = await _read_object(request)
        values, found = validate(model, given, None if is_own else coerce)
        if found:
            problems += [(part, problem) for problem in found]
        else:
            inputs.append(model(**values))
    if problems and is_administration:
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


async def _view_of_operator(view: RunningServer, owner: str) -> RunningServer:
    """What a key with the scope `admin` reads of an owner, or of all.

    Raises:
        HttpError: 403 for another key, which learns no names, or 404 for an unknown owner.
    """
    if Scope.ADMIN not in view.scopes:
        raise HttpError(
            403, f"The API key does not have the scope {Scope.ADMIN}, which {OWNER} needs"
        )
    if owner == ALL_OWNERS:
        owner = EVERY_OWNER
    elif owner not in (owners := await view.stores.account.owners()):
        raise HttpError(404, f"{OWNER}: {no_such(owner, [ALL_OWNERS, *owners])}")
    return view.of(owner, frozenset({Scope.READ}), is_operators=True)


def handler_of(
    route: Route,
    server: RunningServer,
    authorization: Authorization,
    check_client: ClientCheck,
    quota: CallQuota | None = None,
) -> Handler:
    """The request handler of a route, whose calls count for a quota if there is one."""
    endpoint = route.endpoint
    models, is_administration = _models_of(endpoint), route.is_administration
    is_keyed = endpoint.name in KEYED and server.settings.submission_keys
    hold = server.held_calls.holds.get(endpoint)
    agent = server.settings.agent
    coerce = partial(coerced, takes_any_model=agent is not None and agent.llm_model is not None)

    async def answer(request: web.Request, key: ApiKey) -> web.StreamResponse:
        view = server.of(key.name, key.scopes)
        if route.reads_any_owner and OWNER in request.query:
            view = await _view_of_operator(view, request.query[OWNER])
        inputs = await _read_inputs(models, request, coerce, is_administration=is_administration)
        held = None
        if hold is not None and not view.is_operators:  # it takes no place of the owner's calls
            held = await hold(request, key.id, view.stores.tasks, *inputs)
        if held is not None and not isinstance(held, dict):
            return held
        if is_keyed and (name := key_of(request)) is not None:
            result = await _carried_out_once(route, view, name, inputs)
        else:
            result = route.operation(view, *inputs)
            if inspect.isawaitable(result):
                result = await result
        return _response_of(view, endpoint, result, held)

    if endpoint.authenticated:
        handler = answer if quota is None else _limited(answer, quota)
        if route.is_administration:
            handler = _administrating(route, answer, check_client)
        return authorization.guard(endpoint.name, route.scopes, handler)

    async def answer_anybody(request: web.Request) -> web.StreamResponse:
        return await answer(request, DEFAULT_KEY)  # which ping does not look at

    return answer_anybody


def _limited(answer: KeyHandler, quota: CallQuota) -> KeyHandler:
    async def limited(request: web.Request, key: ApiKey) -> web.StreamResponse:
        quota.spend(key.name)
        return await answer(request, key)

    return limited


def _response_of(
    view: RunningServer, endpoint: Endpoint, result: Any, headers: dict[str, str] | None
) -> web.StreamResponse:
    """The response with what an operation gave."""
    # Clients call .json() on every answer, so a call that returns nothing sends an object.
    if not isinstance(result, (Json, bytes, str)):
        if isinstance(result, web.StreamResponse):
            return result
        result = {} if endpoint.returns is None else unstructure(result)
    return view.answers.admit(view.owner, json_response(result, headers=headers))


async def _carried_out_once(
    route: Route, view: RunningServer, key: str, inputs: list[Any]
) -> web.Response:
    """The answer to a call with a submission key."""
    name, keys = route.endpoint.name, view.stores.submission_keys
    carry_out = partial(route.operation, view, *inputs)
    if not route.endpoint.leaves_a_trace:
        return await search_once(keys, view.stores.account, name, key, inputs[-1], carry_out)
    return await answer_once(keys, name, key, inputs[-1], carry_out)


def _administrating(route: Route, answer: KeyHandler, check_client: ClientCheck) -> KeyHandler:
    is_for_operator = Scope.ADMIN in route.scopes

    async def administrate(request: web.Request, key: ApiKey) -> web.StreamResponse:
        if is_for_operator:
            check_client(request)
        try:
            response = await answer(request, key)
        except ConfigurationError as error:
            raise HttpError(422, str(error)) from None
        response.headers["Cache-Control"] = "no-store"  # it may have the text of a key
        return response

    return administrate
