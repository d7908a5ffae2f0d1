"""Each method makes exactly the call that the specification describes."""

import inspect
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, RunTaskRequest, TaskStatus
from browser_use_async.contract.table import ENDPOINTS, Endpoint
from browser_use_async.endpoints import AccountEndpoints, TaskEndpoints
from tests.bench import Connect
from tests.hygiene import KEY
from tests.shim import BASE_URL, MockedApi

TASK = (
    '{"id":"t-1","task":"Buy milk","status":"finished","output":"done","created_at":'
    '"2025-11-01T10:48:01.533595Z","steps":[{"id":"s-1","step":1,"next_goal":"look",'
    '"evaluation_previous_goal":"","url":"https://example.com/"}]}'
)
PAGE = '{"tasks":[],"total_pages":3,"page":2,"limit":50,"total_count":101}'
URL_ = '"https://files.example.com/a?signature=1"'

Verb = Callable[[BrowserUseSession], Awaitable[Any]]

# name of the row: how it is called, its path, the answer's JSON, and what the caller gets of it
CALLS: dict[str, tuple[Verb, str, str, Callable[[Any], object], object]] = {
    "run_task": (
        lambda session: session.tasks.run("Buy milk"),
        "/run-task",
        '{"id":"t-1"}',
        lambda created: created.id,
        "t-1",
    ),
    "stop_task": (
        lambda session: session.tasks.stop("t-1"),
        "/stop-task?task_id=t-1",
        "{}",
        lambda nothing: nothing,
        None,
    ),
    "pause_task": (
        lambda session: session.tasks.pause("t-1"),
        "/pause-task?task_id=t-1",
        "null",
        lambda nothing: nothing,
        None,
    ),
    "resume_task": (
        lambda session: session.tasks.resume("t-1"),
        "/resume-task?task_id=t-1",
        "",
        lambda nothing: nothing,
        None,
    ),
    "get_task": (
        lambda session: session.tasks.get("t-1"),
        "/task/t-1",
        TASK,
        lambda task: (task.output, task.steps[0].next_goal),
        ("done", "look"),
    ),
    "get_task_status": (
        lambda session: session.tasks.get_status("t-1"),
        "/task/t-1/status",
        '"running"',
        lambda status: status,
        TaskStatus.RUNNING,
    ),
    "list_tasks": (
        lambda session: session.tasks.list(page=2, limit=50),
        "/tasks?page=2&limit=50",
        PAGE,
        lambda page: (page.tasks, page.total_count),
        ([], 101),
    ),
    "get_task_media": (
        lambda session: session.tasks.get_media("t-1"),
        "/task/t-1/media",
        f'{{"recordings":[{URL_}]}}',
        lambda media: media.recordings,
        [URL_.strip('"')],
    ),
    "get_task_screenshots": (
        lambda session: session.tasks.get_screenshots("t-1"),
        "/task/t-1/screenshots",
        '{"screenshots":[]}',
        lambda media: media.screenshots,
        [],
    ),
    "get_task_output_file": (
        lambda session: session.tasks.get_output_file("t-1", "report 1.pdf"),
        "/task/t-1/output-file/report%201.pdf",
        f'{{"download_url":{URL_}}}',
        lambda file: file.download_url,
        URL_.strip('"'),
    ),
    "check_balance": (
        lambda session: session.account.get_balance(),
        "/balance",
        '{"balance":"12.34"}',
        lambda balance: balance.cents,
        Decimal("12.34"),
    ),
    "me": (lambda session: session.account.me(), "/me", "true", lambda accepted: accepted, True),
    "ping": (lambda session: session.ping(), "/ping", "{}", lambda nothing: nothing, None),
}

# name of the row: the method that makes its call
METHODS: dict[str, Callable[..., Any]] = {
    "run_task": TaskEndpoints.run,
    "stop_task": TaskEndpoints.stop,
    "pause_task": TaskEndpoints.pause,
    "resume_task": TaskEndpoints.resume,
    "get_task": TaskEndpoints.get,
    "get_task_status": TaskEndpoints.get_status,
    "list_tasks": TaskEndpoints.list,
    "get_task_media": TaskEndpoints.get_media,
    "get_task_screenshots": TaskEndpoints.get_screenshots,
    "get_task_output_file": TaskEndpoints.get_output_file,
    "check_balance": AccountEndpoints.get_balance,
    "me": AccountEndpoints.me,
    "ping": BrowserUseSession.ping,
}


def _public_methods(section: type) -> list[Callable[..., Any]]:
    functions = inspect.getmembers(section, inspect.iscoroutinefunction)
    return [function for name, function in functions if not name.startswith("_")]


def test_each_row_has_exactly_one_method():
    """The table and the methods cover each other, with nothing left over on either side."""
    assert METHODS.keys() == CALLS.keys() == {row.name for row in ENDPOINTS}

    thin = [*_public_methods(TaskEndpoints), *_public_methods(AccountEndpoints)]

    assert sorted(map(repr, METHODS.values())) == sorted(map(repr, [*thin, BrowserUseSession.ping]))


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
async def test_one_method_is_one_call(mocked_api: MockedApi, connect: Connect, row: Endpoint):
    """Method, URL, headers and body of every call are those of the specification."""
    verb, path, answer, part, expected = CALLS[row.name]
    mocked_api.answer(row.method, path, answer)
    session = await connect(BASE_URL)

    result = await verb(session)

    assert part(result) == expected
    (call,) = mocked_api.calls
    assert (call.method, call.url) == (row.method, _sorted_query(BASE_URL + path))
    assert call.body == ({"task": "Buy milk"} if row.name == "run_task" else None)
    authorization = [] if row.name == "ping" else [f"Bearer {KEY}"]
    assert call.headers.getall("Authorization", []) == authorization  # type: ignore[attr-defined]
    assert call.headers["Accept"] == "application/json"
    assert call.headers["User-Agent"].startswith("browser-use-async/")
    assert call.headers.get("Content-Type") == (
        "application/json" if row.name == "run_task" else None
    )


def _sorted_query(url: str) -> str:
    """The URL as aioresponses reports it."""
    path, mark, query = url.partition("?")
    return path + mark + "&".join(sorted(query.split("&")))


async def test_run_sends_exactly_what_was_given(mocked_api: MockedApi, connect: Connect):
    """All fields travel under the API's names, null included, and nothing else does."""
    given: Any = {
        "secrets": {"user": "someone"},
        "allowed_domains": ["example.com", "*.example.org"],
        "browser_profile_id": "p-1",
        "save_browser_data": True,
        "structured_output_json": '{"type":"object"}',
        "llm_model": "o3",
        "use_adblock": False,
        "use_proxy": None,
        "proxy_country_code": "us",
        "highlight_elements": False,
        "included_file_names": ["a.pdf"],
        "browser_viewport_width": 800,
        "browser_viewport_height": 600,
        "max_agent_steps": 200,
        "enable_public_share": True,
        "metadata": {"größe": "é"},
    }
    for _ in range(2):
        mocked_api.answer("POST", "/run-task", '{"id":"t-1"}')
    session = await connect(BASE_URL)

    await session.tasks.run("Buy milk", **given)
    await session.tasks.run(RunTaskRequest("Buy milk", **given))

    assert [call.body for call in mocked_api.calls] == [{"task": "Buy milk", **given}] * 2


async def test_keywords_override_a_request_object(mocked_api: MockedApi, connect: Connect):
    """A whole request serves as a template; the fields beside it win."""
    template = RunTaskRequest("Buy milk", llm_model="o3", use_proxy=False)
    mocked_api.answer("POST", "/run-task", '{"id":"t-1"}')
    session = await connect(BASE_URL)

    await session.tasks.run(template, llm_model="gpt-4.1", proxy_country_code="DE")

    assert mocked_api.calls[0].body == {
        "task": "Buy milk",
        "llm_model": "gpt-4.1",
        "use_proxy": False,
        "proxy_country_code": "de",
    }
    assert template.llm_model == "o3"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(200, "true", True), (200, "false", False), (401, "false", False), (403, "{}", False)],
)
async def test_me_answers_false_for_a_wrong_key(
    mocked_api: MockedApi, connect: Connect, status: int, body: str, *, expected: bool
):
    """However the server says no, `me` gives False; only a true yes gives True."""
    mocked_api.answer("GET", "/me", body, status)
    session = await connect(BASE_URL)

    assert await session.account.me() is expected
