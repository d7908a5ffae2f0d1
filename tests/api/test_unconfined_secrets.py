"""Secrets without domains: the caller is warned, at the line of the call."""

import warnings
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, CreateScheduledTaskRequest, RunTaskRequest
from tests.support.hygiene import SECRET
from tests.support.wire import answering, response

CREATED = response(200, '{"id":"t-1"}')
HOURLY: dict[str, Any] = {"schedule_type": "interval", "interval_minutes": 60}

UNCONFINED: dict[str, dict[str, Any]] = {
    "unset": {},
    "null": {"allowed_domains": None},
}


async def _run(session: BrowserUseSession, fields: dict[str, Any]) -> None:
    await session.tasks.run("Log in", **fields)


async def _run_whole(session: BrowserUseSession, fields: dict[str, Any]) -> None:
    await session.tasks.run(RunTaskRequest("Log in", **fields))


async def _submit(session: BrowserUseSession, fields: dict[str, Any]) -> None:
    await session.submit("Log in", **fields)


async def _schedule(session: BrowserUseSession, fields: dict[str, Any]) -> None:
    await session.scheduled_tasks.create("Log in", **HOURLY, **fields)


async def _schedule_whole(session: BrowserUseSession, fields: dict[str, Any]) -> None:
    request = CreateScheduledTaskRequest("Log in", **HOURLY, **fields)
    await session.scheduled_tasks.create(request)


CALLS = [_run, _run_whole, _submit, _schedule, _schedule_whole]


@pytest.mark.parametrize("kind", UNCONFINED)
@pytest.mark.parametrize("call", CALLS)
async def test_secrets_without_domains_give_a_warning(serve, connect, call, kind):
    """Once, at the caller's line, in the words of the API, and without the value."""
    session = await connect(await serve(answering(CREATED)))

    with pytest.warns(UserWarning, match="the API recommends") as caught:
        await call(session, {"secrets": {"password": SECRET}, **UNCONFINED[kind]})

    (warning,) = caught
    here = call.__code__
    assert warning.filename == __file__
    assert here.co_firstlineno < warning.lineno <= max(line for *_, line in here.co_lines() if line)
    assert "allowed_domains" in str(warning.message)
    assert SECRET not in str(warning.message)


async def test_a_line_in_a_loop_warns_once(serve, connect):
    """Under Python's own default filter a call site warns once, however often it runs."""
    session = await connect(await serve(answering(CREATED)))

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(5):
            await session.tasks.run("Log in", secrets={"password": SECRET})
        await session.tasks.run("Log in", secrets={"password": SECRET})

    assert len(caught) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"secrets": {"password": SECRET}, "allowed_domains": ["example.com"]},
        {"secrets": {}},
        {"secrets": None},
        {"allowed_domains": None},
        {},
    ],
    ids=["with domains", "no secret", "null", "no secrets field", "nothing"],
)
async def test_nothing_to_warn_of(serve, connect, fields):
    """Requests that follow the recommendation are sent without a warning."""
    session = await connect(await serve(answering(CREATED)))

    with warnings.catch_warnings(record=True) as caught:
        for call in CALLS:
            await call(session, fields)

    assert not caught
