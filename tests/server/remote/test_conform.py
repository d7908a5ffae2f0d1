"""The statements of the specification, checked on a server in front of the hosted service."""

import pytest

from browser_use_async.server.static_site import StaticSite, example_site_directory
from tests.conformance.statements.probe import Settings
from tests.conformance.statements.report import run_checks
from tests.server.remote.conftest import Opens
from tests.support.hosted.service import Course, HostedService

# The hosted service cannot pause a task.
_CANNOT_BE = {"a running task is paused, and continues when it is resumed"}


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_the_statements_are_true_but_for_the_pause(
    hosted: HostedService, opens: Opens
) -> None:
    """What the mapping excludes is refused; all other statements are true."""
    hosted.courses["title"] = Course(files={"a b.txt": b"x"})
    async with StaticSite(example_site_directory()) as site:
        options = {"search": [site.url], "balance_cents": 10**6, "webhook_retry_pauses": [0.01] * 5}
        async with opens(hosted, options=options) as door:
            outcomes = await run_checks(
                Settings(
                    base_url=door.server.base_url,
                    api_key=door.server.api_key,
                    website=site.url,
                    task_seconds=60.0,
                )
            )

    odd = {each.check.statement: each.reason for each in outcomes if each.verdict != "ok"}
    assert odd.keys() == _CANNOT_BE, odd
    assert len(outcomes) == 40  # as docs/migrating.md says
    assert hosted.at_work == 0
