import pytest

from browser_use_async import BrowserUseSession, TaskStatus
from tests.support.wire import bound_socket

from .running import environment, run


async def test_several_tasks(server):
    """Each task named gets its call and its line of JSON; ids and tokens both work."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        first, second = [await session.submit("Hang") for _ in range(2)]
    names = (first.id, second.to_token())
    paused = await run("pause", *names, env=environment(server))
    were = [record.status for record in server.store.tasks]
    resumed = await run("resume", *names, env=environment(server))
    stopped = await run("stop", *names, env=environment(server))

    assert [paused.code, resumed.code, stopped.code] == [0, 0, 0]
    assert were == [TaskStatus.PAUSED] * 2
    assert [record.status for record in server.store.tasks] == [TaskStatus.STOPPED] * 2
    assert stopped.json_lines == [
        {"id": first.id, "command": "stop", "ok": True},
        {"id": second.id, "command": "stop", "ok": True},
    ]


async def test_one_is_refused(server):
    """A missing task does not keep the others from being stopped; the exit code shows it."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        handle = await session.submit("Hang")
    result = await run("stop", "no-such-task", handle.id, env=environment(server))

    assert result.code == 3
    assert [line["ok"] for line in result.json_lines] == [False, True]
    assert "no-such-task" in result.stderr
    assert server.store.tasks[0].status is TaskStatus.STOPPED


async def test_resume_what_was_never_paused(server):
    """What the server refuses is exit code 3."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        handle = await session.submit("Hang")
    result = await run("resume", handle.id, env=environment(server))

    assert result.code == 3
    assert "not paused" in result.stderr


@pytest.mark.torture
async def test_no_server_listens():
    """A server that cannot be reached is exit code 4."""
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        env = environment(BROWSER_USE_BASE_URL=url, BROWSER_USE_API_KEY="bu_canary")
        result = await run("pause", "some-task", env=env)

    assert result.code == 4
