"""Each method makes exactly the call that the specification describes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, RunTaskRequest, TaskStatus
from browser_use_async.api.endpoint_table import ENDPOINTS
from tests.api.test_encoding import GIVEN
from tests.support.hygiene import KEY
from tests.support.shim import BASE_URL

TASK = (
    '{"id":"t-1","task":"Buy milk","status":"finished","output":"done","created_at":'
    '"2025-11-01T10:48:01.533595Z","steps":[{"id":"s-1","step":1,"next_goal":"look",'
    '"evaluation_previous_goal":"","url":"https://example.com/"}]}'
)
PAGE = '{"tasks":[],"total_pages":3,"page":2,"limit":50,"total_count":101}'
SCHEDULE = (
    '{"id":"s-1","task":"Buy milk","save_browser_data":false,"structured_output_json":null,'
    '"llm_model":"gpt-4o","use_adblock":true,"use_proxy":true,"highlight_elements":true,'
    '"schedule_type":"cron","interval_minutes":null,"cron_expression":"0 7 * * *",'
    '"start_at":"2026-01-02T03:00:00","next_run_at":"2026-01-02T07:00:00","is_active":true,'
    '"end_at":"2027-01-02T03:00:00","created_at":"2026-01-01T00:00:00",'
    '"updated_at":"2026-01-01T00:00:00"}'
)
PROFILE = (
    '{"profile_id":"p-1","profile_name":"Work","description":"","persist":false,'
    '"ad_blocker":true,"proxy":true,"proxy_country_code":"de","browser_viewport_width":1280,'
    '"browser_viewport_height":960}'
)
URL_ = '"https://files.example.com/a?signature=1"'

Verb = Callable[[BrowserUseSession], Awaitable[Any]]

# name of the row: how it is called, its path, the answer's JSON, and the caller's result
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
    "list_scheduled_tasks": (
        lambda session: session.scheduled_tasks.list(page=2, limit=500),
        "/scheduled-tasks?page=2&limit=500",
        f'{{"tasks":[{SCHEDULE}],"total_pages":1,"page":2,"limit":500,"total_count":1}}',
        lambda page: page.tasks[0].cron_expression,
        "0 7 * * *",
    ),
    "create_scheduled_task": (
        lambda session: session.scheduled_tasks.create(
            "Buy milk",
            schedule_type="cron",
            cron_expression="0 7 * * *",
            start_at=datetime(2026, 1, 2, 3, tzinfo=UTC),
            proxy_country_code="DE",
        ),
        "/scheduled-task",
        '{"id":"s-1"}',
        lambda created: created.id,
        "s-1",
    ),
    "get_scheduled_task": (
        lambda session: session.scheduled_tasks.get("s-1"),
        "/scheduled-task/s-1",
        SCHEDULE,
        lambda schedule: (schedule.schedule_type, schedule.next_run_at.hour),
        ("cron", 7),
    ),
    "update_scheduled_task": (
        lambda session: session.scheduled_tasks.update("s-1", is_active=False),
        "/scheduled-task/s-1",
        SCHEDULE,
        lambda schedule: schedule.id,
        "s-1",
    ),
    "delete_scheduled_task": (
        lambda session: session.scheduled_tasks.delete("s-1"),
        "/scheduled-task/s-1",
        "null",
        lambda nothing: nothing,
        None,
    ),
    "list_browser_profiles": (
        lambda session: session.browser_profiles.list(),
        "/browser-profiles?page=1&limit=10",
        f'{{"profiles":[{PROFILE}],"total_pages":1,"page":1,"limit":10,"total_count":1}}',
        lambda page: page.profiles[0].proxy_country_code,
        "de",
    ),
    "create_browser_profile": (
        lambda session: session.browser_profiles.create("Work", proxy_country_code="DE"),
        "/browser-profiles",
        PROFILE,
        lambda profile: profile.profile_id,
        "p-1",
    ),
    "get_browser_profile": (
        lambda session: session.browser_profiles.get("p-1"),
        "/browser-profiles/p-1",
        PROFILE,
        lambda profile: profile.profile_name,
        "Work",
    ),
    "update_browser_profile": (
        lambda session: session.browser_profiles.update("p-1", persist=False),
        "/browser-profiles/p-1",
        PROFILE,
        lambda profile: profile.persist,
        False,
    ),
    "delete_browser_profile": (
        lambda session: session.browser_profiles.delete("p-1"),
        "/browser-profiles/p-1",
        "{}",
        lambda nothing: nothing,
        None,
    ),
    "upload_file_presigned_url": (
        lambda session: session.files.create_upload_url("data.csv", "text/csv"),
        "/uploads/presigned-url",
        f'{{"upload_url":{URL_}}}',
        lambda url: url.upload_url,
        URL_.strip('"'),
    ),
    "simple_search": (
        lambda session: session.search.simple_search("milk", max_websites=3),
        "/simple-search",
        '{"results":[{"url":"https://example.com/","content":"Milk"}]}',
        lambda results: results[0].content,
        "Milk",
    ),
    "search_url": (
        lambda session: session.search.search_url("https://example.com/", "milk", depth=3),
        "/search-url",
        '{"url":"https://example.com/","content":"Milk"}',
        lambda result: result.content,
        "Milk",
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

# name of the row: the JSON that its call sends
BODIES: dict[str, object] = {
    "run_task": {"task": "Buy milk"},
    "create_scheduled_task": {
        "task": "Buy milk",
        "schedule_type": "cron",
        "cron_expression": "0 7 * * *",
        "start_at": "2026-01-02T03:00:00.000000Z",
        "proxy_country_code": "de",
    },
    "update_scheduled_task": {"is_active": False},
    "create_browser_profile": {"profile_name": "Work", "proxy_country_code": "de"},
    "update_browser_profile": {"persist": False},
    "upload_file_presigned_url": {"file_name": "data.csv", "content_type": "text/csv"},
    "simple_search": {"query": "milk", "max_websites": 3},
    "search_url": {"url": "https://example.com/", "query": "milk", "depth": 3},
}


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
async def test_one_method_is_one_call(mocked_api, connect, row):
    """Method, URL, headers and body of every call are those of the specification."""
    verb, path, answer, part, expected = CALLS[row.name]
    mocked_api.answer(row.method, path, answer)
    session = await connect(BASE_URL)

    result = await verb(session)

    assert part(result) == expected
    (call,) = mocked_api.calls
    assert (call.method, call.url) == (row.method, _sorted_query(BASE_URL + path))
    assert call.body == BODIES.get(row.name)
    authorization = [] if row.name == "ping" else [f"Bearer {KEY}"]
    assert call.headers.getall("Authorization", []) == authorization  # type: ignore[attr-defined]
    assert call.headers["Accept"] == "application/json"
    assert call.headers["User-Agent"].startswith("browser-use-async/")
    assert call.headers.get("Content-Type") == ("application/json" if row.name in BODIES else None)


def _sorted_query(url: str) -> str:
    """The URL as aioresponses reports it."""
    path, mark, query = url.partition("?")
    return path + mark + "&".join(sorted(query.split("&")))


async def test_run_sends_exactly_what_was_given(mocked_api, connect):
    """All fields are sent under the API's names, null included, and nothing else is."""
    for _ in range(2):
        mocked_api.answer("POST", "/run-task", '{"id":"t-1"}')
    session = await connect(BASE_URL)

    await session.tasks.run("Buy milk", **GIVEN)
    await session.tasks.run(RunTaskRequest("Buy milk", **GIVEN))

    assert [call.body for call in mocked_api.calls] == [{"task": "Buy milk", **GIVEN}] * 2


async def test_keywords_override_a_request_object(mocked_api, connect):
    """A whole request is a template; keyword fields have priority over it."""
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
async def test_me_answers_false_for_a_wrong_key(mocked_api, connect, status, body, *, expected):
    """For every kind of refusal `me` returns False; only a true yes gives True."""
    mocked_api.answer("GET", "/me", body, status)
    session = await connect(BASE_URL)

    assert await session.account.me() is expected


async def test_a_filter_of_the_list_names_the_iterator():
    """One page has no filters; the error says what has."""
    session = BrowserUseSession(KEY, base_url=BASE_URL)
    filters: Any = {"statuses": ["failed"]}
    with pytest.raises(TypeError, match=r"no argument 'statuses'.*session\.iterate_all_tasks\("):
        await session.tasks.list(**filters)
