"""Requests that the SDK and the server check differently."""

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from browser_use_async.api.validation import Problem, validate
from browser_use_async.server.app.coercion import coerced
from browser_use_async.types import (
    LlmModel,
    ProxyCountry,
    RunTaskRequest,
)
from browser_use_async.types.base import FieldKind, FieldRule, ruled

CANARY = "canary-4711"
CLIENT, SERVER = None, coerced  # what changes values before they are checked
BOTH = pytest.mark.parametrize("mode", [CLIENT, SERVER], ids=["client", "server"])


def _problem(mode: Any, **fields: Any) -> Problem:
    (problem,) = validate(RunTaskRequest, {"task": "Buy milk", **fields}, mode)[1]
    return problem


def _value(mode: Any, **fields: Any) -> Any:
    """The result of one accepted field."""
    values, problems = validate(RunTaskRequest, {"task": "Buy milk", **fields}, mode)
    assert problems == []
    return values[next(iter(fields))]


@pytest.mark.parametrize("value", ["5", 5.0, True, 5.5, float("nan")])
def test_the_client_accepts_only_integers(value):
    """In Python an integer is an int: conversion is for JSON and query strings."""
    assert _problem(CLIENT, max_agent_steps=value).kind == "int_type"


@pytest.mark.parametrize("value", ["true", 1, 0, 1.0, "no"])
def test_the_client_accepts_only_booleans(value):
    """`use_proxy=0` is more likely a mistake than an intention."""
    assert _problem(CLIENT, use_proxy=value).kind == "bool_type"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("max_agent_steps", "5", 5),
        ("max_agent_steps", 5.0, 5),
        ("max_agent_steps", True, 1),
        ("use_proxy", "yes", True),
        ("use_proxy", "OFF", False),
        ("use_proxy", 1.0, True),
        ("use_proxy", 0, False),
    ],
)
def test_the_server_converts(field, value, expected):
    """The bundled server accepts every form that the service accepts."""
    assert _value(SERVER, **{field: value}) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [("llm_model", "gpt-9"), ("llm_model", LlmModel("gpt-9")), ("proxy_country_code", "nz")],
)
def test_enums_are_open_for_the_client(field, value):
    """A model that the service adds later can be used without a new version of the SDK."""
    assert _value(CLIENT, **{field: value}) == value
    assert _problem(SERVER, **{field: value}).kind == "enum"


@BOTH
@pytest.mark.parametrize("value", ["US", "us", "Us", ProxyCountry.US])
def test_countries_in_either_case(mode, value):
    """Documentation has US and the schema us: lower case is sent and stored."""
    assert _value(mode, proxy_country_code=value) == "us"


def test_models_differ_by_case():
    """Only countries are lower-cased."""
    assert _problem(SERVER, llm_model="O3").kind == "enum"


_Schedule = attrs.make_class("_Schedule", {"start_at": ruled(FieldRule(FieldKind.DATETIME))})


def _schedule(value: Any, mode: Any) -> Any:
    values, problems = validate(_Schedule, {"start_at": value}, mode)
    return problems[0].kind if problems else values["start_at"]


MOMENT = datetime(2025, 11, 1, 10, 48, 1, tzinfo=UTC)


@BOTH
@pytest.mark.parametrize("text", ["2025-11-01T10:48:01Z", "2025-11-01T10:48:01"])
def test_moments_as_text(mode, text):
    """ISO 8601 text becomes a time; a text without a zone is UTC."""
    assert _schedule(text, mode) == MOMENT


@BOTH
@pytest.mark.parametrize("value", ["tomorrow", 5, True, [], ""])
def test_texts_that_are_no_time(mode, value):
    """Any other text is refused."""
    assert _schedule(value, mode) == "datetime_type"


def test_the_client_accepts_aware_datetimes():
    """A naive datetime could mean any time zone, so it is refused with the reason."""
    assert _schedule(MOMENT, CLIENT) == MOMENT
    assert _schedule(MOMENT.replace(tzinfo=None), CLIENT) == "timezone_aware"
