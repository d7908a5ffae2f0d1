"""What commands print while the server does not answer."""

import asyncio
import re
import signal
from collections.abc import Callable

import pytest

from browser_use_async import TaskStatus
from tests.support.fake_api import Call, FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.wire import bound_socket

from .running import environment, run, run_on_terminal, running

CUT = Fault(cut=True)


@pytest.fixture(autouse=True)
def endless_tasks(api):
    """Tasks run until they are stopped."""
    api.make = lambda _body: lives(1e6)


def _env(url: str) -> dict[str, str]:
    return environment(BROWSER_USE_BASE_URL=url, BROWSER_USE_API_KEY="bu_canary")


def _fails(*routes: str) -> Callable[[Call], Fault | None]:
    return lambda call: CUT if not routes or call.route in routes else None


@pytest.mark.long
async def test_watching_nothing_ends_within_seconds():
    """No server listens: one line about it, then the error, and no claim about the task."""
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        result = await run("watch", "some-task", env=_env(url))

    assert result.code == 4
    first, *others = result.stderr.splitlines()
    assert re.fullmatch(r"note: no answer for \d+ s: connection refused", first)
    assert len(others) == 1
    assert "Connection refused" in others[0]
    assert "base_url" in others[0]
    assert "goes on" not in result.stderr


@pytest.mark.long
async def test_a_timeout_says_why_nothing_is_known():
    """The timeout ends before the outage is certain: the refused connection is quoted."""
    with bound_socket() as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        result = await run("watch", "some-task", "--timeout", "1", env=_env(url))

    assert result.code == 124
    assert "the time is up; the task was not seen" in result.stderr
    assert "Connection refused" in result.stderr
    assert "whether task some-task exists is not known" in result.stderr
    assert result.json == {"id": "some-task", "status": None}


@pytest.mark.long
async def test_an_outage_is_a_line_and_its_end_another(api):
    """Without a terminal one line reports an outage, and another one its end."""
    task = api.add(FakeTask(life=((0.0, "running"),)))
    async with running("watch", task.id, env=_env(api.url)) as command:
        await command.says("watch live")
        api.fault = _fails()
        await command.says("note: no answer for 2 s: the server closed the connection")
        api.fault = _fails("list")
        await command.says("note: the service answers again, after ")
        task.life = ((0.0, "finished"),)
        result = await command.ends()

    assert result.code == 0
    assert result.stderr.count("no answer for") == 1
    assert result.stderr.count("WARNING") == 0


@pytest.mark.long
async def test_the_status_line_shows_an_outage_and_returns(api):
    """On a terminal the spinner shows for how long there is no answer, and then continues."""
    task = api.add(FakeTask(life=((0.0, "running"),)))

    def fault(call: Call) -> Fault | None:
        outage = asyncio.get_running_loop().time() - task.born
        if outage > 7.0:
            task.life = ((0.0, "finished"),)
        return CUT if 1.5 < outage < 5.5 else None

    api.fault = fault
    shown = await run_on_terminal("watch", task.id, env=_env(api.url))

    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    before, outage, after = re.split(r"(no answer for \d s: the server closed)", text, maxsplit=1)
    assert f"task {task.id}" in before
    assert outage
    assert f"task {task.id}" in after.partition("answers again")[2]
    assert "WARNING" not in text


@pytest.mark.long
@pytest.mark.parametrize("action", ["stop", "pause"])
async def test_a_stop_without_an_answer_is_not_reported(api, action):
    """Ctrl-C during an outage: the task may still run, and the command to stop it is named."""
    words = ("run", "x", "--on-cancel", action)
    async with running(*words, env=_env(api.url)) as command:
        await command.says("watch live")
        api.fault = _fails()
        await command.says("no answer for")
        command.send(signal.SIGINT)
        result = await command.ends()

    (task,) = api.tasks
    assert result.code == 130
    assert "was asked to" not in result.stderr
    assert f"warning: could not {action} task {task}: " in result.stderr
    assert f"it may still run and cost money: browser-use-async {action} {task}" in result.stderr
    assert result.stderr.count("may still run") == 1
    assert "WARNING" not in result.stderr


@pytest.mark.long
async def test_a_stop_at_the_timeout_is_reported_when_it_is_answered(server):
    """`--on-timeout stop` prints this once the service has confirmed it."""
    words = ("run", "Hang", "--timeout", "3", "--on-timeout", "stop")
    result = await run(*words, env=environment(server))

    (task,) = server.store.tasks
    assert result.code == 124
    assert f"the service was asked to stop task {task.id}" in result.stderr
    assert task.status is TaskStatus.STOPPED


@pytest.mark.long
async def test_a_batch_reports_an_outage(api, tmp_path):
    """A batch prints a line when answers stop, and one when they come again."""
    rows = tmp_path / "rows.csv"
    rows.write_text("key,task\na,Look\nb,Read\n")
    async with running("batch", "run", str(rows), env=_env(api.url)) as command:
        await command.says("2 running")
        api.fault = _fails()
        await command.says("note: no answer for 2 s: the server closed the connection")
        api.fault = _fails("list")
        await command.says("note: the service answers again")
        for task in api.tasks.values():
            task.life = ((0.0, "finished"),)
        result = await command.ends()

    assert result.code == 0
    assert result.stderr.count("no answer for") == 1


@pytest.mark.long
async def test_a_batch_says_which_tasks_it_could_not_stop(api, tmp_path):
    """After a second Ctrl-C in an outage, each task is named with the command to stop it."""
    rows = tmp_path / "rows.csv"
    rows.write_text("key,task\na,Look\nb,Read\n")
    async with running("batch", "run", str(rows), env=_env(api.url)) as command:
        await command.says("2 running")
        api.fault = _fails()
        command.send(signal.SIGINT)
        await command.says("no more tasks are created")
        command.send(signal.SIGINT)
        result = await command.ends()

    assert result.code == 130
    assert "was asked to" not in result.stderr
    for task in api.tasks:
        assert f"it may still run and cost money: browser-use-async stop {task}" in result.stderr
