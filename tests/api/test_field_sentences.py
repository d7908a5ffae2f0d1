"""The sentences of fields in the OpenAPI documents are those of the docstrings."""

import json

import attrs
import pytest

from browser_use_async.api.endpoint_table import ENDPOINTS
from browser_use_async.api.field_sentences import field_sentences
from browser_use_async.server.admin import ADMIN_ROUTES
from browser_use_async.types import RunTaskRequest, UpdateScheduledTaskRequest
from docs.openapi import documents

_MODELS = {
    model
    for endpoint in (*ENDPOINTS, *(each.endpoint for each in ADMIN_ROUTES))
    for model in (endpoint.parameters, endpoint.query, endpoint.body)
    if model is not None
}


@pytest.mark.parametrize("model", sorted(_MODELS, key=repr), ids=lambda model: model.__name__)
def test_each_field_has_a_sentence(model):
    """No sentence is about a removed field."""
    names = {each.name for each in attrs.fields(model)}

    assert names <= set(field_sentences(model))
    assert all(field_sentences(model).values())


def test_a_long_sentence_is_joined():
    """This includes a base class; changes have the sentences of the created object."""
    assert field_sentences(RunTaskRequest)["secrets"] == (
        "Names and values that the agent may type but never sees; combine them with "
        "`allowed_domains`."
    )
    assert field_sentences(UpdateScheduledTaskRequest)["interval_minutes"]


def test_the_documents_say_each_field():
    """In bodies, parameters and answers."""
    document, administration = map(json.loads, documents().values())
    schemas = document["components"]["schemas"]
    lacking = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, each in schema.get("properties", {}).items()
        if "description" not in each
    ]
    for paths in (document["paths"], administration["paths"]):
        for methods in paths.values():
            for operation in methods.values():
                lacking += [
                    f"{operation['operationId']}({each['name']})"
                    for each in operation.get("parameters", [])
                    if "description" not in each
                ]

    assert lacking == []
    secrets = schemas["RunTaskRequest"]["properties"]["secrets"]
    assert secrets["description"] == field_sentences(RunTaskRequest)["secrets"]
