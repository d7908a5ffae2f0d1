"""The models as JSON schemas, under the published names of the service. No I/O.

Requests are described by the rules of their fields. The classes of responses are more lenient
than the service promises to be, so what it promises is written here.
"""

from collections.abc import Iterator
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import attrs

from browser_use_async import types
from browser_use_async.api.field_sentences import field_sentences
from browser_use_async.api.limits import CONTENT_TYPES

Schema = dict[str, Any]

_REQUESTS: dict[str, type[Any]] = {
    "RunTaskRequest": types.RunTaskRequest,
    "ScheduledTaskRequest": types.CreateScheduledTaskRequest,
    "UpdateScheduledTaskRequest": types.UpdateScheduledTaskRequest,
    "CreateBrowserProfileRequest": types.CreateBrowserProfileRequest,
    "UpdateBrowserProfileRequest": types.UpdateBrowserProfileRequest,
    "UploadFileRequest": types.UploadRequest,
    "SimpleSearchRequest": types.SimpleSearchRequest,
    "SearchUrlRequest": types.SearchUrlRequest,
}

_RESPONSES: dict[str, type[Any]] = {
    "TaskCreatedResponse": types.Created,
    "TaskResponse": types.Task,
    "TaskSimpleResponse": types.TaskSummary,
    "TaskStepResponse": types.TaskStep,
    "TaskBrowserDataResponse": types.BrowserData,
    "ListTasksResponse": types.TaskPage,
    "TaskMediaResponse": types.TaskMedia,
    "TaskScreenshotsResponse": types.TaskScreenshots,
    "TaskOutputFileResponse": types.OutputFile,
    "ScheduledTaskResponse": types.ScheduledTask,
    "ListScheduledTasksResponse": types.ScheduledTaskPage,
    "CreateBrowserProfileResponse": types.BrowserProfile,
    "UpdateBrowserProfileResponse": types.BrowserProfile,
    "GetBrowserProfileResponse": types.BrowserProfile,  # lists refer to the last one
    "ListBrowserProfilesResponse": types.BrowserProfilePage,
    "UploadFileResponse": types.UploadUrl,
    "SimpleSearchResponse": types.SearchResults,
    "UrlResponse": types.SearchResult,
}

_ENUMS: dict[str, type[types.OpenEnum]] = {
    "LLMModel": types.LlmModel,
    "ProxyCountryCode": types.ProxyCountry,
    "ScheduleType": types.ScheduleType,
    "TaskStatusEnum": types.TaskStatus,
}

_NAMES: dict[type[Any], str] = {
    **{model: name for name, model in (_REQUESTS | _RESPONSES | _ENUMS).items()},
    types.Balance: "CheckUserBalanceResponse",
}

# Fields that may be missing or null in an answer.
_OPTIONAL: dict[type[Any], str] = {
    types.Task: "live_url finished_at browser_data user_uploaded_files output_files metadata "
    "public_share_url",
    types.TaskSummary: "finished_at live_url metadata",
    types.ScheduledTask: "interval_minutes cron_expression metadata",
}
_SETTINGS = types.rules_of(types.RunTaskRequest)
# Fields that are always present, possibly null.
_NULLABLE = frozenset({"output", "recordings", "screenshots"})

_NULL: Schema = {"type": "null"}
_STRING: Schema = {"type": "string"}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_LARGEST = 2**63 - 1
# Blank in Python but not in patterns of JSON Schema: four separators, and the next line.
_NOT_BLANK = r"[^\s\x1c-\x1f\x85]"
# The kinds whose schema does not depend on the rest of the rule.
_SHAPES: dict[types.FieldKind, Schema] = {
    types.FieldKind.BOOLEAN: {"type": "boolean"},
    types.FieldKind.TEXT_LIST: {"type": "array", "items": _STRING},
    types.FieldKind.LIST: {"type": "array"},
    types.FieldKind.DATETIME: _MOMENT,
    types.FieldKind.JSON_SCHEMA: {
        **_STRING,
        "format": "json-object",
        "contentMediaType": "application/json",
    },
    types.FieldKind.CRON: {**_STRING, "format": "cron"},
}
_SCALARS: dict[type[Any], str] = {str: "string", int: "integer", bool: "boolean"}


def reference(model: type[Any]) -> Schema:
    """The reference to a model's schema in the document."""
    return _named(_NAMES[model])


def _named(component: str) -> Schema:
    return {"$ref": f"#/components/schemas/{component}"}


def component_schemas() -> dict[str, Schema]:
    """Every schema that calls refer to, by its published name, sorted."""
    schemas = {
        **{name: request_schema(model) for name, model in _REQUESTS.items()},
        **{name: _response(model) for name, model in _RESPONSES.items()},
        **{name: {"type": "string", "enum": [*map(str, enum)]} for name, enum in _ENUMS.items()},
        "CheckUserBalanceResponse": _object(
            {"balance": _said(_STRING, "What is left, in US cents.")}, ["balance"]
        ),
        "DeleteBrowserProfileResponse": _object({}, []),
        **_errors(),
    }
    return dict(sorted(schemas.items()))


def _object(properties: dict[str, Schema], required: list[str]) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": required} if required else schema


def _errors() -> dict[str, Schema]:
    place = {"type": "array", "items": {"anyOf": [_STRING, {"type": "integer"}]}}
    problem = {
        "loc": _said(place, "Where the problem is in the request."),
        "msg": _said(_STRING, "What is wrong, for a person."),
        "type": _said(_STRING, "What is wrong, for a program."),
    }
    problems = {"type": "array", "items": _named("ValidationError")}
    return {
        "ErrorResponse": _object({"detail": _said(_STRING, "Why it is refused.")}, ["detail"]),
        "HTTPValidationError": _object({"detail": _said(problems, "Each problem.")}, []),
        "ValidationError": _object(problem, list(problem)),
    }


# --- requests -----------------------------------------------------------------------------


def request_schema(model: type[Any]) -> Schema:
    """The schema of a body, by the rules of its fields."""
    fields = types.rules_of(model)
    properties = {
        name: {**field_schema(rule), **_BOUND_BY_MEANING.get((model, name), {})}
        for name, rule in fields.items()
    }
    _describe(properties, model)
    schema = _object(properties, [name for name, rule in fields.items() if rule.required])
    if "schedule_type" in fields:
        schema["allOf"] = list(_schedule_conditions())
    return schema


def _said(schema: Schema, sentence: str) -> Schema:
    return {**schema, "description": sentence}


def _describe(properties: dict[str, Schema], model: type[Any]) -> None:
    sentences = field_sentences(model)
    for name, schema in properties.items():
        if name in sentences:
            properties[name] = _said(schema, sentences[name])


def _suffixes() -> str:
    either_case = (
        "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in suffix)
        for suffix in (each[1:] for each in CONTENT_TYPES)
    )
    return "|".join(either_case)


_BOUND_BY_MEANING: dict[tuple[type[Any], str], Schema] = {
    (types.UploadRequest, "file_name"): {
        "pattern": rf'^[^\s./\\:*?"<>|][^/\\:*?"<>|\x00-\x1f]*\.({_suffixes()})$',
        "maxLength": 255,
    },
    (types.UploadRequest, "content_type"): {"examples": sorted(set(CONTENT_TYPES.values()))},
    (types.SearchUrlRequest, "url"): {"pattern": "^https?://"},
}


def _schedule_conditions() -> Iterator[Schema]:
    """Each type of schedule needs its own field."""
    for kind, field, shape in (
        (types.ScheduleType.INTERVAL, "interval_minutes", "integer"),
        (types.ScheduleType.CRON, "cron_expression", "string"),
    ):
        chosen = {"schedule_type": {"const": str(kind)}}
        yield {
            "if": {"properties": chosen, "required": ["schedule_type"]},
            "then": {"properties": {field: {"type": shape}}, "required": [field]},
        }


def field_schema(rule: types.FieldRule) -> Schema:
    """The schema of a request's field or of a parameter."""
    schema = _shape(rule)
    if rule.nullable:
        schema = {"anyOf": [schema, _NULL]}
    if rule.default is not types.UNSET:
        default = rule.default
        schema = {**schema, "default": str(default) if isinstance(default, str) else default}
    return schema


def _shape(rule: types.FieldRule) -> Schema:
    if rule.enum is not None:
        return reference(rule.enum)
    match rule.kind:
        case types.FieldKind.INTEGER:
            return {"type": "integer", "maximum": _LARGEST, **_bounds(rule)}
        case types.FieldKind.NUMBER:
            return {**_bounds(rule), "type": "number"}
        case types.FieldKind.TEXT_MAP:
            return _text_map(rule)
        case types.FieldKind.TEXT:
            return _text(rule.min_length, rule.max_length)
        case kind:
            return _SHAPES[kind]


def _bounds(rule: types.FieldRule) -> Schema:
    bounds = {"minimum": rule.minimum, "maximum": rule.maximum}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def _text(least: int | None, most: int | None) -> Schema:
    schema = dict(_STRING)
    if least is not None:
        schema |= {"minLength": least, "pattern": _NOT_BLANK}  # spaces alone do not count
    if most is not None:
        schema["maxLength"] = most
    return schema


def _text_map(rule: types.FieldRule) -> Schema:
    schema: Schema = {"type": "object", "additionalProperties": _text(None, rule.max_length)}
    if rule.max_pairs is not None:
        schema["maxProperties"] = rule.max_pairs
    if rule.max_key_length is not None:
        schema["propertyNames"] = _text(1, rule.max_key_length)
    return schema


# --- responses ----------------------------------------------------------------------------


def _response(model: type[Any]) -> Schema:
    annotations = get_type_hints(model)
    optional = {*_OPTIONAL.get(model, "").split()}
    # A setting without a value, too.
    optional |= {name for name in _SETTINGS if NoneType in get_args(annotations.get(name))}
    names = [field.name for field in attrs.fields(model) if field.name != "extra"]
    properties = {name: _annotated(annotations[name]) for name in names}
    for name in names:
        if name in optional or name in _NULLABLE:
            properties[name] = {"anyOf": [properties[name], _NULL]}
    _describe(properties, model)
    return _object(properties, [name for name in names if name not in optional])


def _annotated(annotation: Any) -> Schema:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if NoneType in arguments:
        return _annotated(next(each for each in arguments if each is not NoneType))
    if origin is list:
        return {"type": "array", "items": _annotated(arguments[0])}
    if origin is dict:
        values = True if arguments[1] is Any else _annotated(arguments[1])
        return {"type": "object", "additionalProperties": values}
    if annotation is datetime:
        return _MOMENT
    if annotation in _SCALARS:
        return {"type": _SCALARS[annotation]}
    return reference(annotation)
