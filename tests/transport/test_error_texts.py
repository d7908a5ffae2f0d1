"""The text of an error: what happened, to which task, the server's message, and what to do."""

import json
from typing import Any

import pytest
from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from browser_use_async import BrowserUseSession, errors
from browser_use_async.transport.config import Runtime
from tests.support.bench import ONCE
from tests.support.hygiene import KEY, assert_hides_secrets, raises
from tests.support.wire import answering, response

HTML = "<html><title>Not found</title><body>" + "<p>nothing here</p>" * 60_000

DETAILS: dict[str, tuple[bytes | str, str | None]] = {
    "a text": ('{"detail":"Agent session already stopped"}', "Agent session already stopped"),
    "a list": (
        """{"detail":[{"loc":["body","task"],"msg":"Field required","type":"missing"},
        {"loc":["body","metadata",0],"msg":"bad"}]}""",
        "body.task: Field required; body.metadata.0: bad",
    ),
    "a list of other things": ('{"detail":["no","luck"]}', None),
    "an object": ('{"detail":{"code":7,"message":"no credits left"}}', "no credits left"),
    "an object without a text": ('{"detail":{"code":7}}', None),
    "a gateway": (
        '{"status":"error","code":502,"message":"Application failed to respond"}',
        "Application failed to respond",
    ),
    "a bare text": ('"no luck"', "no luck"),
    "a bare flag": ("false", None),
    "null": ("null", None),
    "no JSON": ("Internal Server Error\n", "Internal Server Error"),
    "nothing": ("", None),
    "a text over lines": (
        '{"detail":"one\\r\\ntwo\\u001b[31m three\\u202e"}',
        "one two [31m three",
    ),
    "binary": (bytes(range(256)), None),
    "a page of a megabyte": (HTML, None),
    "a text of a megabyte": (json.dumps({"detail": "x" * 1_000_000}), "x" * 1500),
    "half a surrogate pair": ('{"detail":"\\ud800"}', None),
    "the same name twice": ('{"detail":"a","detail":"b"}', None),
    "a deep nest": ("[" * 100_000, None),
}


@pytest.mark.parametrize("kind", DETAILS)
@pytest.mark.parametrize("status", [400, 404, 422, 500])
async def test_whatever_the_server_says_can_be_shown(serve, connect, kind, status):
    """The message is one printable line below 2,000 characters, for any body."""
    body, detail = DETAILS[kind]
    server = await serve(answering(response(status, body)))
    session = await connect(server, retry=ONCE)

    with pytest.raises(errors.APIStatusError) as caught:
        await session.tasks.get("t-1")

    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 2000
    assert f"GET /task/t-1 was answered with {status}" in message
    assert len(caught.value.detail or "") <= 1500
    if detail is not None:
        assert caught.value.detail == detail
        assert detail in message
    assert_hides_secrets(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        '{"detail":"Not Found"}', HTML[:200], "", "404 page not found\n",
        '{"detail":"a","detail":1}',
        '{"title":"Route not resolved","detail":"The route /ping hasn\'t been found"}',
        '{"error":"Cannot GET /tasks"}',
    ],
    ids=["JSON", "HTML", "empty", "text", "no strict JSON", "a mock", "Express"],
)  # fmt: skip
@pytest.mark.parametrize("verb", ["ping", "account.get_balance", "tasks.list"])
async def test_a_server_that_does_not_speak_v1_is_recognised(serve, connect, body, verb):
    """A 404 for a route that every v1 server has says where a v1 server is available."""
    server = await serve(answering(response(404, body)))
    session = await connect(server)
    section, _, name = verb.rpartition(".")

    with raises(errors.APINotServedError) as caught:
        await getattr(getattr(session, section) if section else session, name)()

    assert "base_url" in str(caught.value)
    assert "browser-use-async serve" in str(caught.value)
    assert caught.value.status == 404
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("path", "is_named"),
    [("", True), ("/v1", True), ("/api/v1", False), ("/gateway/api/v1", False)],
)
async def test_a_base_url_without_its_path_is_named(serve, connect, path, is_named):
    """Where it lacks `/api/v1` the error says so, and mentions no id."""
    server = await serve(answering(response(404, '{"detail":"no such route"}')))
    session = await connect(server, base_url=server.url.removesuffix("/api/v1") + path)

    with raises(errors.APINotServedError) as caught:
        await session.ping()

    assert ("base_url does not end in /api/v1" in str(caught.value)) == is_named
    assert "check the id" not in str(caught.value)


@pytest.mark.parametrize(
    "fields", [{"browser_profile_id": "p-1"}, {"included_file_names": ["data.csv"]}]
)
async def test_a_task_that_names_what_is_missing(serve, connect, fields):
    """A 404 for the profile or the file of a new task does not say that the server lacks v1."""
    server = await serve(answering(response(404, '{"detail":"Browser profile not found"}')))
    session = await connect(server)

    with raises(errors.NotFoundError) as caught:
        await session.tasks.run("Look", **fields)

    assert "Browser profile not found" in str(caught.value)


async def test_one_missing_route_is_no_wrong_base_url(serve, connect):
    """A server that answers other calls of v1 supports it; only this route is missing."""
    missing = response(404, '{"detail":"Not Found"}')
    server = await serve(answering(response(200, "{}"), missing))
    session = await connect(server)
    await session.ping()

    with raises(errors.APINotServedError) as caught:
        await session.account.me()

    assert "this server has no GET /me" in str(caught.value)
    assert "base_url" not in str(caught.value)


async def test_a_route_that_was_there_before_is_not_said_to_be_missing(serve, connect):
    """A gateway without its service answers so; the base URL is right."""
    missing = response(404, "<html>no backend</html>")
    server = await serve(answering(response(200, '"running"'), missing))
    session = await connect(server)
    await session.tasks.get_status("t-1")

    with raises(errors.APINotServedError) as caught:
        await session.tasks.get_status("t-1")

    assert "a gateway in front of it, is being changed" in str(caught.value)
    assert "base_url" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    ['{"detail":"Task not found"}', "null", "{}", '{"detail":"Not Found","id":"t-1"}'],
)
async def test_a_missing_task_is_something_else(serve, connect, body):
    """Any other 404 is about the id."""
    server = await serve(answering(response(404, body)))
    session = await connect(server)

    with raises(errors.NotFoundError) as caught:
        await session.tasks.get("t-1")

    assert caught.value.task_id == "t-1"
    assert "check the id" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "is_named"), [("", True), ("/v1", True), ("/gateway/api/v1", False)]
)
async def test_a_missing_id_may_be_a_wrong_base_url(serve, connect, path, is_named):
    """Where the base URL lacks `/api/v1`, the error of a call with an id says so first."""
    server = await serve(answering(response(404, '{"detail":"no such route"}')))
    session = await connect(server, base_url=server.url.removesuffix("/api/v1") + path)

    with raises(errors.NotFoundError) as caught:
        await session.tasks.get("t-1")

    assert ("base_url does not end in /api/v1; else check the id" in str(caught.value)) == is_named
    assert "check the id, and that the key" in str(caught.value)


async def test_a_base_url_that_has_answered_is_not_blamed(serve, connect):
    """A gateway may have its own path: once it has answered a call, a 404 is about the id."""
    missing = response(404, '{"detail":"Task not found"}')
    server = await serve(answering(response(200, '"running"'), missing))
    session = await connect(server, base_url=server.url.removesuffix("/api/v1") + "/v1")
    await session.tasks.get_status("t-1")

    with raises(errors.NotFoundError) as caught:
        await session.tasks.get("t-2")

    assert "check the id" in str(caught.value)
    assert "base_url" not in str(caught.value)


async def test_a_missing_file_is_a_matter_of_its_name(serve, connect):
    """The 404 of an output file asks for the id and the file's name."""
    server = await serve(answering(response(404, '{"detail":"File not found"}')))
    session = await connect(server)

    with raises(errors.NotFoundError) as caught:
        await session.tasks.get_output_file("t-1", "prices.csv")

    assert "check the id and the file's name, and that the key" in str(caught.value)


async def test_refused_fields_come_without_their_values(serve, connect):
    """422: `errors` has place, message and type of each field, never the echoed input."""
    item: dict[str, Any] = {
        "loc": ["body", "max_agent_steps"],
        "msg": "Input should be less than or equal to 200",
        "type": "less_than_equal",
    }
    echoed = {
        **item,
        "input": "nine hundred",
        "ctx": {"le": 200},
        "url": "https://errors.pydantic.dev/",
    }
    server = await serve(answering(response(422, json.dumps({"detail": [echoed, "odd", None]}))))
    session = await connect(server)

    with raises(errors.UnprocessableEntityError) as caught:
        await session.tasks.run("Buy milk")

    assert caught.value.errors == [item]
    assert "nine hundred" not in str(caught.value)
    assert "body.max_agent_steps: Input should be less than or equal to 200" in str(caught.value)


@pytest.mark.parametrize("detail", ['"no"', "{}", "null", "5"])
async def test_a_refusal_without_a_list_has_no_field_errors(serve, connect, detail):
    """422 in another form is the same error with nothing in `errors`."""
    server = await serve(answering(response(422, f'{{"detail":{detail}}}')))
    session = await connect(server)

    with raises(errors.UnprocessableEntityError) as caught:
        await session.tasks.run("Buy milk")

    assert caught.value.errors == []


async def test_the_id_of_the_request_is_passed_on(serve, connect):
    """`request_id` is what support asks for, under either spelling of the header."""
    server = await serve(answering(response(500, "", [("x-request-id", "r-1")]), response(500, "")))
    session = await connect(server, retry=ONCE)

    ids = []
    for _ in range(2):
        with raises(errors.InternalServerError) as caught:
            await session.ping()
        ids.append(caught.value.request_id)

    assert ids == ["r-1", None]


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "check the API key"),
        (402, "add credits"),
        (403, "plan"),
        (404, "check the id"),
        (422, "correct the fields"),
        (429, "lower the number"),
    ],
)
async def test_errors_say_what_to_do(serve, connect, status, advice):
    """Each status with a usual cause has the usual advice."""
    server = await serve(answering(response(status, '{"detail":"no"}')))
    session = await connect(server, retry=ONCE)

    with pytest.raises(errors.APIStatusError, match=advice):
        await session.tasks.get("t-1")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ('{"id":"t-1"}', "$.task"),
        ('{"id":"t-1","task":"a","status":5,"created_at":null}', "$.status"),
        ("[]", "$"),
        ("{", "$"),
    ],
)
async def test_an_answer_that_does_not_fit_is_located(serve, connect, body, path):
    """The error has the path, and not the value at it."""
    server = await serve(answering(response(200, body)))
    session = await connect(server, retry=ONCE)

    with raises(errors.ResponseDecodeError) as caught:
        await session.tasks.get("t-1")

    assert caught.value.path == path
    assert caught.value.task_id == "t-1"
    assert "does not fit Cloud API v1" in str(caught.value)


class _NoNames(AbstractResolver):
    """A resolver of a machine without a network."""

    async def resolve(self, host: str, *_: object, **__: object) -> list[ResolveResult]:
        """Find nothing."""
        raise OSError(f"no address for {host}")

    async def close(self) -> None:
        """Hold nothing."""


@pytest.mark.parametrize("base_url", [None, "https://api.example.com/api/v1"])
async def test_the_default_address_is_named_as_gone(base_url, monkeypatch, tmp_path):
    """Who has set no address may have meant another server; one that was set is not doubted."""
    monkeypatch.delenv("BROWSER_USE_BASE_URL", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    runtime = Runtime(connector=lambda **given: TCPConnector(resolver=_NoNames(), **given))
    async with BrowserUseSession(KEY, base_url=base_url, retry=ONCE, runtime=runtime) as session:
        with raises(errors.APIConnectionError) as caught:
            await session.ping()

    note = (
        "; the hosted v1 at this default address was reported to answer 404 in 2026: run "
        "`browser-use-async login` or set BROWSER_USE_BASE_URL to use another server"
    )
    assert str(caught.value).endswith(note) is (base_url is None)
