import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async.server.executors.task_fields import (
    MISSING,
    domain_problem,
    resolve_pointer,
    schema_problem,
)
from browser_use_async.structured_output.schema import output_schema


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "objekt"}, "'objekt' is not a type; did you mean 'object'?"),
        ({"type": ["string", "nil"]}, "'nil' is not a type"),
        ({"type": 5}, "5 is not a type"),
        ({"properties": []}, "properties is not an object"),
        ({"properties": {"a": "string"}}, "properties.a is not a schema, which is an object"),
        ({"properties": {"a": {"type": "str"}}}, "properties.a: 'str' is not a type"),
        ({"items": {"items": {"type": "x"}}}, "items.items: 'x' is not a type"),
        ({"anyOf": [{}, {"type": "x"}]}, "anyOf[1]: 'x' is not a type"),
        ({"anyOf": {}}, "anyOf is not a list"),
        ({"required": "a"}, "required is not a list"),
        ({"required": [1]}, "required contains something that is not a name"),
        ({"enum": "a"}, "enum is not a list"),
        ({"$ref": "#/$defs/A"}, "$ref '#/$defs/A' leads nowhere"),
        ({"additionalProperties": 1}, "additionalProperties is not a schema"),
    ],
)
def test_schemas_that_no_answer_can_follow(schema, problem):
    """The problem has its place inside the schema."""
    found = schema_problem(schema)

    assert found is not None
    assert problem in found


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": ["string", "null"], "minLength": 1, "x-own": 5},
        {"$defs": {"A": {"items": {"$ref": "#/$defs/A"}}}, "$ref": "#/$defs/A"},
        {"$ref": "https://schema.example/a.json"},
        {"properties": {"a": True, "type": {"type": "string"}}, "required": ["a"]},
        {"items": [{"type": "string"}, {"type": "any"}], "additionalProperties": False},
    ],
)
def test_schemas_that_are_right(schema):
    """Everything that the standard allows is accepted, unknown keywords too."""
    assert schema_problem(schema) is None


def test_a_schema_is_checked_without_copies_of_its_places():
    """A long name is not copied for each part below it, and is cut in the message."""
    children: dict[str, Any] = {f"p{number}": {} for number in range(1_000)}
    children["p0"] = {"type": "x" * 20_000}
    schema = {"properties": {"n" * 20_000: {"properties": children}}}

    tracemalloc.start()
    try:
        problem = str(schema_problem(schema))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 5_000_000
    assert "nnn.properties.p0: 'xxx" in problem
    assert len(problem) < 500


@pytest.mark.long
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda each: (
            st.lists(each, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "properties", "items", "anyOf", "required", "enum", "$ref", "not", "a"]
                ),
                each,
                max_size=4,
            )
        ),
        max_leaves=20,
    ).filter(lambda value: isinstance(value, dict))
)
def test_any_object_is_accepted_or_refused(schema):
    """No object makes the check raise another error or run for ever."""
    assert isinstance(schema_problem(schema), str | None)


def test_schemas_of_our_own():
    """The SDK's own schemas pass."""
    for kind in (list[int], dict[str, float], tuple[int, str], int | None):
        assert schema_problem(json.loads(output_schema(kind))) is None


@pytest.mark.parametrize(
    "domain",
    [
        *("shop.example", "*.shop.example", "localhost", "127.0.0.1:8000", "[::1]:80", "*"),
        *("https://shop.example", "https://shop.example/path?x=1", "http*://shop.example"),
        *(
            "münchen.example",
            "shop.example.",
            " shop.example ",
            "chrome-extension://*",
            "a_b.example",
        ),
    ],
)
def test_domains(domain):
    """Hosts, their patterns, and addresses are accepted."""
    assert domain_problem(domain) is None


@pytest.mark.parametrize(
    "domain", ["", " ", "not a domain", "a..b", "a.com;b.com", "@", "https://"]
)
def test_no_domains(domain):
    """An entry that no page can match is refused, and the error shows a valid one."""
    assert str(domain_problem(domain)).endswith("*.shop.example for its subdomains")


def test_a_long_domain_is_cut_in_the_message():
    """The part in the message identifies it."""
    assert len(str(domain_problem(" x" * 10_000))) < 200


def test_several_domains():
    """A list in one text is a mistake with an error of its own."""
    assert (
        domain_problem("a.com,b.com") == "'a.com,b.com' is several domains; give each one by itself"
    )


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("#", True),
        ("#/anyOf/0", True),
        ("#/$defs/a%20b", True),
        ("#/$defs/c~1d", True),
        ("#/anyOf/2", False),
        ("#/anyOf/-1", False),
        ("#/$defs/a%20b/type/0", False),
        ("other.json#/x", False),
    ],
)
def test_references_are_pointers(reference, found):
    """They may lead into lists, and are percent-encoded, as in any URL."""
    schema = {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "$defs": {"a b": {"type": "string"}, "c/d": {}},
    }

    assert (resolve_pointer(schema, reference) is not MISSING) is found
    assert reference == "#" or (schema_problem({**schema, "$ref": reference}) is None) is (
        found or not reference.startswith("#/")
    )
