import signal
from datetime import UTC, datetime

import pytest

from browser_use_async import BrowserUseSession, TaskStatus
from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.server import LocalServer

from .running import environment, run, running


async def _submitted(server: LocalServer, task: str) -> tuple[str, str]:
    """The id and the token of a new task."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        handle = await session.submit(task)
    return handle.id, handle.to_token()


@pytest.mark.long
async def test_by_id_and_by_token(server):
    """A task is found by its id and by the token of its handle, and printed when it has ended."""
    task_id, token = await _submitted(server, "Look")
    by_id = await run("watch", task_id, env=environment(server))
    by_token = await run("watch", token, env=environment(server))

    assert by_id.code == by_token.code == 0
    assert by_id.json == by_token.json
    assert by_id.json["id"] == task_id
    assert by_id.stderr.startswith("watch live at http")
    assert "step 2   Read what is on it" in by_id.stderr


@pytest.mark.long
async def test_failed(server):
    """A task that failed is exit code 1, and printed; the error says why."""
    task_id, _token = await _submitted(server, "Fail")
    result = await run("watch", task_id, env=environment(server))

    assert result.code == 1
    reason = result.json["steps"][-1]["evaluation_previous_goal"]
    assert f"failed after 3 steps: {reason}" in " ".join(result.stderr.split())
    assert result.json["status"] == "failed"


@pytest.mark.torture
async def test_pause_and_resume_are_seen(server):
    """The watching command shows that another client pauses and resumes the task."""
    task_id, _token = await _submitted(server, "Hang")
    async with running("watch", task_id, env=environment(server)) as command:
        await command.says("step 1")
        assert (await run("pause", task_id, env=environment(server))).code == 0
        await command.says("the task is paused")
        assert (await run("resume", task_id, env=environment(server))).code == 0
        await command.says("the task is running")
        assert (await run("stop", task_id, env=environment(server))).code == 0
        result = await command.ends()

    assert result.code == 1
    assert result.json["status"] == "stopped"


@pytest.mark.torture
async def test_timeout(server):
    """After the timeout the exit code is 124, and the task runs on."""
    task_id, _token = await _submitted(server, "Hang")
    words = ("watch", task_id, "--timeout", "10")
    result = await run(*words, env=environment(server), seconds=50)

    assert result.code == 124
    assert result.json == {"id": task_id, "status": "running"}
    assert server.store.tasks[0].status is TaskStatus.RUNNING


async def test_ctrl_c_leaves_the_task(server):
    """Watching only reads: Ctrl-C ends the command and not the task."""
    task_id, _token = await _submitted(server, "Hang")
    async with running("watch", task_id, env=environment(server)) as command:
        await command.says("step 1")
        command.send(signal.SIGINT)
        result = await command.ends()

    assert result.code == 130
    assert "it goes on" in result.stderr
    assert server.store.tasks[0].status is TaskStatus.RUNNING


async def test_no_such_task(server):
    """An unknown id is exit code 3, in one line."""
    result = await run("watch", "no-such-task", env=environment(server))

    assert result.code == 3
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


async def test_submission_token(server):
    """The token of a submission whose answer was lost finds the task that it created."""
    now = datetime.now(UTC)
    lost = SubmissionToken.new("Look", 0.1, now)
    never = SubmissionToken.new("Look", 0.1, now)
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        created = await session.tasks.run("Look", metadata={"bu_async.token": lost.mark})
    found = await run("watch", str(lost), env=environment(server))
    missed = await run("watch", str(never), env=environment(server))

    assert found.code == 0
    assert found.json["id"] == created.id
    assert missed.code == 1
    assert "no such task was created" in missed.stderr
    assert missed.stdout == ""
