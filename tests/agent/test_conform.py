"""The statements of the specification, checked on a server whose tasks the agent runs."""

import tempfile
from pathlib import Path

import pytest

from tests.agent.scripted_model import Says, act
from tests.agent.stage import done
from tests.proofs.conformance.statements.probe import Settings
from tests.proofs.conformance.statements.report import run_checks
from tests.support.patience import until


def _reply(text: str) -> Says:
    """Wait where the task says so, and answer otherwise."""
    if "Wait 30 seconds" in text:
        return act("Wait", {"wait": {"seconds": 30}})
    return done("The title")


@pytest.mark.timeout(600)
async def test_the_statements_are_true_with_the_agent(stage):
    """All but a search of the web, for which the server has no backend."""
    caller = await stage.server(await stage.model([_reply]))
    outcomes = await run_checks(
        Settings(
            base_url=caller.server.base_url,
            api_key=caller.server.api_key,
            website=stage.shop.url,
            task_seconds=90.0,
        )
    )

    # Stopped tasks have browsers to end, for which a closing server waits 5 s.
    folders = Path(tempfile.gettempdir())
    await until(lambda: not any(folders.iterdir()), seconds=60)

    assert [(each.check.statement, each.reason) for each in outcomes if each.verdict != "ok"] == [
        (
            "simple-search answers with addresses and passages",
            "this server has nothing to search with",
        )
    ]
