"""The published documents of the hosted API, by which Prism checks each call and answer.

They are not part of this project: `make hosted-documents DOCUMENTS=FOLDER` names a folder with
`v4.json`, and installs Prism.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server import CloudModel, CloudSettings, LocalServer
from tests.server.remote.conftest import Opens
from tests.support.hosted.prism import Prism
from tests.support.hosted.service import KEY, Course, HostedService
from tests.support.patience import until

_FOLDER, _PROGRAM = os.environ.get("HOSTED_DOCUMENTS"), os.environ.get("PRISM")
pytestmark = [
    pytest.mark.skipif(not (_FOLDER and _PROGRAM), reason="for make hosted-documents"),
    pytest.mark.timeout(300),
]
_TASKS: list[dict[str, Any]] = [
    {},
    {"use_proxy": False, "browser_viewport_width": 800},
    {"proxy_country_code": "de", "structured_output_json": '{"type": "object"}'},
    {"secrets": {"name": "value-of-it"}, "allowed_domains": ["shop.example"]},
]
_WITH_FILE = {"included_file_names": ["list.txt"]}  # a storage that is made up accepts none


# From the service's own later SDK; the published document of version 4 is older.
_LATER = ("'outputSchema'", "'secretBindings'", "'modelParams'", "/share ")
_MORE: dict[str, Any] = {
    "max_cost_usd": Decimal("0.50"),
    "models": {"*": CloudModel("gpt-5.6", {"reasoning": {"effort": "high"}})},
}
_REFUSALS = [400, 403, 404, 409]


def _prism(upstream: str | None = None) -> Prism:
    return Prism(Path(_PROGRAM or ""), Path(_FOLDER or "") / "v4.json", upstream)


def _earlier(prism: Prism) -> list[str]:
    return [each for each in prism.violations if not any(later in each for later in _LATER)]


@pytest.fixture
async def mock() -> AsyncIterator[Prism]:
    """A stateless service that makes up every answer by the document."""
    async with _prism() as prism:
        yield prism
    assert _earlier(prism) == []


@asynccontextmanager
async def _door(mock: Prism) -> AsyncIterator[BrowserUseSession]:
    settings = CloudSettings(
        *(KEY, mock.url),
        is_lenient=True,
        poll_seconds=0.01,
        settle_seconds=0.1,
        recording_seconds=0.1,
        concurrency=100,
    )
    async with (
        LocalServer(executor="cloud-v4", cloud=settings, balance_cents=10**12) as server,
        BrowserUseSession(api_key=server.api_key, base_url=server.base_url) as session,
    ):
        yield session


@pytest.mark.parametrize("given", _TASKS)
async def test_a_service_without_a_state(mock: Prism, given: dict[str, Any]) -> None:
    """Valid answers of any form end each task, and no call violates the document."""
    async with _door(mock) as session:
        handles = [await session.submit(f"Buy milk {number}", **given) for number in range(6)]
        ended = [await each.wait() for each in handles]

    reasons = {each.steps[-1].evaluation_previous_goal for each in ended if each.status == "failed"}
    assert not [each for each in reasons if "unknown form" in each or "executor" in each]
    assert {each.status for each in ended} <= {"finished", "failed"}


async def test_refusals_of_a_service_without_a_state(mock: Prism) -> None:
    """Each refusal that the document lists for the paid call is the reason of a failure."""
    async with _door(mock) as session:
        for status in _REFUSALS:
            mock.demanded["POST /runs"] = status
            task = await (await session.submit("Buy milk")).wait()

            assert task.status == "failed"
            assert f"({status})" in task.steps[-1].evaluation_previous_goal


async def test_the_fake_and_the_door(hosted: HostedService, opens: Opens) -> None:
    """Every call of this server and every answer of the fake conforms to the document."""
    hosted.courses["eggs"] = Course(outcome="failed", reason="The shop is closed")
    hosted.courses["milk"] = Course(files={"report.csv": b"a"})
    async with _prism(hosted.url) as prism:
        hosted.url = prism.url  # of its links
        async with opens(hosted, base_url=prism.url, is_lenient=True, **_MORE) as door:
            session = door.session
            await session.files.upload(b"list", file_name="list.txt")
            profile = await session.browser_profiles.create("Shop")
            for given in (*_TASKS, _WITH_FILE):
                await session.run_and_wait("Buy milk", **given)
            await session.run_and_wait(
                "Buy milk", browser_profile_id=profile.profile_id, enable_public_share=True
            )
            await session.browser_profiles.update(profile.profile_id, profile_name="Store")
            await session.account.get_balance()
            await (await session.submit("Buy eggs")).wait()
            handle = await session.submit("Wait 30 seconds")
            await until(lambda: hosted.at_work == 1)
            await handle.stop()
            await until(lambda: hosted.at_work == 0)

            await session.browser_profiles.delete(profile.profile_id)

    assert _earlier(prism) == []
    assert prism.calls.total() > 50
