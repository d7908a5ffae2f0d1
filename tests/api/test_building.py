"""Requests that are certainly wrong are refused before anything is sent."""

from typing import Any

import pytest

from browser_use_async import RunTaskRequest
from browser_use_async.errors import APIStatusError, InvalidRequestError
from tests.support.hygiene import SECRET, assert_hides_secrets, raises
from tests.support.wire import answering, response

REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    # what it is about, the fields, the wrong field, words of the message
    ("unknown", {"max_steps": 5}, "max_steps", "did you mean max_agent_steps?"),
    ("unknown and far off", {"zzz": 5}, "zzz", "it has task, secrets,"),
    ("empty task", {"task": ""}, "task", "must not be empty"),
    ("blank task", {"task": " \n\t"}, "task", "must not be empty"),
    ("task of another type", {"task": 5}, "task", "must be a string, not"),
    ("no task", {"task": None}, "task", "must be a string, not"),
    ("half a surrogate pair", {"task": "\ud800"}, "task", "surrogate pair"),
    (
        "domains as a text",
        {"allowed_domains": "example.com"},
        "allowed_domains",
        "pass ['example.com']",
    ),
    (
        "domains of another type",
        {"allowed_domains": ["a", 5]},
        "allowed_domains",
        "allowed_domains.1",
    ),
    ("flag as a text", {"use_proxy": "true"}, "use_proxy", "True or False, not str"),
    ("flag as a number", {"use_adblock": 1}, "use_adblock", "True or False, not int"),
    ("too many steps", {"max_agent_steps": 201}, "max_agent_steps", "200 or less, not 201"),
    ("no steps", {"max_agent_steps": 0}, "max_agent_steps", "1 or more, not 0"),
    ("steps as a text", {"max_agent_steps": "5"}, "max_agent_steps", "must be an integer, not"),
    ("steps as a flag", {"max_agent_steps": True}, "max_agent_steps", "must be an integer, not"),
    ("steps as a fraction", {"max_agent_steps": 1.5}, "max_agent_steps", "must be an integer, not"),
    ("no width", {"browser_viewport_width": 0}, "browser_viewport_width", "1 or more, not 0"),
    ("not JSON", {"structured_output_json": "{"}, "structured_output_json", "not JSON"),
    ("JSON, but no object", {"structured_output_json": "[]"}, "structured_output_json", "object"),
    (
        "JSON as a value",
        {"structured_output_json": {}},
        "structured_output_json",
        "must be a string",
    ),
    (
        "11 pairs",
        {"metadata": {str(n): "" for n in range(11)}},
        "metadata",
        "has 11 pairs, and may have 10",
    ),
    ("an empty key", {"metadata": {"": "v"}}, "metadata", "must not be empty"),
    ("a key of 101", {"metadata": {"k" * 101: "v"}}, "metadata", "at most 100 characters"),
    ("a value of 1001", {"metadata": {"k": "v" * 1001}}, "metadata", "at most 1000 characters"),
    ("a number as a value", {"metadata": {"k": 5}}, "metadata", "metadata.k"),
    ("a number as a key", {"metadata": {5: "v"}}, "metadata", "must be a string, not int"),
    ("pairs as a list", {"metadata": [("k", "v")]}, "metadata", "a mapping of strings"),
    ("files as a text", {"included_file_names": "a.pdf"}, "included_file_names", "pass ['a.pdf']"),
]


@pytest.mark.parametrize(
    ("fields", "field", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
@pytest.mark.parametrize("verb", ["tasks.run", "submit", "run_and_wait"])
async def test_bad_fields_are_refused_before_sending(serve, connect, verb, fields, field, words):
    """The error names the field and says what to do, and the server gets no request."""
    server = await serve(answering(response(200, '{"id":"t-1"}')))
    session = await connect(server)
    section, _, name = verb.rpartition(".")
    call = getattr(getattr(session, section) if section else session, name)

    with raises(InvalidRequestError) as caught:
        await call(**{"task": "Buy milk", **fields})

    assert caught.value.field == field
    assert words in str(caught.value)
    assert "nothing was sent" in str(caught.value).lower()
    assert isinstance(caught.value, ValueError)
    assert not server.connections


async def test_a_missing_task_is_an_error_of_python(connect):
    """The one required field is a parameter, so Python itself reports it."""
    session = await connect("http://127.0.0.1:9")

    with pytest.raises(TypeError):
        await session.tasks.run()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": 0}, "page"),
        ({"page": "1"}, "page"),
        ({"page": True}, "page"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": None}, "limit"),
        ({"page": 2**63}, "page"),
    ],
)
async def test_bad_pages_are_refused_before_sending(serve, connect, query, field):
    """Pages count from 1 and have 1 to 100 rows."""
    server = await serve(answering(response(200, "{}")))
    session = await connect(server)

    with raises(InvalidRequestError) as caught:
        await session.tasks.list(**query)

    assert caught.value.field == field
    assert not server.connections


SECRETS: dict[str, Any] = {
    "a list": [SECRET],
    "a text": SECRET,
    "a number as a value": {"password": SECRET, "pin": 5},
    "a number as a name": {"password": SECRET, 5: SECRET},
    "half a surrogate pair": {"password": SECRET, "x": SECRET + "\ud800"},
}


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("whole", [True, False], ids=["a request object", "keywords"])
async def test_refused_secrets_are_not_shown(connect, kind, *, whole):
    """No message and no frame of the traceback shows a secret that was refused."""
    session = await connect("http://127.0.0.1:9")

    with raises(InvalidRequestError) as caught:
        if whole:
            await session.tasks.run(RunTaskRequest("Buy milk", secrets=SECRETS[kind]))
        else:
            await session.tasks.run("Buy milk", secrets=SECRETS[kind])

    assert caught.value.field == "secrets"


@pytest.mark.parametrize("field", ["max_steps", "max_agent_steps", "metadata"])
@pytest.mark.parametrize("verb", ["tasks.run", "submit", "run_and_wait"])
async def test_secrets_are_not_shown_when_another_field_is_refused(connect, verb, field):
    """Valid secrets beside a wrong field are not in any frame either."""
    session = await connect("http://127.0.0.1:9")
    section, _, name = verb.rpartition(".")
    call = getattr(getattr(session, section) if section else session, name)

    with raises(InvalidRequestError):
        await call("Buy milk", secrets={"password": SECRET}, **{field: 900})


ECHOES: dict[str, tuple[int, str]] = {
    "422": (
        422,
        '{"detail":[{"loc":["body","secrets"],"msg":"bad: ' + SECRET + '","type":"x",'
        '"input":{"password":"' + SECRET + '"},"ctx":{"given":"' + SECRET + '"}}]}',
    ),
    "a text": (500, SECRET * 300),
    "cut in the middle of it": (500, "x" * 1490 + SECRET),
    "behind white space": (500, " " * 70000 + SECRET),
    "a nested detail": (400, '{"detail":{"message":"' + SECRET + '"}}'),
}


@pytest.mark.parametrize("kind", ECHOES)
async def test_secrets_are_not_shown_when_the_call_fails(serve, connect, kind):
    """The secrets in a body that a server echoes in its error are not in the exception."""
    server = await serve(answering(response(*ECHOES[kind])))
    session = await connect(server)

    with pytest.raises(APIStatusError) as caught:
        await session.tasks.run(
            "Buy milk", secrets={"password": SECRET}, allowed_domains=["example.com"]
        )

    assert_hides_secrets(caught.value)
    assert SECRET[:8] not in str(caught.value)
    assert server.requests[0].json["secrets"] == {"password": SECRET}


def test_request_objects_show_no_secrets():
    """Repr, str and format of a request mask the values, whatever their type is."""
    for secrets in SECRETS.values():
        request = RunTaskRequest("Buy milk", secrets=secrets)

        assert SECRET not in repr(request) + str(request) + f"{request}"
