"""The expected values of the samples of schedules, profiles, files and searches, by hand."""

from typing import Any

from browser_use_async.types import (
    BrowserProfile,
    BrowserProfilePage,
    Created,
    LlmModel,
    ProxyCountry,
    ScheduledTask,
    ScheduledTaskPage,
    ScheduleType,
    SearchResult,
    SearchResults,
    UploadUrl,
)
from tests.api.read_off_tasks import SIGNATURE, at

_ID = "scheduled_task_1234567890abcdef"

EXPECTED: dict[str, Any] = {
    "list_scheduled_tasks/one_of_each.json": ScheduledTaskPage(
        tasks=[
            ScheduledTask(
                id=_ID,
                task="Check the price of milk",
                schedule_type=ScheduleType.INTERVAL,
                interval_minutes=60,
                start_at=at(2025, 8, 14, 9, 22, 22, 269116),
                next_run_at=at(2025, 8, 14, 10, 22, 22, 269116),
                end_at=at(2026, 8, 14, 9, 22, 22, 269116),
                created_at=at(2025, 8, 14, 9, 22, 20),
                updated_at=at(2025, 8, 14, 9, 22, 20),
            ),
            ScheduledTask(
                id="s-2",
                task="Report",
                schedule_type=ScheduleType.CRON,
                cron_expression="0 9 * * 1-5",
                start_at=at(2025, 11, 1, 10, 48, 1, 533595),
                is_active=False,
                created_at=at(2025, 11, 1, 10, 48, 1, 533595),
                updated_at=at(2025, 11, 2, 10, 48, 1),
                save_browser_data=True,
                llm_model=LlmModel.CLAUDE_SONNET_4_20250514,
                use_adblock=False,
                use_proxy=False,
                highlight_elements=False,
                metadata={"team": "marketing"},
            ),
        ],
        total_pages=1,
        page=1,
        limit=10,
        total_count=2,
    ),
    "list_scheduled_tasks/none.json": ScheduledTaskPage([], 0, 1, 10, 0),
    "create_scheduled_task/created.json": Created(_ID),
    "get_scheduled_task/unknown_schedule_type.json": ScheduledTask(
        id=_ID,
        task="Check the price of milk",
        schedule_type=ScheduleType("weekly"),
        start_at=at(2025, 11, 1, 10, 48, 1),
        next_run_at=None,
        end_at=at(2026, 11, 1, 10, 48, 1),
        created_at=at(2025, 11, 1, 10, 48, 1),
        updated_at=at(2025, 11, 1, 10, 48, 1),
        extra={"weekday": "monday", "next_run_at": "soon"},
    ),
    "update_scheduled_task/paused.json": ScheduledTask(
        id=_ID,
        task="Check the price of milk",
        schedule_type=ScheduleType.INTERVAL,
        interval_minutes=15,
        start_at=at(2025, 11, 1, 10, 48, 1),
        end_at=at(2026, 11, 1, 10, 48, 1),
        is_active=False,
        created_at=at(2025, 11, 1, 10, 48, 1),
        updated_at=at(2025, 11, 2, 10, 48, 1),
    ),
    "delete_scheduled_task/empty.json": None,
    "delete_scheduled_task/null.json": None,
    "delete_scheduled_task/object.json": None,
    "list_browser_profiles/one.json": BrowserProfilePage(
        profiles=[BrowserProfile("profile_1234567890abcdef", "Shopping")],
        total_pages=1,
        page=1,
        limit=10,
        total_count=1,
    ),
    "create_browser_profile/upper_case_country.json": BrowserProfile(
        profile_id="profile_1234567890abcdef",
        profile_name="Shopping",
        description="For groceries",
        proxy_country_code=ProxyCountry("US"),
    ),
    "get_browser_profile/odd.json": BrowserProfile(
        profile_id="7",
        profile_name="Shopping",
        persist=False,
        ad_blocker=True,
        proxy=False,
        proxy_country_code=ProxyCountry("nz"),
        browser_viewport_width=800,
        browser_viewport_height=600,
        extra={"store_cache": True},
    ),
    "update_browser_profile/changed.json": BrowserProfile(
        profile_id="profile_1234567890abcdef",
        profile_name="Shopping",
        persist=False,
        ad_blocker=False,
        proxy=False,
        browser_viewport_width=390,
        browser_viewport_height=844,
    ),
    "delete_browser_profile/empty.json": None,
    "delete_browser_profile/null.json": None,
    "delete_browser_profile/object.json": None,
    "upload_file_presigned_url/signed.json": UploadUrl(
        f"https://files.example.net/uploads/data.csv?{SIGNATURE}"
    ),
    "simple_search/two_results.json": SearchResults(
        [
            SearchResult("https://example.com/", "Example Domain"),
            SearchResult("https://example.org/a?b=c", ""),
        ]
    ),
    "simple_search/none.json": SearchResults(),
    "search_url/found.json": SearchResult(
        "https://example.com/",
        "Example Domain \u2013 for use in documents",
        extra={"depth": 2},
    ),
}
