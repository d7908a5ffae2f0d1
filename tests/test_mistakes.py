"""Typical mistakes of users: each is one typed error with its solution, and nothing is sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import attrs
import pytest

from browser_use_async import (
    BrowserUseSession,
    CallLimits,
    PollPolicy,
    RetryPolicy,
    RunTaskRequest,
    Task,
    TaskStatus,
    errors,
    webhooks,
)
from browser_use_async.server import LocalServer
from tests.support.hygiene import SECRET, assert_hides_secrets

pytestmark = pytest.mark.looptime

THREE_LINES = 300  # characters
LOCAL = "http://127.0.0.1:9/api/v1"
RUNNING = Task("t-1", "Buy", TaskStatus.RUNNING, None)
Refused = errors.InvalidRequestError
Misconfigured = errors.ConfigurationError


@attrs.frozen
class Mistake:
    """A mistake, and the expected message."""

    name: str
    make: Callable[[BrowserUseSession], Awaitable[Any] | AsyncIterator[Any]]
    error: type[errors.BrowserUseError]
    words: tuple[str, ...]


def _key(key: str, **options: Any) -> Callable[[BrowserUseSession], Awaitable[Any]]:
    """Open a session with another configuration."""

    async def open_it(_session: BrowserUseSession) -> None:
        async with BrowserUseSession(key, **{"base_url": LOCAL, **options}):
            pytest.fail("it opened")

    return open_it


async def _no_key(_session: BrowserUseSession) -> None:
    async with BrowserUseSession(base_url=LOCAL):
        pytest.fail("it opened")


async def _closed(session: BrowserUseSession) -> None:
    await session.aclose()
    await session.run_and_wait("Buy")


async def _other_loop(session: BrowserUseSession) -> None:
    await asyncio.to_thread(lambda: asyncio.run(session.ping()))


async def _twice(session: BrowserUseSession) -> None:
    batch = session.run_many([], concurrency=1)
    aiter(batch)
    aiter(batch)


async def _after_closing(session: BrowserUseSession) -> None:
    batch = session.run_many([], concurrency=1)
    await batch.aclose()
    aiter(batch)


async def _policy(make: Callable[[], object]) -> None:
    make()


MISTAKES = [
    # The session.
    Mistake("no key", _no_key, Misconfigured, ("BROWSER_USE_API_KEY", "serve")),
    Mistake("an empty key", _key(""), Misconfigured, ("is empty", "dashboard")),
    Mistake("a key in quotes", _key('"bu_key"'), Misconfigured, ("quotation marks",)),
    Mistake("a key with a line break", _key("bu_key\n"), Misconfigured, ("line breaks",)),
    Mistake(
        "a base URL without a scheme",
        _key("bu_other", base_url="api.example.com/api/v1"),
        Misconfigured,
        ("http", "it should look like https://"),
    ),
    Mistake(
        "a key over plain HTTP",
        _key("bu_other", base_url="http://api.example.com/api/v1"),
        Misconfigured,
        ("unencrypted", "allow_insecure_http=True"),
    ),
    Mistake("no time", _key("bu_other", timeout=0), Misconfigured, ("timeout", "above 0")),
    Mistake("a closed session", _closed, errors.SessionClosedError, ("closed",)),
    Mistake("another loop", _other_loop, errors.WrongEventLoopError, ("loop",)),
    Mistake(
        "no attempt",
        lambda _s: _policy(lambda: RetryPolicy(max_attempts=0)),
        Misconfigured,
        ("max_attempts", "0"),
    ),
    Mistake(
        "no calls",
        lambda _s: _policy(lambda: CallLimits(max_in_flight=0)),
        Misconfigured,
        ("max_in_flight", "from 1"),
    ),
    Mistake(
        "no pause",
        lambda _s: _policy(lambda: PollPolicy(interval=-1)),
        Misconfigured,
        ("interval",),
    ),
    # Creating tasks.
    Mistake(
        "a misspelt field",
        lambda s: s.run_and_wait("Buy", max_steps=5),  # type: ignore[call-overload]
        Refused,
        ("did you mean max_agent_steps?",),
    ),
    Mistake("no text", lambda s: s.submit("  "), Refused, ("task: must not be empty",)),
    Mistake(
        "one domain as a text",
        lambda s: s.submit("Buy", allowed_domains="a.com"),
        Refused,
        ("allowed_domains: must be a list; pass ['a.com']",),
    ),
    Mistake(
        "no domain",
        lambda s: s.submit("Buy", allowed_domains=[]),
        Refused,
        ("allowed_domains: is an empty list", "leave it out for no restriction, or name the"),
    ),
    Mistake(
        "no domain of a schedule",
        lambda s: s.scheduled_tasks.create(
            "Buy", schedule_type="interval", interval_minutes=60, allowed_domains=[]
        ),
        Refused,
        ("allowed_domains: is an empty list", "leave it out for no restriction, or name the"),
    ),
    Mistake(
        "a secret that is no text",
        lambda s: s.submit("Buy", secrets={"pin": 1234}, allowed_domains=["a.com"]),  # type: ignore[dict-item]
        Refused,
        ("secrets.pin: must be a string, not int",),
    ),
    Mistake(
        "secrets as a text",
        lambda s: s.submit("Buy", secrets=SECRET, allowed_domains=["a.com"]),  # type: ignore[arg-type]
        Refused,
        ("secrets: must be a mapping of strings to strings, not str",),
    ),
    Mistake(
        "too many pairs",
        lambda s: s.submit("Buy", metadata={str(n): "x" for n in range(11)}),
        Refused,
        ("metadata: has 11 pairs, and may have 10",),
    ),
    Mistake(
        "too many steps",
        lambda s: s.submit("Buy", max_agent_steps=500),
        Refused,
        ("max_agent_steps: must be 200 or less, not 500",),
    ),
    Mistake(
        "a model in capitals",
        lambda s: s.submit("Buy", llm_model="GPT_4o"),
        Refused,
        ("llm_model: is spelt 'gpt-4o'",),
    ),
    Mistake(
        "two schemas",
        lambda s: s.run_and_wait("Buy", output_type=int, structured_output_json="{}"),
        Refused,
        ("either output_type or structured_output_json",),
    ),
    Mistake(
        "a type without JSON",
        lambda s: s.run_and_wait("Buy", output_type=type),
        Refused,
        ("output_type", "a pydantic model"),
    ),
    Mistake(
        "a time as a text",
        lambda s: s.run_and_wait("Buy", timeout="60"),  # type: ignore[call-overload]
        Refused,
        ("timeout must be a number of seconds above 0, not '60'",),
    ),
    Mistake(
        "an action that does not exist",
        lambda s: s.run_and_wait("Buy", on_timeout="kill"),  # type: ignore[call-overload]
        Refused,
        ("on_timeout must be 'leave', 'stop' or 'pause'",),
    ),
    Mistake(
        "a file name as a text",
        lambda s: s.submit("Read", included_file_names="a.pdf"),
        Refused,
        ("included_file_names: must be a list; pass ['a.pdf']",),
    ),
    # Following tasks.
    Mistake("a list to wait", lambda s: s.wait(["t-1"]), Refused, ("a task, not list",)),  # type: ignore[call-overload]
    Mistake("nothing to wait for", lambda s: s.wait(None), Refused, ("a task, not NoneType",)),  # type: ignore[call-overload]
    Mistake("an empty id", lambda s: s.wait(""), Refused, ("not an empty text",)),
    Mistake(
        "one id for many",
        lambda s: s.wait_many("t-1"),
        Refused,
        ("for one use session.wait(task)",),
    ),
    Mistake("a path as an id", lambda s: s.tasks.get("../ping"), Refused, ("task_id",)),
    Mistake(
        "a time below zero",
        lambda s: s.wait("t-1", timeout=-5),
        Refused,
        ("timeout must be a number of seconds of 0 or more, not -5",),
    ),
    Mistake(
        "parsing too early",
        lambda _s: _policy(lambda: RUNNING.parse(int)),
        Refused,
        ("is running and has no output yet", "session.wait(task, output_type=...)"),
    ),
    # Lists.
    Mistake("no rows", lambda s: s.tasks.list(limit=0), Refused, ("limit: must be 1 or more",)),
    Mistake("too many rows", lambda s: s.tasks.list(limit=500), Refused, ("at most 100 rows",)),
    Mistake("page zero", lambda s: s.tasks.list(page=0), Refused, ("page: must be 1 or more",)),
    Mistake(
        "a status of another service",
        lambda s: aiter(s.iterate_all_tasks(statuses=["done"])),
        Refused,
        ("did you mean 'finished'?", "TaskStatus('...')"),
    ),
    Mistake(
        "a status in capitals",
        lambda s: aiter(s.iterate_all_tasks(statuses=["FAILED"])),
        Refused,
        ("did you mean 'failed'?",),
    ),
    Mistake(
        "a time without a zone",
        lambda s: aiter(s.iterate_all_tasks(created_after=datetime(2025, 11, 1))),  # noqa: DTZ001
        Refused,
        ("datetime.now(UTC)",),
    ),
    # Schedules, searches, batches, files.
    Mistake(
        "cron without an expression",
        lambda s: s.scheduled_tasks.create("Read", schedule_type="cron"),
        Refused,
        ("cron_expression: is required when schedule_type is 'cron'",),
    ),
    Mistake(
        "cron with three fields",
        lambda s: s.scheduled_tasks.create("Read", schedule_type="cron", cron_expression="0 9 *"),
        Refused,
        ("cron_expression: a cron expression has five fields, not 3",),
    ),
    Mistake("no query", lambda s: s.search.simple_search(""), Refused, ("query: must not be",)),
    Mistake(
        "a batch of one",
        lambda s: aiter(s.run_many(RunTaskRequest("Buy"), concurrency=1)),  # type: ignore[call-overload]
        Refused,
        ("requests must be several", "session.run_and_wait(task)"),
    ),
    Mistake(
        "no concurrency",
        lambda s: aiter(s.run_many(["Buy"], concurrency=0)),
        Refused,
        ("concurrency",),
    ),
    Mistake("a batch twice", _twice, Refused, ("iterated over once", "the same ledger")),
    Mistake("a closed batch", _after_closing, Refused, ("was closed before", "run_many again")),
    Mistake(
        "a program to upload",
        lambda s: s.files.upload(b"MZ", file_name="tool.exe"),
        errors.UnsupportedFileError,
        ("tool.exe",),
    ),
    Mistake(
        "a webhook without a signature",
        lambda _s: _policy(lambda: webhooks.verify(b"{}", {}, "secret")),
        errors.WebhookVerificationError,
        ("Signature",),
    ),
]


async def _made(mistake: Mistake, session: BrowserUseSession) -> None:
    made = mistake.make(session)
    await (anext(made) if isinstance(made, AsyncIterator) else made)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
async def test_a_mistake_is_one_error_with_its_solution(api, session, monkeypatch, mistake):
    """At most three lines name the mistake and its solution; the server gets no request."""
    monkeypatch.delenv("BROWSER_USE_API_KEY", raising=False)

    with pytest.raises(errors.BrowserUseError) as caught:
        await _made(mistake, session)

    error, text = caught.value, str(caught.value)
    assert type(error) is mistake.error
    assert [words for words in mistake.words if words not in text] == []
    assert len(text) <= THREE_LINES
    assert "\n" not in text
    assert not [each for each in ("Input should", "alue error", "String") if each in text]
    assert_hides_secrets(error)
    assert api.calls == []


def test_there_are_enough():
    """Each has a name of its own."""
    assert len({each.name for each in MISTAKES}) == len(MISTAKES) >= 40


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"api_key": "bu_wrong"}, errors.AuthenticationError, ("401", "key")),
        ({"base_url": "{url}"}, errors.APINotServedError, ("Cloud API v1", "base_url")),
        ({"base_url": "{url}/api/v2"}, errors.APINotServedError, ("Cloud API v1", "base_url")),
    ],
    ids=["a wrong key", "a base URL without its path", "another version"],
)
async def test_mistakes_that_only_the_server_can_find(options, error, words):
    """After one request the error says which setting is wrong; no task exists."""
    async with LocalServer() as server:
        settings = {"api_key": server.api_key, "base_url": server.base_url}
        given = {name: text.format(url=server.url) for name, text in options.items()}
        async with BrowserUseSession(**{**settings, **given}) as session:
            with pytest.raises(errors.APIStatusError) as caught:
                await session.run_and_wait("Buy milk")
        async with BrowserUseSession(**settings) as session:
            assert (await session.tasks.list()).total_count == 0

    text = str(caught.value)
    assert type(caught.value) is error
    assert caught.value.attempts == 1
    assert [each for each in words if each not in text] == []
    assert len(text) <= THREE_LINES
