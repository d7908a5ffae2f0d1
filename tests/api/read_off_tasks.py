"""The expected values of the samples of tasks, account and health check, by hand."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from browser_use_async.types import (
    Balance,
    BrowserData,
    Created,
    OutputFile,
    Task,
    TaskMedia,
    TaskPage,
    TaskScreenshots,
    TaskStatus,
    TaskStep,
    TaskSummary,
)

SIGNATURE = "X-Amz-Signature=canary-signature"
LIVE_URL = "https://live.example.net/view?token=canary-live-url"


def at(*parts: Any) -> datetime:
    """A time in UTC."""
    return datetime(*parts, tzinfo=UTC)


EXPECTED: dict[str, Any] = {
    "run_task/created.json": Created("5b73fb3f-a3cb-4912-be40-17ce9e9e1a45"),
    "run_task/unknown_field.json": Created(
        "task_1234567890abcdef", extra={"session_id": "cd9cc7bf-e3af-4181-80a2-73f083bc94b4"}
    ),
    "stop_task/empty.json": None,
    "stop_task/null.json": None,
    "stop_task/object.json": None,
    "pause_task/empty.json": None,
    "pause_task/null.json": None,
    "pause_task/object.json": None,
    "resume_task/empty.json": None,
    "resume_task/null.json": None,
    "resume_task/object.json": None,
    "ping/null.json": None,
    "ping/object.json": None,
    "get_task/finished.json": Task(
        id="5b73fb3f-a3cb-4912-be40-17ce9e9e1a45",
        task="Open https://example.com and tell me its title",
        status=TaskStatus.FINISHED,
        created_at=at(2025, 11, 1, 10, 48, 1, 533595),
        output="Example Domain",
        steps=[
            TaskStep(
                id="a0c31f1e-6b6a-4f6e-9d0e-1f6a4f1f3b11",
                step=1,
                evaluation_previous_goal="Unknown",
                next_goal="Open the page",
                url="about:blank",
            ),
            TaskStep(
                id="c2f0f8f4-5a4d-47be-8f56-0a2f0a9f5c22",
                step=2,
                evaluation_previous_goal="Success - the page is open",
                next_goal="Read its title",
                url="https://example.com/",
            ),
        ],
        live_url=LIVE_URL,
        finished_at=at(2025, 11, 1, 10, 48, 13, 137402),
        browser_data=BrowserData(
            cookies=[
                {
                    "name": "session",
                    "value": "canary-cookie",
                    "domain": ".example.com",
                    "expires": 1793443693.5,
                    "httpOnly": True,
                }
            ]
        ),
        user_uploaded_files=["data.csv"],
        output_files=["logs.txt", "résumé.pdf"],
        public_share_url="https://cloud.browser-use.com/share/canary-share",
        metadata={"campaign": "q4-automation", "team": "marketing"},
    ),
    "get_task/running_all_optional_null.json": Task(
        id="9f1b",
        task="Wait",
        status=TaskStatus.RUNNING,
        created_at=at(2025, 11, 1, 10, 48, 1),
    ),
    "get_task/created_required_fields_only.json": Task(
        id="9f1b",
        task="Wait",
        status=TaskStatus.CREATED,
        created_at=at(2025, 8, 14, 9, 22, 22, 269116),
    ),
    "get_task/failed_self_hosted.json": Task(
        id="1",
        task="Buy",
        status=TaskStatus.FAILED,
        created_at=at(2025, 8, 14, 9, 22, 22, 269116),
        steps=[TaskStep("s1", 1, "Failed - the shop is closed", "", "")],
        finished_at=datetime(2025, 8, 14, 11, 23, tzinfo=timezone(timedelta(hours=2))),
        browser_data=BrowserData(),
    ),
    "get_task/unknown_status_and_fields.json": Task(
        id="9f1b",
        task="Wait",
        status=TaskStatus("stopping"),
        created_at=at(2025, 11, 1, 10, 48, 1, 500000),
        steps=[
            TaskStep(
                "s1",
                1,
                "",
                "",
                "https://example.com/",
                extra={"screenshot_url": "https://files.example.net/1.png"},
            )
        ],
        extra={"cost_cents": 3.25, "agent": {"name": "v2", "tools": ["search", None]}},
    ),
    "get_task/paused_structured_output.json": Task(
        id="9f1b",
        task="Read the price",
        status=TaskStatus.PAUSED,
        created_at=None,
        output='{"price": 12.5, "currency": "€"}',
        extra={"created_at": "yesterday"},
    ),
    "get_task_status/finished.json": TaskStatus.FINISHED,
    "get_task_status/created.json": TaskStatus.CREATED,
    "get_task_status/running.json": TaskStatus.RUNNING,
    "get_task_status/stopped.json": TaskStatus.STOPPED,
    "get_task_status/paused.json": TaskStatus.PAUSED,
    "get_task_status/failed.json": TaskStatus.FAILED,
    "get_task_status/bare.txt": TaskStatus.FINISHED,
    "get_task_status/bare_with_newline.txt": TaskStatus.PAUSED,
    "get_task_status/wrapped.json": TaskStatus.RUNNING,
    "get_task_status/unknown.json": TaskStatus("stopping"),
    "list_tasks/two_rows.json": TaskPage(
        tasks=[
            TaskSummary(
                id="b2",
                task="Second",
                status=TaskStatus.FINISHED,
                created_at=at(2025, 11, 1, 10, 49, 1, 533595),
                output="done",
                finished_at=at(2025, 11, 1, 10, 50),
                live_url=LIVE_URL,
                metadata={"team": "marketing"},
            ),
            TaskSummary(
                id="a1",
                task="First",
                status=TaskStatus.RUNNING,
                created_at=at(2025, 11, 1, 10, 48, 1, 533595),
            ),
        ],
        total_pages=1,
        page=1,
        limit=10,
        total_count=2,
    ),
    "list_tasks/past_the_end.json": TaskPage([], 3, 4, 100, 250),
    "list_tasks/no_tasks_at_all.json": TaskPage([], 0, 1, 10, 0),
    "list_tasks/without_metadata.json": TaskPage(
        tasks=[
            TaskSummary(
                id="a1",
                task="First",
                status=TaskStatus.STOPPED,
                created_at=at(2025, 8, 14, 9, 22, 22),
                output="",
                finished_at=at(2025, 8, 14, 9, 25, 22),
            )
        ],
        total_pages=1,
        page=1,
        limit=1,
        total_count=1,
        extra={"has_more": False},
    ),
    "get_task_media/one_recording.json": TaskMedia(
        [f"https://media.example.net/9f1b.mp4?X-Amz-Expires=3600&{SIGNATURE}"]
    ),
    "get_task_media/null.json": TaskMedia(),
    "get_task_media/empty.json": TaskMedia(),
    "get_task_media/list_of_null.json": TaskMedia(),
    "get_task_screenshots/two.json": TaskScreenshots(
        [
            "https://media.example.net/9f1b/1.png?sig=canary-signature",
            "https://media.example.net/9f1b/2.png?sig=canary-signature",
        ]
    ),
    "get_task_screenshots/null.json": TaskScreenshots(),
    "get_task_output_file/signed.json": OutputFile(
        f"https://files.example.net/9f1b/r%C3%A9sum%C3%A9.pdf?{SIGNATURE}"
    ),
    "check_balance/text.json": Balance(Decimal(5000)),
    "check_balance/number.json": Balance(Decimal("12.34")),
    "check_balance/with_currency.json": Balance(Decimal("-0.50"), extra={"currency": "USD"}),
    "me/valid_key.json": True,
    "me/invalid_key.json": False,
}
