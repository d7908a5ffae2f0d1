"""The OpenAPI 3.1 documents of the API and of administration, from their rows and models.

`make openapi` writes them into the package, and a test compares both.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from browser_use_async.api import endpoint_table as table
from browser_use_async.api.field_sentences import field_sentences
from browser_use_async.api.submission_key import (
    KEY_HEADER,
    MAX_KEY_LENGTH,
    REPLAYED_HEADER,
    SUPPORTED_HEADER,
    TRUE,
)
from browser_use_async.server.admin import ADMIN_ROUTES
from browser_use_async.server.http.routes import (
    ADMINISTRATION,
    ALL_OWNERS,
    OWNER,
    ROUTES,
    Route,
)
from browser_use_async.server.http.submission_keys import ADVERTISING, KEYED
from browser_use_async.server.keys.admin_client import BACKUP_TYPE
from browser_use_async.server.operations import API_ROUTES
from browser_use_async.types import TaskId, rules_of
from docs.openapi_schemas import component_schemas, field_schema, reference, request_schema

FOLDER = Path(__file__).parents[1] / "browser_use_async/server/app"

_SCHEME = "HTTPBearer"
_TAG = "API v1"

_REASONS = {
    400: "The request cannot be carried out",
    401: "The API key is wrong, revoked or expired",
    402: "There is no credit left, or the budget of the API key does not allow this",
    403: "There is no API key, it lacks the scope of this call, or the plan does not include this",
    404: "There is no such thing",
    413: "The body is too large",
    422: "Validation Error",
    429: "Too many tasks are at work, the calls of this window are used up, or too many wrong API "
    "keys came from this address",
    502: "The website cannot be opened",
    503: "There is nothing to search with",
    507: "The disk is full",
}

# Profiles have one model here and three names in the published document.
_ANSWERS = {
    table.CREATE_BROWSER_PROFILE: "CreateBrowserProfileResponse",
    table.UPDATE_BROWSER_PROFILE: "UpdateBrowserProfileResponse",
    table.DELETE_BROWSER_PROFILE: "DeleteBrowserProfileResponse",
}

_BACKUP = ROUTES["admin_backup"].endpoint  # the one answer that is no JSON

_OWN_REFUSALS: dict[table.Endpoint, tuple[int, ...]] = {
    _BACKUP: (400, 507),
    table.RUN_TASK: (402,),
    table.STOP_TASK: (400,),
    table.PAUSE_TASK: (400,),
    table.RESUME_TASK: (400,),
    table.SIMPLE_SEARCH: (402, 503),
    table.SEARCH_URL: (402, 502),
}

# Without quotes, in quotes, and for text that is not ASCII: see `api.submission_key`.
_KEY_PATTERN = (
    rf"^(?:[!#$&-~][!#-~]{{0,{MAX_KEY_LENGTH - 1}}}"
    rf'|"(?:[ !#-\[\]-~]|\\["\\]){{1,{MAX_KEY_LENGTH}}}"'
    r'|%"(?:[ !#$&-~]|%[0-9a-f]{2})+")$'
)

_OF_OPERATOR = [
    {
        "name": OWNER,
        "in": "query",
        "required": False,
        "description": "Whose tasks a key with the scope admin reads: the name of a key, or "
        f"`{ALL_OWNERS}`; the answer then names the owner of each task.",
        "schema": {"type": "string"},
    }
]

# The only calls with a body and without anything that could be missing.
_FINDS_NOTHING = {
    table.CREATE_BROWSER_PROFILE,
    table.CREATE_UPLOAD_URL,
    table.SIMPLE_SEARCH,
    table.SEARCH_URL,
}


def documents() -> dict[str, str]:
    """The texts of both documents, by the names of their files."""
    schemas = component_schemas()
    used = {name: schemas[name] for name in ("CheckUserBalanceResponse", "ErrorResponse")}
    api = "Cloud API v1, served by browser-use-async"
    admin = "What the pages and the operator of a browser-use-async server ask beside the API"
    found = {
        "openapi.json": _document("Browser Use Cloud", api, API_ROUTES, schemas),
        "openapi_admin.json": _document(ADMINISTRATION, admin, ADMIN_ROUTES, used),
    }
    return {name: json.dumps(each, indent=1) + "\n" for name, each in found.items()}


def _document(
    title: str, summary: str, routes: Iterable[Route], schemas: dict[str, Any]
) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.endpoint.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "summary": summary, "version": "0.1.0"},
        "servers": [{"url": "/"}],  # a server puts its own address there
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {_SCHEME: {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    endpoint = route.endpoint
    operation: dict[str, Any] = {
        # As published, since generated clients make one module of each tag.
        "tags": [ADMINISTRATION if route.is_administration else _TAG],
        "x-section": endpoint.section,
        "summary": endpoint.name.replace("_", " ").title(),
        "description": endpoint.summary,
        "operationId": endpoint.name,
        "responses": _responses(route),
    }
    if parameters := [*_parameters(endpoint), *_OF_OPERATOR[: route.reads_any_owner]]:
        operation["parameters"] = parameters
    if (model := endpoint.body) is not None:
        schema = request_schema(model) if route.is_administration else reference(model)
        operation["requestBody"] = {"required": True, **_json(schema)}
    if endpoint.authenticated:
        operation["security"] = [{_SCHEME: []}]
    if route.scopes:
        operation["x-scope"] = " ".join(route.scopes)
    return operation


def _parameters(endpoint: table.Endpoint) -> Iterator[dict[str, Any]]:
    for place, model in (("path", endpoint.parameters), ("query", endpoint.query)):
        if model is None:
            continue
        sentences = field_sentences(model)
        for name, rule in rules_of(model).items():
            sentence = sentences.get(name)
            yield {
                "name": name,
                "in": place,
                "required": rule.required,
                **({} if sentence is None else {"description": sentence}),
                "schema": field_schema(rule),
            }
    if endpoint.name in KEYED:
        about = "Names the work: a repeat of the request with the same key has no effect"
        yield _header(KEY_HEADER, about, pattern=_KEY_PATTERN)


def _header(name: str, about: str, **bounds: str) -> dict[str, Any]:
    schema = {"type": "string", **bounds}
    return {"name": name, "in": "header", "required": False, "description": about, "schema": schema}


def _responses(route: Route) -> dict[str, Any]:
    endpoint = route.endpoint
    content = (
        {BACKUP_TYPE: {}} if endpoint is _BACKUP else _json(_answer_schema(endpoint))["content"]
    )
    answer = {"description": "Successful Response", "content": content}
    if headers := _answer_headers(endpoint):
        answer["headers"] = headers
    statuses = _refusals(endpoint) | ({404} if route.reads_any_owner else set())
    refusals = {str(status): _refusal(route, status) for status in sorted(statuses)}
    return {"200": answer, **refusals}


def _answer_headers(endpoint: table.Endpoint) -> dict[str, Any]:
    """The headers about submission keys."""
    headers: dict[str, Any] = {}
    true = {"schema": {"type": "string", "const": TRUE}}
    if endpoint.name in ADVERTISING:
        headers[SUPPORTED_HEADER] = {"description": "Submission keys are kept", **true}
        about = "The key of the request, as it came"
        headers[KEY_HEADER] = {"description": about, "schema": {"type": "string"}}
    if endpoint.name in KEYED:
        about = "The answer is that of an earlier call with the same key"
        headers[REPLAYED_HEADER] = {"description": about, **true}
    return headers


def _answer_schema(endpoint: table.Endpoint) -> dict[str, Any]:
    if endpoint in _ANSWERS:
        return {"$ref": f"#/components/schemas/{_ANSWERS[endpoint]}"}
    if endpoint.returns is None:
        return {}
    return {"type": "boolean"} if endpoint.returns is bool else reference(endpoint.returns)


def _refusals(endpoint: table.Endpoint) -> set[int]:
    """The statuses of refusals of a call."""
    statuses = set(_OWN_REFUSALS.get(endpoint, ()))
    takes_body = endpoint.body is not None
    if endpoint.authenticated:
        statuses |= {401, 403, 429}
    if takes_body:
        statuses |= {400, 413}
    if takes_body or endpoint.query is not None or endpoint.parameters is not None:
        statuses.add(422)
    if endpoint.parameters is not None or endpoint.query is TaskId:
        statuses.add(404)
    if takes_body and endpoint not in _FINDS_NOTHING:
        statuses.add(404)
    return statuses


def _refusal(route: Route, status: int) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ErrorResponse"}
    if status == 422 and not route.is_administration:
        schema = {"$ref": "#/components/schemas/HTTPValidationError"}
    body: dict[str, Any] = schema
    if route.endpoint is table.ME and status in {401, 403}:
        body = {"type": "boolean", "const": False}  # the one call whose answer is about the key
    return {"description": _REASONS[status], **_json(body)}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


if __name__ == "__main__":
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
